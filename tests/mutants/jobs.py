"""Joint jobs: what owners say, what is judged before it is interpreted, what is told, and what digests cover."""

from __future__ import annotations

from tests.mutants import Mutant

LIARS = "tests/parties/test_job_attacks.py::"
OWNERS = "tests/parties/test_owner_attacks.py::"
PROGRAMS = "tests/properties/test_programs.py::"

JOBS = (
    Mutant(
        6, "the job says which column tells people apart", "cli/joint/options.py",
        "        if self.unit.needs_subjects:\n            if local.subject is None:\n",
        "        if self.subject is not None:\n            return self.subject\n"
        "        if self.unit.needs_subjects:\n            if local.subject is None:\n",
        LIARS + "test_the_owner_says_which_column_tells_people_apart",
    ),
    Mutant(
        6, "the job says that nobody is elsewhere", "cli/joint/options.py",
        "        if self.disjoint and not local.disjoint:\n", "        if False:\n",
        LIARS + "test_a_release_for_a_person_needs_every_owners_word",
    ),
    Mutant(
        6, "an owner's word on who is elsewhere is not read", "parties/configuration.py",
        'entry.text("subject", "") or None, entry.flag("disjoint", False)',
        'entry.text("subject", "") or None, entry.flag("disjoint", False) and False',
        OWNERS + "test_one_budget_for_what_two_names_lend",
    ),
    Mutant(
        6, "labels may be any column", "cli/joint/datasets.py",
        "        if self.label is not None and self.label not in local.labels:\n", "        if False:\n",
        LIARS + "test_labels_come_from_columns_that_are_lent_as_labels",
    ),
    Mutant(
        6, "what a person gives is bounded in each lend alone", "cli/joint/statistics.py",
        "        used = within_bound(subjects, plan.most_per_owner)\n",
        "        used = np.concatenate(\n"
        "            [within_bound(one.kept.subjects, plan.most_per_owner) for one in state.prepared.values()]\n"
        "        )\n", LIARS + "test_all_rows_of_a_person_over_all_lends_count_against_one_bound",
    ),
    Mutant(
        6, "one lend may be named n times", "parties/job/specification.py",
        "        for (owner, lends), count in uses.items()\n        if count > 1\n",
        "        for (owner, lends), count in uses.items()\n        if False\n",
        LIARS + "test_a_parameter_or_an_input_that_is_named_twice_is_refused",
    ),
    Mutant(
        6, "one parameter may be given twice", "parties/job/specification.py",
        '    if twice:\n        problems.append(Problem(f"{where}: parameters"',
        '    if False:\n        problems.append(Problem(f"{where}: parameters"',
        LIARS + "test_a_parameter_or_an_input_that_is_named_twice_is_refused",
    ),
    Mutant(
        6, "two names of one file are two lends", "parties/judging.py",
        "overlapping(configuration.inputs[name] for name in sorted(mine & known)):\n", "():\n",
        OWNERS + "test_two_names_for_one_thing_are_one_thing",
    ),
    Mutant(
        6, "lent data go by the spelling of their path", "parties/job/overlap.py",
        "    return found.st_dev, found.st_ino\n", "    return found.st_dev, hash(str(path))\n",
        OWNERS + "test_two_names_for_one_thing_are_one_thing",
    ),
    Mutant(
        6, "a folder and what lies in it are two lends", "parties/job/overlap.py",
        "    yield from real.parents\n", "", OWNERS + "test_two_names_for_one_thing_are_one_thing",
    ),
    Mutant(
        6, "one file has two budgets under two names", "parties/configuration.py",
        "    for one, other in overlapping(found.values()):\n", "    for one, other in ():\n",
        OWNERS + "test_one_budget_for_what_two_names_lend",
    ),
    Mutant(
        6, "rows that two lends share count twice", "cli/joint/datasets.py",
        "    if again:\n", "    if False:\n", OWNERS + "test_rows_that_occur_in_two_lends_are_found_by_their_content",
    ),
    Mutant(
        6, "rows go by the type of their numbers", "cli/joint/datasets.py",
        "identity(row) for row in np.asarray(values, np.float64) + 0.0)",
        "identity(row) for row in np.asarray(values))",
        OWNERS + "test_rows_that_occur_in_two_lends_are_found_by_their_content",
    ),
    Mutant(
        6, "pictures go by the bytes of their files", "cli/joint/datasets.py",
        "identity(images.load(path)) for path in paths)", "Path(path).read_bytes() for path in paths)",
        OWNERS + "test_a_picture_in_another_file_format_is_the_same_picture",
    ),
    Mutant(
        6, "training adds rows of several lends unseen", "cli/joint/train.py",
        "    return joined([one.kept for name, one in state.prepared.items() if name != SCORE])\n",
        "    parts = [one.kept for name, one in state.prepared.items() if name != SCORE]\n"
        "    return joined([Rows(part.values, part.names, part.labels, part.subjects) for part in parts])\n",
        OWNERS + "test_rows_that_occur_in_two_lends_are_found_by_their_content",
    ),
    Mutant(
        6, "what a policy demands may be left out", "parties/job/policy.py",
        "            if stated.get(key) not in allowed_values:\n",
        "            if key in stated and stated[key] not in allowed_values:\n",
        LIARS + "test_a_policy_that_demands_unit_bounds_and_parameters_takes_no_other_spelling",
    ),
    Mutant(
        6, "a parameter that a policy demands may be left out", "parties/job/policy.py",
        "[name for name in rule.parameters if name not in stated]", "[]",
        LIARS + "test_a_policy_that_demands_unit_bounds_and_parameters_takes_no_other_spelling",
    ),
    Mutant(
        6, "a parameter that a policy does not name passes", "parties/job/policy.py",
        "        if value not in rule.parameters.get(name, ())\n",
        "        if name in rule.parameters and value not in rule.parameters[name]\n",
        LIARS + "test_a_policy_that_demands_unit_bounds_and_parameters_takes_no_other_spelling",
    ),
    Mutant(
        6, "pledges are believed", "parties/job/agreement.py",
        "        if _is_pledge(pledge) and (not released or needed <= set(pledge)):\n", "        if True:\n",
        OWNERS + "test_an_owner_that_lies_is_refused_in_words_before_anything_is_charged",
    ),
    Mutant(
        6, "an owner may tell two members two things", "parties/node/session.py",
        "        refuse(PartyError, agreement.record_problems(self.configuration.name, heard))\n", "",
        OWNERS + "test_an_owner_that_tells_two_members_two_things_is_found_out",
    ),
    Mutant(
        6, "shapes that no memory holds are believed", "parties/job/agreement.py",
        " or math.prod(shape) > MOST_VALUES:\n", ":\n", LIARS + "test_what_members_announce_is_bounded",
    ),
    Mutant(
        6, "components that no memory holds are believed", "parties/job/agreement.py",
        "type(value) is int and not 0 < value <= MOST_VALUES", "False", LIARS + "test_what_members_announce_is_bounded",
    ),
    Mutant(
        14, "options are interpreted before the policy", "parties/judging.py",
        "    refused = policy.word_refusals(me, submitter, specification)\n",
        "    with public():\n        task.releasing(specification)\n"
        "    refused = policy.word_refusals(me, submitter, specification)\n",
        LIARS + "test_the_policy_comes_before_everything_else",
    ),
    Mutant(
        14, "lends are looked at before the task", "parties/judging.py",
        "    with public():\n        releasing = task.releasing(specification)\n",
        "    _check_lends(configuration, specification)\n    with public():\n"
        "        releasing = task.releasing(specification)\n", LIARS + "test_the_policy_comes_before_everything_else",
    ),
    Mutant(
        14, "jobs name files", "cli/joint/features.py",
        '"none: a job names no files", remedy) for key in files if keys[key]\n',
        '"none: a job names no files", remedy) for key in files if False\n',
        LIARS + "test_no_job_makes_a_member_open_a_file_of_its_choice",
    ),
    Mutant(
        14, "paths are names of networks", "cli/joint/features.py",
        "    if files and not all(map(NAME.fullmatch, named)):\n", "    if False:\n",
        LIARS + "test_no_job_makes_a_member_open_a_file_of_its_choice",
    ),
    Mutant(
        14, "what a network holds is told", "cli/joint/features.py",
        "    return Withheld(own, (told,))\n", "    return Withheld(own, own)\n",
        LIARS + "test_what_a_lent_network_holds_is_told_to_nobody",
    ),
    Mutant(
        14, "networks of one name are not compared", "parties/job/agreement.py",
        '        problems += differences(me, here, f"network {name}", "lend the same file everywhere")\n',
        "        pass\n", LIARS + "test_members_with_other_networks_of_one_name_do_not_start",
    ),
    Mutant(
        14, "strangers hear what does not fit", "parties/job/policy.py",
        "        if not any(submitter in rule.submitters for rule in self.rules):\n", "        if False:\n",
        LIARS + "test_a_stranger_hears_nothing_and_nothing_of_its_job_is_looked_at",
    ),
    Mutant(
        14, "submitters hear what a policy allows", "parties/job/policy.py",
        '        return tuple(Problem(problem.where, problem.got, "what its policy allows") for problem in problems)\n',
        "        return tuple(problems)\n", LIARS + "test_members_with_other_networks_of_one_name_do_not_start",
    ),
    Mutant(
        14, "what is wrong with an owner's data is told", "parties/job/disclosure.py",
        "        raise Withheld(error.problems, (told,)) from None\n",
        "        raise Withheld(error.problems, error.problems) from None\n",
        LIARS + "test_what_is_wrong_at_an_owner_stays_there",
    ),
    Mutant(
        14, "an exact count of rows is told", "parties/node/session.py",
        '            with self._withholding(f"contribution of {me}", "what the release bounds"):\n',
        "            with public():\n", OWNERS + "test_rows_that_occur_in_two_lends_are_found_by_their_content",
    ),
    Mutant(
        14, "what is left of a budget is told", "parties/node/session.py",
        '                    raise Withheld(error.problems, (Problem(f"ledger of {me}", got, expected, '
        "remedy),)) from None\n", "                    raise Withheld(error.problems, error.problems) from None\n",
        LIARS + "test_what_is_wrong_at_an_owner_stays_there",
    ),
    Mutant(
        14, "words of unexpected errors are told", "parties/job/disclosure.py",
        '(Problem(member, "an unexpected error", expected, remedy),)',
        '(Problem(member, f"{type(error).__name__}: {error}", expected, remedy),)',
        LIARS + "test_whatever_a_task_raises_by_mistake_is_told_without_its_words",
    ),
    Mutant(
        15, "a job's digest covers arithmetic alone", "cli/joint/options.py",
        "    return job.stating(hashlib.sha256(json.dumps(said, sort_keys=True, "
        "allow_nan=False).encode()).hexdigest())\n", "    return job\n", LIARS + "test_an_allowed_digest_is_of_one_job",
    ),
    Mutant(
        15, "a job's digest does not cover the job file", "cli/joint/options.py",
        '    said: dict[str, object] = {"specification": specification.to_dict()}\n',
        "    said: dict[str, object] = {}\n", LIARS + "test_an_allowed_digest_is_of_one_job",
    ),
    Mutant(
        15, "a job's digest does not cover what owners do at home", "cli/joint/options.py",
        "None if feature is None else identity(feature).hex()", "None",
        LIARS + "test_a_digest_is_of_the_network_that_owners_run_at_home",
    ),
    Mutant(
        15, "a rule's digests allow any job", "parties/job/policy.py",
        "    if rule.jobs and job.digest not in rule.jobs:\n", "    if False:\n",
        LIARS + "test_an_allowed_digest_is_of_one_job",
    ),
    Mutant(
        15, "a program's digest does not cover what CKKS runs", "program/files.py",
        "    if stated:  # a program", "    if False:  # a program",
        PROGRAMS + "test_a_digest_covers_the_polynomial_alternatives_that_ckks_runs_and_no_names",
    ),
    Mutant(
        15, "a region's alternative stands for any nodes", "program/files.py",
        "        [r.first, r.last, list(r.inputs), _structure(r.polynomial, arrays)] for r in",
        "        [_structure(r.polynomial, arrays)] for r in",
        PROGRAMS + "test_a_digest_covers_what_a_polynomial_alternative_stands_for",
    ),
)  # fmt: skip

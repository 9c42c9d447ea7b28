"""Who a person is, and whose an image is."""

from __future__ import annotations

from tests.mutants import Mutant

IDS = "tests/extraction/test_subject_ids.py::"
SHARED = "tests/extraction/test_shared_images.py::"

PEOPLE = (
    Mutant(
        4, "None is a person", "subjects.py",
        "    if _missing(value):\n",
        "    if value is None:\n        return str(value), None\n    if _missing(value):\n",
        IDS + "test_what_is_no_id_is_refused",
    ),
    Mutant(
        4, "NaN is a person", "subjects.py",
        "    if _missing(value):\n",
        "    if isinstance(value, float) and value != value:\n        return str(value), None\n"
        "    if _missing(value):\n", IDS + "test_what_is_no_id_is_refused",
    ),
    Mutant(
        4, "NaT is a person", "subjects.py",
        "    if _missing(value):\n",
        "    if isinstance(value, np.datetime64):\n        return str(value), None\n    if _missing(value):\n",
        IDS + "test_what_is_no_id_is_refused",
    ),
    Mutant(
        4, "NA is a person", "subjects.py",
        "    if _missing(value):\n",
        "    if type(value).__name__ == 'NAType':\n        return '<NA>', None\n    if _missing(value):\n",
        IDS + "test_what_is_no_id_is_refused",
    ),
    Mutant(
        4, "the empty text is a person", "subjects.py",
        "    if not name:\n", "    if False:\n", IDS + "test_what_is_no_id_is_refused",
    ),
    Mutant(
        4, "the text nan is a person", "subjects.py",
        "    if name in MISSING:\n", "    if False:\n", IDS + "test_what_is_no_id_is_refused",
    ),
    Mutant(
        4, "forms of one text are several people", "subjects.py",
        '_stripped(unicodedata.normalize("NFC", text))', "_stripped(text)", IDS + "test_one_id_has_one_form",
    ),
    Mutant(
        4, "white space makes another person", "subjects.py",
        "        name = text.strip()\n", "        name = text\n", IDS + "test_a_missing_id_is_called_so",
    ),
    Mutant(
        4, "what cannot be seen makes another person", "subjects.py",
        "        if strange:\n", "        if False:\n", IDS + "test_what_is_no_id_is_refused",
    ),
    Mutant(
        4, "true is the person 1", "subjects.py",
        "    if isinstance(value, bool | np.bool_):\n", "    if False:\n", IDS + "test_what_is_no_id_is_refused",
    ),
    Mutant(
        4, "large floats are people", "subjects.py",
        "    if abs(value) >= 2.0 ** (kind.nmant + 1):\n", "    if False:\n", IDS + "test_what_is_no_id_is_refused",
    ),
    Mutant(
        4, "floats with a fraction are people", "subjects.py",
        "    if not np.isfinite(value) or value != np.floor(value):\n", "    if not np.isfinite(value):\n",
        IDS + "test_what_is_no_id_is_refused",
    ),
    Mutant(
        4, "3.0 is another person than 3", "subjects.py",
        '        return "", (got, _EXPECTED, "read the column as integers or text")\n    return str(int(value)), None',
        '        return "", (got, _EXPECTED, "read the column as integers or text")\n    return str(value), None',
        IDS + "test_one_id_has_one_form",
    ),
    Mutant(
        4, "a set of ids has an order", "subjects.py",
        "isinstance(values, str | bytes | Mapping | Set)", "isinstance(values, str | bytes | Mapping)",
        IDS + "test_ids_come_in_a_list",
    ),
    Mutant(
        4, "ids of images are any text", "extraction/contributions.py",
        "    names = subject_ids(given)\n", "    names = tuple(map(str, given))\n",
        IDS + "test_a_missing_id_is_refused_before_anything_is_charged",
    ),
    Mutant(
        4, "ids of a list are any text", "io/images/manifest.py",
        '            values = subject_ids(values, f"{path}, {column}", [row.where for row in rows])\n',
        "            values = tuple(values)\n", IDS + "test_a_list_says_every_line_without_an_id",
    ),
    Mutant(
        4, "ids of lent tables are any text", "cli/joint/datasets.py",
        'subject_ids(found[subject], f"{path}, {subject}")', "tuple(map(str, found[subject]))",
        IDS + "test_what_is_lent_to_jobs_has_the_same_ids",
    ),
    Mutant(
        4, "ids of rows to train on are any text", "training/fitting.py",
        "None if subjects is None else subject_ids(subjects)",
        "None if subjects is None else tuple(map(str, subjects))", IDS + "test_training_takes_the_same_ids",
    ),
    Mutant(
        4, "nobody warns of ids that are alike", "extraction/contributions.py",
        "    warn_of_alike(names)\n", "", IDS + "test_every_way_in_warns",
    ),
    Mutant(
        4, "only upper and lower case are alike", "subjects.py",
        '    name = "".join(name.casefold().split())\n', "    return name.casefold()\n",
        IDS + "test_ids_that_differ_in_case_or_form_are_warned_about_and_stay_two_people",
    ),
    Mutant(
        4, "the person 0 is nobody", "extraction/contributions.py",
        "return self.subjects[record] if self.subjects else None",
        'return self.subjects[record].strip("0") or None if self.subjects else None',
        SHARED + "test_nobody_is_named_or_everybody",
    ),
    Mutant(
        4, "charges under a former form of an id are forgotten", "extraction/contributions.py",
        "        refuse(ParameterError, _other_spellings(list(given), names, ledger))\n", "",
        IDS + "test_charges_under_another_form_of_an_id_stay_in_force",
    ),
    Mutant(
        5, "one image under two people is charged to one", "extraction/contributions.py",
        "    refuse(ParameterError, _two_people(records, identities, subjects))\n", "",
        SHARED + "test_one_file_of_two_people_is_refused_whatever_it_is_called",
    ),
    Mutant(
        5, "one label under two people goes to the last", "extraction/contributions.py",
        "    refuse(ParameterError, _two_people(records, records, names))\n", "",
        SHARED + "test_a_file_called_like_an_image_in_memory_is_not_taken_for_it",
    ),
    Mutant(
        5, "a file is the spelling of its path", "io/images/same_files.py",
        '    return ("file", status.st_dev, status.st_ino) if status.st_ino else _real(path)\n',
        '    return ("path", os.path.abspath(path))\n', SHARED + "test_a_list_with_one_file_of_two_people_is_refused",
    ),
    Mutant(
        5, "hard links are other files", "io/images/same_files.py",
        '    return ("file", status.st_dev, status.st_ino) if status.st_ino else _real(path)\n',
        "    return _real(path)\n", SHARED + "test_a_list_with_one_file_of_two_people_is_refused",
    ),
    Mutant(
        5, "copies are other images", "extraction/contributions.py",
        "    same = equal_bytes(files)\n", "    same: dict[Hashable, Hashable] = {}\n",
        SHARED + "test_one_file_of_two_people_is_refused_whatever_it_is_called",
    ),
    Mutant(
        5, "an image in memory is never that of a file", "extraction/contributions.py",
        "    for key, path in files.items() if dimensions else ():\n", "    for key, path in ():\n",
        SHARED + "test_one_image_in_memory_of_two_people_is_refused",
    ),
    Mutant(
        5, "a picture on its side is another image than in memory", "extraction/contributions.py",
        "    return tuple(sorted(shape[:2]))\n", "    return tuple(shape[:2])\n",
        SHARED + "test_a_picture_that_lies_on_its_side_is_the_same_in_memory",
    ),
    Mutant(
        5, "one file in a list is of two people", "io/images/manifest.py",
        "    refuse(ParameterError, problems + contradictions)\n", "    refuse(ParameterError, problems)\n",
        SHARED + "test_a_list_with_one_file_of_two_people_is_refused",
    ),
    Mutant(
        5, "one lent picture is of two people", "cli/joint/datasets.py",
        "            identities_of_one_person(people.paths, people.subjects)\n", "            pass\n",
        SHARED + "test_what_is_lent_to_jobs_and_trained_on_is_of_one_person",
    ),
    Mutant(
        5, "copies count once where they are two releases", "extraction/contributions.py",
        "identities if repeatable else range(len(names))", "identities",
        SHARED + "test_copies_count_once_only_where_they_are_one_release",
    ),
    Mutant(
        5, "encrypted arithmetic is said to err the same each time", "extraction/images.py",
        "    return is_on_image(release) or isinstance(under, Clear)\n", "    return True\n",
        SHARED + "test_copies_count_once_only_where_they_are_one_release",
    ),
    Mutant(
        5, "what was taken for a copy and is another release counts no more", "extraction/extractor.py",
        "        if most is None or whose.subject not in self.contributions.copied:\n", "        if True:\n",
        SHARED + "test_what_was_taken_for_a_copy_and_is_another_release_is_refused",
    ),
    Mutant(
        4, "a ledger of people that is wrapped needs no ids", "extraction/contributions.py",
        "        if hidden or counts_people(ledger):\n", "        if hidden:\n",
        SHARED + "test_a_ledger_of_people_that_is_wrapped_needs_ids_too",
    ),
    Mutant(
        5, "copies never count once", "extraction/contributions.py",
        "identities if repeatable else range(len(names))", "range(len(names))",
        SHARED + "test_one_file_of_one_person_counts_once",
    ),
)  # fmt: skip

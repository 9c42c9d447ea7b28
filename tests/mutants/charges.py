"""When something is charged, what a ledger has seen, how runs go on, and keys in other processes."""

from __future__ import annotations

from tests.mutants import Mutant

RECORDS = "tests/extraction/test_records.py::"
PUT_BACK = "tests/privacy/ledger/test_ledger_put_back.py::"
BOTH_PUT_BACK = "tests/privacy/ledger/test_ledgers_put_back.py::"
SEVERAL = "tests/extraction/several/test_several_features.py::"
RESUMED = "tests/extraction/test_resumed.py::"
TRAINED = "tests/training/test_noise_and_charges.py::"
WHOLE = "tests/properties/test_whole_numbers.py::"
KEYS = "tests/estimators/test_estimator_keys.py::"

CHARGES = (
    Mutant(
        12, "what is no count is charged", "extraction/extractor.py",
        "        release.check(values)\n", "", RECORDS + "test_what_is_no_count_is_refused_before_the_charge",
    ),
    Mutant(
        12, "public reasons come after the charge", "extraction/images.py",
        "        check_images([extractor], sources)\n", "        pass\n",
        RECORDS + "test_public_reasons_come_before_the_charge",
    ),
    Mutant(
        12, "an image that another feature refuses is charged", "io/resumable/together.py",
        "    reasons = [reason for each in charging if (reason := _against(each, images[at_least_of(each)], path))]\n",
        "    reasons: list[str] = []\n",
        SEVERAL + "test_a_picture_that_one_feature_cannot_use_is_charged_for_none",
    ),
    Mutant(
        12, "a ledger put back is taken up", "privacy/ledger/chained_file.py",
        "if self._seen is not None and self._seen not in passed:", "if False:",
        PUT_BACK + "test_files_that_were_put_back_are_refused_also_when_others_charged_them_since",
    ),
    Mutant(
        12, "a pickle forgets what was seen", "privacy/ledger/chained_file.py",
        "return type(self), (str(self.path),), self._seen", "return type(self), (str(self.path),)",
        BOTH_PUT_BACK + "test_copies_and_pickles_inherit_what_was_seen",
    ),
    Mutant(
        12, "what was only read does not count as seen", "privacy/ledger/chained_file.py",
        "        self._books, self._seen = books, books.head\n        return books",
        "        self._books = books\n        return books", BOTH_PUT_BACK + "test_what_was_only_read_counts_as_seen",
    ),
    Mutant(
        12, "a charge to a file that was replaced counts", "privacy/ledger/chained_file.py",
        "        self._require_in_place(files)  # an entry in", "        pass  # an entry in",
        PUT_BACK + "test_a_file_replaced_while_a_charge_is_written_is_no_charge",
    ),
    Mutant(
        12, "a check of the ledger forgets what was seen", "privacy/ledger/chained_file.py",
        "seen = {self._seen.digest} if self._seen else set[str]()", "seen = set[str]()",
        PUT_BACK + "test_files_that_were_put_back_are_refused_also_when_others_charged_them_since",
    ),
    Mutant(
        12, "a run goes on with another ledger", "extraction/folder.py",
        '        "ledger": _ledger_mark(make.ledger),\n', "", RESUMED + "test_what_an_unfinished_run_is_bound_to",
    ),
    Mutant(
        12, "a run goes on with another key in the same file", "extraction/folder.py",
        "key_mark(ReleaseKey.load(key_path))", "str(key_path)",
        RESUMED + "test_a_key_file_that_was_replaced_is_another_key",
    ),
    Mutant(
        12, "a run goes on with other subjects", "extraction/folder.py",
        'identity(people, "subjects").hex() if people else "none"', '"none"',
        RESUMED + "test_what_is_added_later_is_refused",
    ),
    Mutant(
        12, "rows of files that changed are kept", "io/resumable/run.py",
        "if files == part.contents:", "if True:", RESUMED + "test_the_row_is_that_of_the_file_as_it_is",
    ),
    Mutant(
        12, "files go by size and time", "io/resumable/contents.py",
        '            return hashlib.file_digest(file, "sha256").hexdigest()',
        '            s = os.fstat(file.fileno())\n            return f"{s.st_size} {s.st_mtime_ns}"',
        RESUMED + "test_the_row_is_that_of_the_file_as_it_is",
    ),
    Mutant(
        12, "finished parts are not asked of the ledger", "io/resumable/run.py",
        "if missing := job.account.missing(marks):", "if missing := set():",
        RESUMED + "test_a_ledger_put_back_to_before_the_finished_parts_is_refused",
    ),
    Mutant(
        12, "a ledger that cannot be written is a picture's failure", "io/resumable/span_vectors.py",
        "NO_IMAGES_FAULT = (ServiceError, ProtocolError, OutputError, DamagedLedgerError, AnswerLimitError, ",
        "NO_IMAGES_FAULT = (ServiceError, ProtocolError, ",
        RESUMED + "test_a_ledger_that_cannot_be_written_ends_the_run_which_goes_on_later",
    ),
    Mutant(
        12, "a run's own key goes although images failed after their charge", "extraction/folder.py",
        "if key is None and not (ledger is not None and outcome.failures):", "if key is None:",
        RESUMED + "test_an_image_that_fails_after_its_charge_is_had_for_nothing_later",
    ),
    Mutant(
        12, "a run's own key goes although all images failed after their charge", "extraction/folder.py",
        "        if ledger is None:  # not one row\n            forget_key(path)", "        forget_key(path)",
        RESUMED + "test_no_usable_image_at_all_keeps_the_key_where_a_ledger_was_charged",
    ),
    Mutant(
        12, "nobody says how to go on", "extraction/folder.py",
        "        if make.ledger is not None:\n            error.add_note(",
        "        if False:\n            error.add_note(",
        RESUMED + "test_an_interruption_after_charges_says_how_to_go_on",
    ),
    Mutant(
        12, "a key of nothing is left behind", "extraction/folder.py",
        "        if fresh and not latest:", "        if False:",
        RESUMED + "test_what_is_refused_before_any_charge_leaves_no_key",
    ),
    Mutant(
        12, "a checkpoint of another training is taken up", "training/checkpoints.py",
        "    if release != release_id or any(", "    if any(",
        TRAINED + "test_a_checkpoint_of_other_sums_is_refused_before_the_charge",
    ),
    Mutant(
        12, "a checkpoint is read after the charge", "training/fitting.py",
        "    kept_state = None if checkpoint is None else checkpoints.load(checkpoint, release_id, shape, "
        "plan.steps)\n",
        "    if ledger is not None:\n        ledger.charge(corpus, plan.guarantee, release_id)\n"
        "    kept_state = None if checkpoint is None else checkpoints.load(checkpoint, release_id, shape, "
        "plan.steps)\n", TRAINED + "test_a_checkpoint_of_other_sums_is_refused_before_the_charge",
    ),
    Mutant(
        12, "integers of NumPy are kept, and overflow", "validation.py",
        "object.__setattr__(owner, name, int(getattr(owner, name)))", "pass",
        WHOLE + "test_numpys_integers_decide_nothing_else_than_pythons",
    ),
    Mutant(
        12, "whole numbers have no upper end", "validation.py",
        "    if int(value) > MOST:\n", "    if False:\n", WHOLE + "test_both_ends_of_whole_and_positive_numbers",
    ),
    Mutant(
        12, "the bound of a summand is compared as floats", "run/mpc/job.py",
        "declared.low <= values.min().item() and values.max().item() <= declared.high",
        "declared.low <= values.min() and values.max() <= declared.high",
        WHOLE + "test_a_shared_summand_is_held_against_the_exact_bound",
    ),
    Mutant(
        12, "the least of 64 bits has no absolute value", "run/he/paillier/secure_aggregation.py",
        "elif max(-int(array.min()), int(array.max())) > self.most:", "elif np.abs(array).max() > self.most:",
        "tests/run/he/paillier/test_paillier_sums.py::test_a_number_beyond_the_agreement_is_refused_at_both_ends",
    ),
    Mutant(
        13, "each pickle is another key", "privacy/sampling/release_key.py",
        "        return self._lent[1]\n",
        '        lost = Path(tempfile.mkdtemp(), "release.key")\n        ReleaseKey.generate().save(lost)\n'
        "        return lost\n", KEYS + "test_a_parallel_search_is_one_release_per_image",
    ),
    Mutant(
        13, "a file for each pickle", "privacy/sampling/release_key.py",
        "self._lent[0] != os.getpid()", "True", KEYS + "test_a_pickle_holds_a_private_file_in_place_of_the_key",
    ),
    Mutant(
        13, "a fork takes the file with it", "privacy/sampling/release_key.py",
        "    if os.getpid() == process:  # not by a fork that ends", "    if True:",
        KEYS + "test_the_file_lent_ends_with_the_process_but_not_with_its_forks",
    ),
    Mutant(
        13, "copies have files of their own", "estimators/transformer.py",
        "    def __deepcopy__(self, memo: dict[int, object]) -> ReleaseKey:\n        return self.key\n", "",
        KEYS + "test_copies_keep_the_key_itself",
    ),
    Mutant(
        13, "nobody says that every fold is another release", "estimators/transformer.py",
        "            warnings.warn(WITHOUT_KEY, stacklevel=2)", "            pass",
        KEYS + "test_without_a_key_every_transform_is_another_release_and_says_so",
    ),
    Mutant(
        13, "a key appears before it is whole", "privacy/sampling/secret_file.py",
        "        return os.open(folder, os.O_WRONLY | os.O_TMPFILE, 0o600)",
        "        raise OSError(errno.EOPNOTSUPP, '')", KEYS + "test_a_key_appears_whole_or_not_at_all",
    ),
)  # fmt: skip

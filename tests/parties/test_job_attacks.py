"""Submitters that lie: honest members finish, or refuse in words, and tell no more than docs list."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from privis import Budget, FileLedger, Per, ReleaseKey
from privis.cli.joint import TASKS
from privis.errors import ParameterError, PartyError, PrivisError
from privis.parties.job import agreement
from privis.parties.job.disclosure import Withheld
from privis.parties.job.policy import Policy, job_refusals
from privis.parties.job.specification import specification_from
from privis.parties.job.task import Announcement, LocalData, LocalNetwork
from privis.parties.judging import judged
from tests.parties.homes import PARTIES, RELEASE, RULE, check_told, document, released, specified
from tests.parties.lent_networks import small_network

pytest.importorskip("spu")


def test_honest_members_finish_and_the_sum_is_right(joint, homes):
    ending = joint(specified())
    assert not ending.failed, ending.told
    (path,) = ending.received["carol"]
    with np.load(path) as found:
        np.testing.assert_allclose(found["mean"], np.full(4, (3 * 0.25 + 4 * 0.5) / 7), atol=1e-4)
        assert found["images"] == 7
    ending = joint(specified(**released()))
    assert not ending.failed and [homes.spent(name) for name in PARTIES] == [1, 1, 0]


# Submitters -----------------------------------------------------------------------------------------------------


def test_a_stranger_hears_nothing_and_nothing_of_its_job_is_looked_at(joint, homes, monkeypatch):
    homes.allow()
    monkeypatch.setattr(TASKS["statistics"].__class__, "releasing", lambda *_: pytest.fail("options were interpreted"))
    options = {"statistic": "mean", "feature": "cnn", "parameters": ["path=/etc/passwd"]}
    ending = joint(specified(options=options), submitter="stranger")
    for name in PARTIES:
        assert ending.told[name] == f"policy of {name}: submitter: got stranger, expected one that its policy names"
    assert "expected one of analyst" in ending.log["alice"]


@pytest.mark.parametrize(
    "words",
    [["path={}"], ["path={}", "network=net"], ["network=net", "path={}"], ["network={}"], ["network=../{}"], []],
)
def test_no_job_makes_a_member_open_a_file_of_its_choice(joint, homes, monkeypatch, words):
    """Whoever may submit anything, too: files are named by owners alone."""
    from privis.features import cnn

    wanted, lent, opened = homes.folder / "wanted-secret-path.onnx", homes.folder / "net-secret-path.onnx", []
    for path in (wanted, lent):
        path.write_bytes(small_network("layer"))
    named = [word.format(wanted) for word in words]
    homes.allow(networks=("net", *(word.partition("=")[2] for word in named)))
    for member in homes.members.values():
        member["networks"] = {"net": LocalNetwork("net", lent)}
    read, read_bytes = cnn.read_onnx, Path.read_bytes
    monkeypatch.setattr(cnn, "read_onnx", lambda path: opened.append(str(path)) or read(path))
    monkeypatch.setattr(Path, "read_bytes", lambda path: opened.append(str(path)) or read_bytes(path))
    options = {"statistic": "mean", "bound": 1.0, "feature": "cnn", "parameters": named}
    ending = joint(specified(options=options))
    assert str(wanted) not in opened
    assert ending.failed and not any(ending.received.values())
    assert "Traceback" not in ending.all_told and "unexpected" not in ending.all_told
    for task in TASKS.values():  # whatever the policy allowed
        with pytest.raises(ParameterError):
            task.with_networks(homes.members["alice"]["networks"]).releasing(specified(options=options))


def test_what_a_lent_network_holds_is_told_to_nobody(joint, homes):
    """Layers are listed in the log of who lends the network, and nowhere else."""
    path = homes.folder / "alice" / "net-secret-path.onnx"
    path.write_bytes(small_network("layer_of_a_private_network"))
    for member in homes.members.values():
        member["networks"] = {"net": LocalNetwork("net", path)}
    homes.allow(networks=("net",))
    options = {"statistic": "mean", "bound": 1.0, "feature": "cnn", "parameters": ["network=net", "layer=absent"]}
    ending = joint(specified(options=options))
    assert "got something that does not fit" in ending.all_told and "layer_of_a_private_network" in ending.log["alice"]
    check_told(ending, homes, "layer_of_a_private_network")


def test_members_with_other_networks_of_one_name_do_not_start(joint, homes):
    for index, (name, member) in enumerate(homes.members.items()):
        path = homes.folder / name / "net-secret-path.onnx"
        path.write_bytes(small_network("layer", weight=float(index == 2)))
        member["networks"] = {"net": LocalNetwork("net", path)}
        (homes.folder / name / "pictures").mkdir()
        Image.fromarray(np.full((8, 8, 3), 9, np.uint8)).save(homes.folder / name / "pictures" / "a.png")
        member["inputs"]["ward"] = LocalData("ward", images=homes.folder / name / "pictures")
    homes.allow(networks=("net",))
    options = {"statistic": "mean", "bound": 1e4, "feature": "cnn", "parameters": ["network=net"]}
    inputs = {"one": {"owner": "alice", "lends": "ward"}, "two": {"owner": "bob", "lends": "ward"}}
    ending = joint(specified(options=options, inputs=inputs))
    assert "network net at" in ending.all_told and not any(ending.received.values())  # whoever sees it first
    homes.members["carol"]["networks"] = homes.members["alice"]["networks"]
    assert not joint(specified(options=options, inputs=inputs)).failed
    homes.allow()
    assert "networks: got net, expected what its policy allows" in joint(specified(options=options)).told["alice"]


@pytest.mark.parametrize("column", ["label", "age", "patient_"])
def test_the_owner_says_which_column_tells_people_apart(joint, homes, column):
    """Whatever the job says: each row is not a person, and the owner's column is told to nobody."""
    homes.lend("alice", "rows", np.full((20, 4), 0.5), subject="patient")
    ending = joint(specified(**released(unit="person:2", subject=column)))
    assert "input one of alice: got something that does not fit" in ending.all_told
    assert "'patient', as its owner says" in ending.log["alice"] and not any(ending.received.values())
    check_told(ending, homes, "'patient'")
    assert homes.spent("alice") == 0


def test_a_release_for_a_person_needs_every_owners_word(joint, homes):
    homes.lend("alice", "rows", np.full((20, 4), 0.5), subject="patient")
    ending = joint(specified(**released(unit="person:2")))
    assert "input two of bob" in ending.all_told and "no column of people" in ending.log["bob"]
    homes.lend("bob", "rows", np.full((3, 4), 0.5), subject="patient")
    assert not joint(specified(**released(unit="person:2"))).failed
    ending = joint(specified(**released(unit="person:2", disjoint=True)))
    assert "does not fit" in ending.all_told and "nobody is elsewhere" in ending.log["alice"]
    for name in ("alice", "bob"):
        homes.lend(name, "rows", np.full((3, 4), 0.5), subject="patient", disjoint=True)
    assert not joint(specified(**released(unit="person:2", disjoint=True))).failed


def test_all_rows_of_a_person_over_all_lends_count_against_one_bound(homes):
    """ann has 20 rows in one lend and 20 in another; person:4 over two owners lets each use two of hers."""
    homes.lend("alice", "rows", np.eye(20, 4) + 0.001 * np.arange(20)[:, None], subject="patient")
    homes.lend("alice", "more", np.eye(20, 4) - 0.001 * np.arange(1, 21)[:, None], subject="patient")
    inputs = {"one": {"owner": "alice", "lends": "rows"}, "more": {"owner": "alice", "lends": "more"}}
    job = specified(inputs={**inputs, "two": {"owner": "bob", "lends": "rows"}}, **released(unit="person:4"))
    task, key = TASKS["statistics"], ReleaseKey.generate()
    lent = homes.members["alice"]["inputs"]
    prepared = {name: task.prepare(job, name, lent[use.lends]) for name, use in job.inputs.items() if name != "two"}
    announced = {name: one.announcement for name, one in prepared.items()}
    announced["two"] = dataclasses.replace(announced["one"], owner="bob")
    from privis.cli.joint.statistics import _contribution
    from privis.parties.job.task import PrivateState

    plan = task.releasing(job).plan(announced)
    steps = np.array(_contribution(plan, PrivateState("alice", prepared, key)).steps, float)
    assert np.linalg.norm(steps) <= plan.guarantee.sensitivity / 4 * 2 / 2 * 1.01, "two rows of norm 1"


def test_labels_come_from_columns_that_are_lent_as_labels(joint, homes):
    options = {"statistic": "class-means", "bound": 1.0, "classes": 2}
    assert not joint(specified(options={**options, "label": "label"})).failed
    ending = joint(specified(options={**options, "label": "patient"}))
    assert "does not fit" in ending.all_told and 'labels = ["patient"]' in ending.log["alice"]
    homes.lend("alice", "rows", np.full((3, 4), 0.5), labels=("patient",))
    homes.lend("bob", "rows", np.full((3, 4), 0.5), labels=("patient",))
    assert not joint(specified(options={**options, "label": "patient"})).failed


SPELLINGS = [
    {"release": {**RELEASE, "unit": "person:03"}},
    {"release": {**RELEASE, "unit": "person:３"}},
    {"release": {**RELEASE, "unit": " person:3"}},
    {"release": {**RELEASE, "unit": "image"}},
    {"release": RELEASE},
    {"release": {**RELEASE, "unit": "person:3", "clip": 1}},
    {"release": {**RELEASE, "unit": "person:3", "clip": 1e9}},
    {"release": None},
    {"options": {"statistic": "sum", "feature": "colour", "parameters": ["bins=02"]}},
    {"options": {"statistic": "sum", "feature": "colour", "parameters": ["bins=2", "space=hsv"]}},
    {"options": {"statistic": "sum", "feature": "colour", "parameters": []}},
    {"options": {"statistic": "sum", "feature": "colour", "parameters": "bins=9"}},
    {"options": {"statistic": "sum", "feature": ["colour"], "parameters": ["bins=2"]}},
    {"options": {"statistic": "sum", "feature": "Colour", "parameters": ["bins=2"]}},
    {"inputs": {"one": {"owner": "alice", "lends": "Rows"}}},
    {"inputs": {"one": {"owner": "alice", "lends": "more"}}},
    {"receivers": {"result": ["all"]}},
    {"insecure": True, "preset": "semi2k-insecure", "parties": ["alice", "bob"]},
]


@pytest.mark.parametrize("change", SPELLINGS, ids=str)
def test_a_policy_that_demands_unit_bounds_and_parameters_takes_no_other_spelling(change):
    rule = dataclasses.replace(
        RULE,
        inputs=("rows",),
        receivers=("carol",),
        features=("colour",),
        release={"unit": ("person:3",), "clip": (0.5,)},
        parameters={"bins": ("2",)},
        epsilon=2.0,
    )
    options = {"statistic": "sum", "feature": "colour", "parameters": ["bins=2"]}
    good = {"options": options, "release": {**RELEASE, "unit": "person:3", "clip": 0.5}}
    policy = Policy((rule,))
    protection = TASKS["statistics"].releasing(specified(**good)).protection
    assert policy.refusals("alice", "analyst", specified(**good), protection)[0] == []
    refused = policy.word_refusals("alice", "analyst", specified(**{**good, **change}))
    assert refused and all("policy of alice" in problem.where for problem in refused)


def test_a_parameter_or_an_input_that_is_named_twice_is_refused():
    for parameters in (["bins=2", "bins=9"], ["bins=2", "bins=2"]):
        with pytest.raises(ParameterError, match="bins more than once"):
            specified(options={"statistic": "mean", "feature": "colour", "parameters": parameters})
    inputs = {f"part{i}": {"owner": "alice", "lends": "rows"} for i in range(5)}
    for task in TASKS:
        with pytest.raises(ParameterError, match="rows of alice 5 times"):
            specified(task=task, inputs=inputs)


HUGE = [10**400, 1e308, 2**63, -1, 0, True, "1e9", [1], {"a": 1}, None, 0.5, "top:99999999999", "٣"]


@pytest.mark.parametrize("task", sorted(TASKS))
def test_huge_and_strange_options_are_words_that_do_not_fit(task):
    """No value makes a member fail otherwise than by refusing, and none makes it allocate what it names."""
    keys = {
        "statistics": ["statistic", "bound", "classes", "edges", "label", "feature", "parameters", "unknown"],
        "match": ["answer", "threshold", "score", "feature", "unknown"],
        "train": ["classes", "batch", "seed", "bound", "hidden", "rates", "momentum", "unknown"],
        "extract": ["feature", "parameters", "batch", "split", "answer", "unknown"],
    }[task]
    output = {"statistics": "result", "match": "matches", "train": "score", "extract": "features"}[task]
    base = {
        "statistics": {"statistic": "mean", "bound": 1.0},
        "match": {},
        "train": {"classes": 2, "bound": 1.0},
        "extract": {"feature": "lbp"},
    }[task]
    inputs = {
        "one": {"owner": "alice", "lends": "rows"},
        "queries" if task == "match" else "score": {"owner": "bob", "lends": "rows"},
    }
    refused = 0
    for key in keys:
        for value in (*HUGE, [10**400], ["x" * 10**5]):
            try:
                words = document(task=task, inputs=inputs, receivers={output: ["carol"]}, options={**base, key: value})
                job = specification_from(words, "job")
                TASKS[task].releasing(job)
            except PrivisError as error:
                refused += 1
                assert all(len(str(problem)) < 10**6 for problem in error.problems)
    assert refused > 7 * len(keys)
    named = [key for key in keys if key in ("classes", "batch", "hidden")]
    for key in named:  # what would be allocated
        with pytest.raises(PrivisError, match=key):
            options = {**base, "statistic": "class-means", key: [10**12] if key == "hidden" else 10**12}
            if task != "statistics":
                del options["statistic"]
            TASKS[task].releasing(
                specification_from(
                    document(task=task, inputs=inputs, receivers={output: ["carol"]}, options=options), "job"
                )
            )
    for key in ("epsilon", "delta", "clip", "colluding", "unit", "subject", "corpus", "noise", "disjoint"):
        for value in HUGE:
            try:
                TASKS["statistics"].releasing(specified(**released(**{key: value})))
            except PrivisError:
                refused += 1


def test_an_allowed_digest_is_of_one_job(homes):
    """Feature, parameters, bounds, receivers: each makes another digest, and the same words the same."""
    pictures = homes.folder / "alice" / "pictures"
    pictures.mkdir()
    Image.fromarray(np.arange(27, dtype=np.uint8).reshape(3, 3, 3)).resize((32, 32)).save(pictures / "a.png")
    lent, task = LocalData("ward", images=pictures), TASKS["statistics"]
    base = {"statistic": "mean", "bound": 2000.0, "feature": "colour", "parameters": ["bins=2"]}

    def built(options, **changes):
        inputs = {"x": {"owner": "alice", "lends": "ward"}}
        job = specified(inputs=inputs, options={**base, **options}, **changes)
        return task.build(job, {name: task.prepare(job, name, lent).announcement for name in job.inputs})

    allowed = built({})
    rule = dataclasses.replace(RULE, jobs=(allowed.digest,))
    assert job_refusals((rule,), "alice", built({})) == []
    others = [
        built({"parameters": ["bins=2", "space=hsv"]}),
        built({"parameters": ["bins=2", "density=yes"]}),
        built({"feature": "lbp", "parameters": ["grid=1x1"]}),
        built({"bound": 2001.0}),
        built({}, receivers={"result": ["bob"]}),
        built({"statistic": "standardisation"}),
        built({}, name="other"),
    ]
    assert all(job_refusals((rule,), "alice", job) for job in others)
    assert len({job.digest for job in (allowed, *others)}) == len(others) + 1


def test_a_digest_is_of_the_network_that_owners_run_at_home(tmp_path):
    """The job file only names it."""
    options = {"statistic": "mean", "bound": 1e4, "feature": "cnn", "parameters": ["network=net"]}
    job = specified(inputs={"x": {"owner": "alice", "lends": "ward"}}, options=options)
    announced = {"x": Announcement("alice", (), {"components": 4})}
    digests = set()
    for weight in (0.0, 1.0):
        path = tmp_path / f"{weight}.onnx"
        path.write_bytes(small_network("layer", weight))
        task = TASKS["statistics"].with_networks({"net": LocalNetwork("net", path)})
        digests.add(task.build(job, announced).digest)
    assert len(digests) == 2


# What is told ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("broken", ["absent", "damaged", "not finite", "too large", "other ledger", "no budget"])
def test_what_is_wrong_at_an_owner_stays_there(joint, homes, broken):
    folder, lent = homes.folder / "alice", homes.members["alice"]["inputs"]["rows"]
    match broken:
        case "absent":
            lent.arrays.unlink()
        case "damaged":
            lent.arrays.write_bytes(b"PK damaged-secret-path")
        case "not finite":
            homes.lend("alice", "rows", np.full((5, 4), np.nan))
        case "too large":
            homes.lend("alice", "rows", np.full((5, 4), 77.0))
        case "other ledger" | "no budget":
            per = Per.SUBJECT if broken == "other ledger" else Per.CORPUS
            FileLedger.create(folder / "private-ledger", Budget(0.125, 1e-5, per))
            homes.members["alice"]["inputs"]["rows"] = dataclasses.replace(lent, ledger=folder / "private-ledger")
    words = released() if "ledger" in broken or "budget" in broken else {}
    ending = joint(specified(**words))
    expected = "does not pay for this release" if broken == "no budget" else "something that does not fit"
    assert expected in ending.all_told and not any(ending.received.values()), ending.told
    check_told(ending, homes, "nan", "77", "5 ", "0.125", "private-ledger", "npz")
    assert ending.log["alice"] != ending.told["alice"] and ending.told["alice"].startswith(
        ("input one of alice", "ledger of alice")
    )


def test_whatever_a_task_raises_by_mistake_is_told_without_its_words(joint, homes, monkeypatch):
    for error in (ValueError("rows of ann"), ParameterError(), FileNotFoundError("secret-path"), KeyError("ann")):

        def fails(*_, error=error):
            raise error

        monkeypatch.setattr(TASKS["statistics"].__class__, "draw", fails)
        ending = joint(specified())
        assert ending.failed and "the log of " in ending.all_told
        check_told(ending, homes, "ann", "FileNotFound", "ValueError", "KeyError")


def test_what_fails_where_nobody_expects_it_is_told_without_its_words(joint, homes, monkeypatch):
    """A session of the same name has its results in place already: the last rename fails."""
    monkeypatch.setattr("tests.parties.ideal_group.secrets.token_hex", lambda count: "0" * 2 * count)
    assert not joint(specified()).failed
    ending = joint(specified())
    assert "carol: got something that does not fit" in ending.told["carol"] and "results-carol" in ending.log["carol"]
    check_told(ending, homes)


def test_the_policy_comes_before_everything_else(homes):
    """Refused by words, a job is not interpreted; refused by the task, no lend is looked at."""
    from types import SimpleNamespace

    alice = SimpleNamespace(name="alice", policy=Policy((RULE,)), inputs=None, networks=None, data=None)
    job = specified(options={"statistic": "median", "bound": 1.0})
    with pytest.raises(Withheld):
        judged(alice, "stranger", job, None)  # no task is asked
    with pytest.raises(PartyError, match="got 'median'"):
        judged(alice, "analyst", job, TASKS["statistics"])  # what it lends is not looked at


@pytest.mark.parametrize("lie", [{"shapes": [[1 << 30]]}, {"facts": {"components": 1 << 30}}], ids=str)
def test_what_members_announce_is_bounded(lie):
    inputs = {"two": {"shapes": [], "facts": {"components": 4}}}
    said = {"alice": {"inputs": {"one": inputs["two"]}}, "bob": {"inputs": inputs}}
    assert len(agreement.announced(specified(), said)) == 2
    inputs["two"] = {**inputs["two"], **lie}
    with pytest.raises(PartyError, match="no announcement that can be read"):
        agreement.announced(specified(), said)

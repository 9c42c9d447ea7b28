"""Owners and pairs of members that lie: honest members refuse in words before anything is charged."""

import dataclasses
import os

import numpy as np
import pytest
from PIL import Image

from privis import ReleaseKey
from privis.cli.joint import TASKS
from privis.errors import ParameterError, PrivisError
from privis.parties.job import agreement
from privis.parties.job.overlap import overlapping
from privis.parties.job.policy import Policy
from privis.parties.job.task import LocalData
from tests.parties.homes import RELEASE, RULE, changed, check_told, released, specified

pytest.importorskip("spu")


@pytest.mark.parametrize("how", ["same", "dots", "symbolic", "hard", "folder", "mounted"])
def test_two_names_for_one_thing_are_one_thing(joint, homes, how):
    """However the second name spells it."""
    folder = homes.folder / "alice"
    one = folder / "rows-secret-path.npz"
    other = folder / "other.npz"
    match how:
        case "same":
            other = one
        case "dots":
            other = folder / ".." / "alice" / one.name
        case "symbolic":
            other.symlink_to(one)
        case "hard":
            os.link(one, other)
        case "folder":
            other = folder
        case "mounted":
            (homes.folder / "link").symlink_to(folder)
            other = homes.folder / "link" / one.name
    lends = homes.members["alice"]["inputs"]
    lends["more"] = dataclasses.replace(lends["rows"], name="more", arrays=other)
    assert len(list(overlapping(lends.values()))) == 1
    inputs = {"one": {"owner": "alice", "lends": "rows"}, "more": {"owner": "alice", "lends": "more"}}
    ending = joint(specified(inputs={**inputs, "two": {"owner": "bob", "lends": "rows"}}, **released()))
    assert "inputs of alice: got something that does not fit" in ending.all_told
    assert "more and rows, which lend the same data" in ending.log["alice"]
    check_told(ending, homes)
    assert homes.spent("alice") == homes.spent("bob") == 0


@pytest.mark.parametrize("task", ["statistics", "released", "train", "train released"])
def test_rows_that_occur_in_two_lends_are_found_by_their_content(joint, homes, task):
    """Copied into another file, among others, as another type: an image would count twice for one charge."""
    rows = np.random.default_rng(0).uniform(-0.5, 0.5, (40, 4)).astype(np.float32)
    homes.lend("alice", "rows", rows)
    homes.lend("alice", "more", np.concatenate([rows[::-1] + 0.01, rows[7:8]]).astype(np.float64))
    inputs = {"one": {"owner": "alice", "lends": "rows"}, "more": {"owner": "alice", "lends": "more"}}
    inputs["two"] = {"owner": "bob", "lends": "rows"}
    words = {"inputs": inputs}
    if task == "released":
        words |= released()
    if task.startswith("train"):
        words |= {"task": "train", "options": {"classes": 2, "batch": 20, "rates": [1.0]}}
        if task == "train":
            words["inputs"] = {**inputs, "score": {"owner": "carol", "lends": "rows"}}
            words |= {"receivers": {"score": ["carol"]}, "options": {**words["options"], "bound": 1.0}}
        else:
            release = {key: RELEASE[key] for key in ("corpus", "epsilon", "delta")}
            words |= {"receivers": {"model": ["carol"]}, "release": release}
    ending = joint(specified(**words))
    assert "1 rows of one input that another has too" in ending.log["alice"]
    assert "got something that does not fit" in ending.all_told and not any(ending.received.values())
    check_told(ending, homes, "1 rows")
    assert homes.spent("alice") == 0
    homes.lend("alice", "more", (rows[::-1] + 0.01).astype(np.float64))
    assert not joint(specified(**words)).failed


def test_a_picture_in_another_file_format_is_the_same_picture(homes):
    pixels = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    for name, file in (("rows", "a.png"), ("more", "b.bmp")):
        (homes.folder / name).mkdir()
        Image.fromarray(pixels).save(homes.folder / name / file)
    inputs = {name: {"owner": "alice", "lends": name} for name in ("rows", "more")}
    options = {"statistic": "mean", "bound": 1e4, "feature": "colour", "parameters": ["bins=2"]}
    job, task = specified(inputs=inputs, options=options), TASKS["statistics"]
    parts = [task.prepare(job, name, LocalData(name, images=homes.folder / name)).kept for name in inputs]
    from privis.cli.joint.datasets import joined

    with pytest.raises(ParameterError, match="1 rows of one input that another has too"):
        joined(parts)


def test_one_budget_for_what_two_names_lend(tmp_path):
    from privis.parties.configuration import load_party
    from privis.parties.identity.certificates import make_group

    make_group(tmp_path, {"a": "127.0.0.1"})
    folder = tmp_path / "a"
    (folder / "results").mkdir()
    np.savez(folder / "x.npz", features=np.eye(2))
    (folder / "y.npz").symlink_to(folder / "x.npz")
    for name in ("one", "two"):
        (folder / name).touch()
    text = 'name = "a"\ncontrol = "127.0.0.1:1"\n[inputs.x]\narrays = "x.npz"\nledger = "one"\nsubject = "patient"\n'
    text += 'disjoint = true\nlabels = ["kind"]\n[inputs.y]\narrays = "y.npz"\nledger = "{}"\n'
    text += '[networks.net]\npath = "x.npz"\n[[policy]]\nsubmitters = ["b"]\ntasks = ["train"]\nreceivers = ["b"]\n'
    text += 'networks = ["net"]\nrelease = {{ unit = ["person:5"], clip = 1.0 }}\nparameters = {{ bins = [2, 4] }}\n'
    (folder / "party.toml").write_text(text.format("two"))
    with pytest.raises(ParameterError, match="expected one budget for them"):
        load_party(folder / "party.toml")
    (folder / "party.toml").write_text(text.format("./one"))
    loaded = load_party(folder / "party.toml")
    lent = loaded.inputs["x"]
    assert (lent.subject, lent.disjoint, lent.labels) == ("patient", True, ("kind",))
    (rule,) = loaded.policy.rules
    assert rule.networks == ("net",) and loaded.networks["net"].path == folder / "x.npz"
    assert rule.release == {"unit": ("person:5",), "clip": (1.0,)} and rule.parameters == {"bins": ("2", "4")}


LIES = {
    "no specification": ("greeting", ("specification",), "0" * 64),
    "no inputs": ("greeting", ("inputs",), {}),
    "inputs that are none": ("greeting", ("inputs",), 7),
    "shapes that are none": ("greeting", ("inputs", "two", "shapes"), [["a"]]),
    "a shape that no memory holds": ("greeting", ("inputs", "two", "shapes"), [[1 << 40, 1 << 40]]),
    "a negative shape": ("greeting", ("inputs", "two", "shapes"), [[-4]]),
    "components that no memory holds": ("greeting", ("inputs", "two", "facts"), {"components": 1 << 62}),
    "other components": ("greeting", ("inputs", "two", "facts"), {"components": 5}),
    "components that are none": ("greeting", ("inputs", "two", "facts"), {"components": "4"}),
    "facts that are none": ("greeting", ("inputs", "two", "facts"), [1]),
    "versions that are none": ("greeting", ("versions",), 3),
    "another job": ("job", ("job",), "0" * 64),
    "a pledge that is none": ("job", ("pledge",), [1, 2]),
    "a pledge without a tag": ("job", ("pledge",), {}),
    "a tag that is none": ("job", ("pledge", "tag"), "privis"),
    "images that are none": ("job", ("pledge", "images"), "many"),
    "fewer images than none": ("job", ("pledge", "images"), -5),
    "a print that is none": ("job", ("pledge", "fingerprint"), 12),
    "another record": ("ready", ("pledges",), "0" * 64),
}


@pytest.mark.parametrize("consistent", [False, True])
@pytest.mark.parametrize("what", LIES)
def test_an_owner_that_lies_is_refused_in_words_before_anything_is_charged(joint, homes, what, consistent):
    """Whether or not it keeps to its lie."""
    ending = joint(specified(**released()), lies={"bob": changed(*LIES[what])}, consistent=consistent)
    assert ending.failed and homes.spent("alice") == 0 and not any(ending.received.values()), ending.told
    if consistent:  # it may be the first to notice, and then the others only hear of it
        assert "unexpected" not in ending.told["alice"] + ending.told["carol"]
        return
    honest = ending.told["alice"] + ending.told["carol"]
    assert (ending.failed and "bob" in honest) or "differs" in honest or "components" in honest, ending.told
    assert "unexpected" not in honest and not any(ending.received.values()), ending.told
    assert homes.spent("alice") == 0
    check_told(ending, homes)


@pytest.mark.parametrize("components", [1 << 62, -1, 0, True, "4", None, 4.0])
def test_what_a_single_owner_announces_is_not_believed(joint, homes, components):
    """Nobody else's input contradicts it; no member fails for want of memory."""
    lie = changed("greeting", ("inputs", "two", "facts"), {"components": components})
    job = specified(inputs={"two": {"owner": "bob", "lends": "rows"}})
    ending = joint(job, lies={"bob": lie}, consistent=True)
    assert ending.failed and not any(ending.received.values())
    assert "unexpected" not in ending.told["alice"] + ending.told["carol"], ending.told
    body = {"bob": {"inputs": {"two": {"shapes": [], "facts": {"components": components}}}}}
    with pytest.raises(PrivisError):
        TASKS["statistics"].build(job, agreement.announced(job, body))


@pytest.mark.parametrize("kind", ["greeting", "job"])
def test_an_owner_that_tells_two_members_two_things_is_found_out(joint, homes, kind):
    """Else one noise would serve two totals, or receivers would divide by different counts."""
    path, value = {"greeting": (("inputs", "two", "facts"), {"components": 4, "x": 1})}.get(
        kind, (("pledge", "tag"), "0" * 32)
    )
    ending = joint(specified(**released()), lies={"bob": changed(kind, path, value, to="carol")})
    assert ending.failed and ("pledges at" in ending.all_told or "job at" in ending.all_told), ending.told
    assert homes.spent("alice") == 0 and not any(ending.received.values())


@pytest.mark.parametrize("what", ["other components", "a tag that is none", "another job", "another record"])
def test_of_two_parties_either_may_lie(joint, homes, what):
    """With two parties nobody else is there to compare with."""
    two = {"parties": ["alice", "bob"], "preset": "cheetah", "receivers": {"result": ["alice"]}, **released()}
    kind, path, value = LIES[what]
    path = tuple("one" if part == "two" else part for part in path)
    for liar, honest in (("alice", "bob"), ("bob", "alice")):
        lie = changed(kind, path if liar == "alice" else LIES[what][1], value)
        before = homes.spent(honest)
        ending = joint(specified(**two), lies={liar: lie})
        assert ending.failed and homes.spent(honest) == before and not any(ending.received.values())
        assert ending.told[honest] and "unexpected" not in ending.told[honest]
    assert not joint(specified(**two)).failed


# Pairs ----------------------------------------------------------------------------------------------------------


def test_a_submitter_and_two_members_without_rules_of_their_own_get_nothing_of_the_third(joint, homes):
    """bob and carol agree to anything; what alice lends is still hers to give."""
    anything = Policy((dataclasses.replace(RULE, networks=("net",)),))
    for name in ("bob", "carol"):
        homes.members[name]["policy"] = anything
    strict = dataclasses.replace(RULE, epsilon=1.0, release={"unit": ("dataset",), "clip": (1.0,)})
    homes.members["alice"]["policy"] = Policy((strict,))
    for words in ({}, released(), released(unit="dataset"), released(unit="dataset", epsilon=0.5, colluding=1)):
        ending = joint(specified(**words))
        assert ending.failed and "policy of alice" in ending.all_told and homes.spent("alice") == 0
    assert not joint(specified(**released(unit="dataset", epsilon=0.5))).failed and homes.spent("alice") == 1


def test_two_members_that_replay_what_they_said_cannot_make_noise_repeat(joint, homes):
    """bob and carol send old pledges; alice's rows are others, and so is the noise of every honest party."""
    old = {}

    def keeping(name):
        def lie(kind, hearer, body):
            if kind == "job":
                old.setdefault(name, body["pledge"])
                return {**body, "pledge": old[name]}
            return body

        return lie

    liars = {name: keeping(name) for name in ("bob", "carol")}
    found = []
    for rows in (np.full((3, 4), 0.25), np.full((3, 4), 0.25) + np.eye(3, 4) * 0.01):
        homes.lend("alice", "rows", rows)
        ending = joint(specified(**released()), lies=liars)
        assert not ending.failed, ending.told
        with np.load(max(ending.received["carol"], key=os.path.getmtime)) as arrays:
            found.append(arrays["sum"])
        for path in ending.received["carol"]:
            path.unlink()
            (path.parent / "receipt.json").unlink()
            path.parent.rmdir()
    apart = np.abs(found[0] - found[1])
    assert apart.max() > 0.02, "noise of a scale of tens; were it repeated, only 0.01 of the rows would be left"


def test_a_party_that_claims_anothers_key_is_refused(joint, homes):
    task, job = TASKS["statistics"], specified(**released())
    key = ReleaseKey.load(homes.folder / "alice" / "release.key")
    lent = {name: homes.members[use.owner]["inputs"][use.lends] for name, use in job.inputs.items()}
    announced = {name: task.prepare(job, name, one).announcement for name, one in lent.items()}
    claimed = task.releasing(job).plan(announced).fingerprint(key)
    ending = joint(job, lies={"carol": changed("job", ("pledge", "fingerprint"), claimed)})
    assert ending.failed and homes.spent("alice") == 0 and not any(ending.received.values())

"""What parties read, judge and prove before anything starts; and jobs of several owners, receivers and outsiders."""

import dataclasses
import json

import numpy as np
import pytest

from privis.errors import ParameterError, PartyError
from privis.parties.configuration import load_party
from privis.parties.identity.certificates import AUTHORITY, CERTIFICATE, KEY, load_identity, make_group
from privis.parties.identity.link_proof import LinkProof
from privis.parties.job.policy import Policy, Rule, job_refusals
from privis.parties.job.specification import Specification, Use, load_specification, specification_from
from privis.parties.job.task import Protection
from privis.parties.job.views import views_of
from privis.parties.node.results import stage
from privis.parties.transport.messages import ControlMessage, messages, pieces

JOB = Specification(
    "hogs",
    "extract",
    ("a", "b", "c"),
    {"left": Use("a", "photos"), "right": Use("d", "photos")},
    {"features": ("owner",)},
    {"feature": "hog"},
)
RULE = Rule(("boss",), ("extract",), ("a", "d"), ("photos",), ("hog",))


# Specifications -------------------------------------------------------------------------------------------------


def test_a_specification_survives_the_wire_and_its_digest_is_of_everything():
    again = specification_from(json.loads(json.dumps(JOB.to_dict())), "wire")
    assert again == JOB and again.digest == JOB.digest
    changes = {"task": "x", "parties": ("b", "a", "c"), "options": {}, "preset": "cheetah", "release": {"epsilon": 1}}
    digests = {dataclasses.replace(JOB, **{key: value}).digest for key, value in changes.items()}
    assert len(digests | {JOB.digest}) == 6


def test_receivers_are_per_output_and_owner():
    assert JOB.members == ("a", "b", "c", "d")
    assert JOB.receiving("features", "d") == ("d",)
    everyone = dataclasses.replace(JOB, receivers={"features": ("all",), "count": ("analyst",)})
    assert everyone.receiving("features", "a") == ("a", "b", "c", "analyst", "d")
    assert everyone.receiving("count") == ("analyst",)
    with pytest.raises(ParameterError, match="who receives 'colour'"):
        JOB.receiving("colour", "a")


def test_all_mistakes_of_a_job_file_are_listed_at_once(tmp_path):
    path = tmp_path / "job.toml"
    path.write_text(
        'name = "my job"\nparties = ["a", "a", 3]\ninsecure = "no"\nowner = 1\n[inputs.x]\nowner = "a"\nlend = "p"\n'
    )
    with pytest.raises(ParameterError) as error:
        load_specification(path)
    text = str(error.value)
    for part in ("name: got 'my job'", "task: got nothing", "parties: got", "insecure", "owner: got a key of no"):
        assert part in text
    assert "lends: got nothing" in text and "lend: got a key of no meaning" in text and "receivers: got nobody" in text
    path.write_text("name = ")
    with pytest.raises(ParameterError, match="a TOML file"):
        load_specification(path)


def test_hostile_specifications_are_refused_and_nothing_else():
    for hostile in ({}, {"inputs": 3}, {"inputs": {"../x": {"owner": "a"}}}, {"options": {"a": float("nan")}}):
        with pytest.raises(ParameterError):
            specification_from({"name": "x", "task": "t", "parties": ["a"], **hostile}, "wire")


# Policies -------------------------------------------------------------------------------------------------------


def refusals(rule, me="a", submitter="boss", job=JOB, epsilon=None, delta=1e-6, colluding=2):
    protection = None if epsilon is None else Protection(epsilon, delta, colluding)
    return [str(problem) for problem in Policy((rule,)).refusals(me, submitter, job, protection)[0]]


def test_a_rule_allows_what_it_names():
    assert refusals(RULE) == []
    assert refusals(dataclasses.replace(RULE, features=None, options={"feature": ("hog", "lbp")})) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"submitters": ()}, "submitter: got boss, expected none at all"),
        ({"tasks": ("match",)}, "task: got extract, expected one of match"),
        ({"inputs": ()}, "inputs: got photos, expected none at all"),
        ({"receivers": ("a",)}, "receivers: got d, expected one of a"),
        ({"features": ("lbp",)}, "feature: got hog, expected one of lbp"),
        ({"parties": ("a", "b")}, "compute parties: got c, expected one of a, b"),
        ({"options": {"feature": ("lbp",)}}, "option feature: got 'hog'"),
        ({"options": {"batch": (4,)}}, "option batch: got None"),
        ({"epsilon": 1.0}, "release: got exact results, expected a release with epsilon of at most 1"),
    ],
)
def test_each_part_of_a_rule_refuses(change, reason):
    (found,) = refusals(dataclasses.replace(RULE, **change))
    assert reason in found


def test_every_reason_is_named_at_once_and_no_rule_means_no():
    bare = Rule((), (), ())
    assert len(refusals(bare)) == 4
    assert "no rule" in str(Policy().refusals("a", "boss", JOB, None)[0][0])
    assert len(Policy((bare, dataclasses.replace(RULE, tasks=()))).refusals("a", "boss", JOB, None)[0]) == 1


def test_insecure_protocols_and_large_epsilons_need_permission():
    insecure = dataclasses.replace(JOB, insecure=True, preset="semi2k-insecure")
    assert "insecure" in refusals(RULE, job=insecure)[0]
    assert refusals(dataclasses.replace(RULE, insecure=True), job=insecure) == []
    limited = dataclasses.replace(RULE, epsilon=1.0)
    assert refusals(limited, epsilon=0.5) == [] and "epsilon 2" in refusals(limited, epsilon=2.0)[0]
    assert "delta 0.001, expected at most 1e-05" in refusals(limited, epsilon=0.5, delta=1e-3)[0]
    assert "against 1 colluding" in refusals(limited, epsilon=0.5, colluding=1)[0]
    weaker = dataclasses.replace(limited, delta=0.01, colluding=1)
    assert refusals(weaker, epsilon=0.5, delta=1e-3, colluding=1) == []


def test_a_built_job_may_not_reveal_to_others_than_the_rule_allows():
    from privis.parties.job.task import Announcement
    from tests.parties.processes.party_group import total
    from tests.parties.processes.party_process import Total

    specification = total("hospital", "clinic", receivers=("lab",))
    announced = {name: Announcement(use.owner, ((8,),)) for name, use in specification.inputs.items()}
    job = Total().build(specification, announced)
    allowed = Rule(("boss",), ("total",), ("lab",))
    assert job_refusals((allowed,), "hospital", job) == []
    (beyond,) = job_refusals((dataclasses.replace(allowed, receivers=("clinic",)),), "hospital", job)
    assert "receivers of the built job" in str(beyond)
    exact = dataclasses.replace(allowed, jobs=("0" * 64,))
    assert "job digest" in str(job_refusals((exact,), "hospital", job)[0])
    assert job_refusals((dataclasses.replace(exact, jobs=(job.digest,)),), "hospital", job) == []


# Configurations -------------------------------------------------------------------------------------------------


def test_all_mistakes_of_a_configuration_are_listed_at_once(tmp_path):
    make_group(tmp_path, {"a": "127.0.0.1"})
    path = tmp_path / "a" / "party.toml"
    path.write_text(
        'name = "b"\ncontrol = "nowhere"\noutput = "missing"\n[peers]\nb = "x:99999"\n[inputs.p]\nimages = "none"\n'
        '[[policy]]\ntasks = ["extract"]\nepsilon = -1\njobs = ["x"]\n'
    )
    with pytest.raises(ParameterError) as error:
        load_party(path)
    text = str(error.value)
    for part in ("control: got 'nowhere'", "expected 'a'", "missing: no such folder", "'x:99999'", "none: no such"):
        assert part in text
    for part in ("submitters: got nothing", "receivers: got nothing", "epsilon: got -1", "jobs: got ['x']"):
        assert part in text
    assert "peers: got b itself" in text


def test_a_trial_on_one_machine_says_for_its_owners_what_the_job_says(tmp_path):
    from privis.parties.node.local import LocalGroup, local_data_at, local_data_words, network_words

    uses = {name: Use("a", name) for name in ("x", "y")}
    options = {"label": "kind", "feature": "cnn", "parameters": ["network=net"]}
    release = {"unit": "person:2", "subject": "patient", "disjoint": True}
    job = Specification("j", "statistics", ("a", "b", "c"), uses, {"result": ("a",)}, options, release=release)
    for name in ("x", "y", "net"):
        (tmp_path / f"{name}.npz").write_bytes(name.encode())
    words = [f"a.x={tmp_path / 'x.npz'}", f"a.y={tmp_path / 'y.npz'}"]
    with pytest.raises(ParameterError, match="as x and y of a"):
        local_data_words(job, [words[0], words[0].replace("a.x", "a.y")])
    for wrong in ([], [f"other={tmp_path / 'x.npz'}"], [f"net={tmp_path / 'none'}"]):
        with pytest.raises(ParameterError, match="--network"):
            network_words(job, wrong)
    networks = network_words(job, [f"net={tmp_path / 'net.npz'}"])
    group = LocalGroup(
        tmp_path / "group", job, local_data_words(job, words), tmp_path / "out", Protection(1.0, 1e-6, 2), networks
    )
    loaded = load_party(tmp_path / "group" / "a" / "party.toml")
    lent = loaded.inputs["x"]
    assert (lent.subject, lent.disjoint, lent.labels) == ("patient", True, ("kind",)) and group.processes == {}
    assert dataclasses.replace(lent, ledger=None) == local_data_at(job, "x", tmp_path / "x.npz")
    assert loaded.policy.word_refusals("a", "local-submitter", job) == [] and set(loaded.networks) == {"net"}


# Messages -------------------------------------------------------------------------------------------------------


def test_messages_come_back_in_one_piece_whatever_their_size():
    sent = [
        ControlMessage("share", {"name": "x"}, bytes(range(256)) * 9000),
        ControlMessage("bye"),
        ControlMessage("m", {"a": [1]}, b"z"),
    ]
    heard = list(messages(piece for message in sent for piece in pieces(message)))
    assert [(m.kind, m.body, m.blob) for m in heard] == [(m.kind, m.body, m.blob) for m in sent]
    assert "share" in repr(ControlMessage("share")) or "object" in repr(ControlMessage("share"))
    assert b"secret".hex() not in repr(ControlMessage("share", {}, b"secret")) and "secret" not in repr(
        ControlMessage("share", {}, b"secret")
    )


@pytest.mark.parametrize(
    "stream",
    [
        [b"nonsense"],
        [b'{"kind": "x"}'],
        [b'{"kind": "x", "body": {}, "size": 5}', b"abc"],
        [b'{"kind":"x","body":{},"size":-1}'],
    ],
)
def test_broken_messages_are_refused(stream):
    with pytest.raises(PartyError):
        list(messages(stream))


# In-band identity -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def identities(tmp_path_factory):
    folder = tmp_path_factory.mktemp("identities")
    make_group(folder, dict.fromkeys("abc"))
    return {name: load_identity(*(folder / name / file for file in (CERTIFICATE, KEY, AUTHORITY))) for name in "abc"}


def proved(identities, wiring, jobs=None):
    """Run the proof of all three over a link in which ``wiring[sender][rank]`` is who really gets the message."""
    import threading

    names = tuple(identities)
    certificates = {name: one.certificate for name, one in identities.items()}
    barrier, boxes = threading.Barrier(3), [[b""] * 3 for _ in names]
    outcomes = {}

    def exchange(sender):
        def call(outgoing):
            for rank, blob in enumerate(outgoing):
                boxes[wiring[sender][rank]][sender] = blob
            barrier.wait(5)
            received = list(boxes[sender])
            barrier.wait(5)
            return received

        return call

    def prove(rank, name):
        job = (jobs or {}).get(name, "digest")
        proof = LinkProof(job, "session", names, certificates, tuple(f"at-{n}" for n in names))
        try:
            proof.run(identities[name], exchange(rank))
            outcomes[name] = ""
        except PartyError as error:
            outcomes[name] = str(error)

    threads = [threading.Thread(target=prove, args=pair) for pair in enumerate(names)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    return outcomes


STRAIGHT = [[0, 1, 2]] * 3


def test_parties_that_are_wired_right_prove_it(identities):
    assert proved(identities, STRAIGHT) == {"a": "", "b": "", "c": ""}


def test_mixed_up_addresses_are_named_with_who_was_met(identities):
    """a's addresses of b and c are swapped: only the proof can tell, the link itself connects."""
    found = proved(identities, [[0, 2, 1], [0, 1, 2], [0, 1, 2]])
    assert "got b at at-c, which is used for c" in found["a"] and "got c at at-b, which is used for b" in found["a"]
    assert "mixed up at a" in found["b"] and "mixed up at a" in found["c"]


def test_a_proof_is_of_one_job(identities):
    found = proved(identities, STRAIGHT, {"b": "another"})
    assert all("a proof that does not hold" in text for text in found.values())


def test_a_proof_is_of_one_session_pair_and_direction(identities):
    """A signature made for one peer, rank, direction, session or nonce is worth nothing for another."""
    certificates = {name: one.certificate for name, one in identities.items()}
    proof = LinkProof("job", "session", ("a", "b", "c"), certificates, ("", "", ""))
    changed = [
        proof.statement(0, 2, b"n"),
        proof.statement(1, 0, b"n"),
        proof.statement(0, 1, b"m"),
        dataclasses.replace(proof, session="later").statement(0, 1, b"n"),
        dataclasses.replace(proof, parties=("a", "c", "b")).statement(0, 1, b"n"),
        dataclasses.replace(proof, parties=("c", "a", "b")).statement(1, 2, b"n"),
    ]
    assert len({proof.statement(0, 1, b"n"), *changed}) == 7


def test_a_key_of_another_member_proves_nothing(identities):
    swapped = {
        "a": identities["a"],
        "b": dataclasses.replace(identities["b"], private_key=identities["c"].private_key),
        "c": identities["c"],
    }
    found = proved(swapped, STRAIGHT)
    assert "b, of rank 1" in found["a"] and "b, of rank 1" in found["c"]


# Results --------------------------------------------------------------------------------------------------------


def test_results_appear_whole_or_not_at_all(tmp_path):
    from privis.io.tables import Table, read

    table = Table(("x",), np.ones((1, 2), np.float32), ("p", "q"), {})
    staged = stage({"features": table, "model": {"w": np.eye(2)}}, {"format": "r"}, tmp_path, "job")
    assert not (tmp_path / "job").exists()
    place = staged.commit()
    assert read(place / "features.parquet").metadata == {"privis.receipt": '{"format": "r"}'}
    assert np.load(place / "model.npz")["w"].tolist() == [[1, 0], [0, 1]]
    stage({"features": table}, {}, tmp_path, "again").discard()
    broken = Table(("x", "y"), np.ones((1, 2), np.float32), ("p", "q"), {})
    with pytest.raises(ParameterError):
        stage({"features": table, "worse": broken}, {}, tmp_path, "broken")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["job"]


def test_what_each_side_sees_is_said_in_words():
    lines = views_of(JOB)
    assert "one of three corrupt" in lines[0]
    assert lines[2] == (
        "a lends photos, which nobody else sees; computes as rank 0 on shares that say nothing by themselves; "
        "receives features of a."
    )
    assert lines[3].endswith("receives nothing.") and "d lends photos" in lines[5]

"""Three real processes, and everything that can go wrong: an error on every survivor, and soon.

After every fault: no result in any folder, no process left, and (where nobody was killed) the members take a next job.

Answers for `privis.parties.node.data_address`, `privis.parties.node.roles` and `privis.parties.node.standby_worker`.
"""

import os
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from privis.io.tables import read
from privis.parties.configuration import load_submitter
from privis.parties.job.specification import Specification, Use
from privis.parties.node.events import event_from
from privis.parties.transport.messages import ControlMessage, messages, pieces
from privis.parties.transport.peer_stream import SERVICE, SUBMIT, reach
from tests.parties.processes.party_group import (
    LIMIT,
    LONG,
    MEMBERS,
    PARTIES,
    POLICY,
    Group,
    Variant,
    alive,
    total,
    until,
)

pytest.importorskip("spu")


@pytest.fixture(scope="module")
def whole_group(tmp_path_factory):
    group = Group(tmp_path_factory.mktemp("group"))
    photos = group.folder / "hospital" / "photos"
    photos.mkdir()
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(photos / "good.png")
    (photos / "bad-name-of-a-person.png").write_bytes(b"no picture")
    yield group
    for name in list(group.processes):
        group.stop(name)


@pytest.fixture()
def group(whole_group):
    yield whole_group
    assert whole_group.received() == [], "a job that failed left something behind"
    for name in list(whole_group.processes):
        if whole_group.processes[name].poll() is None:
            until(lambda n=name: len(whole_group.children(n)) <= 1, f"{name} to end its protocol process", LIMIT)


def test_owners_outsiders_and_receivers(whole_group):
    """Numbers of a party and of an outsider, for a party and for an outsider; the third sees neither."""
    whole_group.ensure(*MEMBERS)
    facts = whole_group.submission(total("hospital", "patient", receivers=("lab", "analyst"))).success()
    assert {member: fact["received"] for member, fact in facts.items()} == {
        "hospital": [], "clinic": [], "lab": ["sum"], "patient": [], "analyst": ["sum"],
    }  # fmt: skip
    found = whole_group.received()
    assert {path.parents[1].name for path in found} == {"lab", "analyst"}
    for path in found:
        table = read(path / "sum.parquet")
        assert table.features.tolist() == [[30 + 2 * i for i in range(8)]]
        assert "at most one of three corrupt" in table.metadata["privis.receipt"]
    whole_group.clear()


# Who is who -----------------------------------------------------------------------------------------------------


def test_a_valid_certificate_of_another_member(group):
    group.ensure("hospital", "lab", clinic=Variant(keys="impostor", name="impostor"))
    expected = "got a certificate of impostor, expected one of clinic"
    job = group.submission(total())
    assert expected in job.failure()
    for survivor in ("hospital", "lab"):
        assert expected in group.failures(survivor)


def test_a_certificate_of_another_authority(group):
    group.ensure("hospital", "lab", clinic=Variant(keys="other/clinic"))
    job = group.submission(total())
    expected = "a certificate that is not to be trusted"
    assert expected in job.failure() and "clinic at" in job.failure()
    for survivor in ("hospital", "lab"):
        assert expected in group.failures(survivor)


def test_data_addresses_that_are_mixed_up(group):
    """TLS lets all of them in; the link may even connect, and then only the proof inside it can tell."""
    routes = f'[routes]\nclinic = "{group.data["lab"]}"\nlab = "{group.data["clinic"]}"'
    group.ensure("clinic", "lab", hospital=Variant(routes=routes))
    job = group.submission(total())
    for text in (job.failure(), *(group.failures(member) for member in PARTIES)):
        assert "data link of" in text
    text = group.failures("hospital")
    wrong = f"clinic at {group.data['lab']} (it announces {group.data['clinic']})"
    assert "are mixed up here" in text or wrong in text


def test_strangers_and_what_no_policy_allows(group):
    """All reasons at once, from all members; nothing was read."""
    group.ensure(clinic=Variant(policy=POLICY.replace('"total", ', "").replace('"numbers", ', "")))
    job = group.submission(total())
    text = job.failure()
    assert "policy of clinic: task: got total, expected what its policy allows" in text
    assert "policy of clinic: inputs: got numbers" in text
    for member in PARTIES:
        assert "policy of clinic: task" in group.failures(member)
        assert ("expected one of extract" in group.failures(member)) == (member == "clinic"), "its rules are its own"
    group.ensure()
    stranger = group.submission(total(), by="stranger")
    assert "policy of hospital: submitter: got stranger, expected one that its policy names" in stranger.failure()


def test_a_member_that_refuses_before_it_reaches_the_others(group):
    """It hangs up without a stream of its own to tell them why, so they ask."""
    group.ensure(clinic=Variant(policy=POLICY.replace('"total", ', ""), arguments=("--dial-after", "6")))
    text = group.submission(total()).failure()
    assert "policy of clinic: task: got total" in text
    for member in PARTIES:
        assert "policy of clinic: task" in group.failures(member)
        assert "ended in the middle" not in group.failures(member)


def test_a_submitter_that_sends_nonsense(group):
    """Session names become file names, so they are checked; the member stays and takes the next job."""
    group.ensure()
    boss = load_submitter(group.folder / "boss" / "submitter.toml").identity
    good = {"session": "0" * 32, "wait": 5.0, "specification": total().to_dict()}
    for change, reason in (
        ({"session": "../../../etc"}, "expected 32 hexadecimal digits"),
        ({"wait": -1}, "wait: got -1"),
        ({"specification": "no"}, "specification: got 'no'"),
        ({"specification": {**total().to_dict(), "task": "identity"}}, "task at lab: got 'identity', expected one of"),
    ):
        channel = reach("lab", group.control["lab"], boss, 5.0, lambda: False)
        sent = pieces(ControlMessage("submit", {**good, **change}))
        (heard,) = messages(channel.stream_stream(f"/{SERVICE}/{SUBMIT}")(sent, timeout=5.0))
        channel.close()
        assert heard.kind == "failed" and reason in str(event_from("lab", heard.kind, heard.body).problems[0])


# What is agreed -------------------------------------------------------------------------------------------------


def test_another_job_and_another_version(group):
    group.ensure("hospital", "lab", clinic=Variant(arguments=("--bias", "1")))
    text = group.submission(total()).failure()
    assert "job at clinic" in text and "differs in programs" in text
    for member in PARTIES:
        assert "differs in programs" in group.failures(member)
    group.ensure("hospital", "lab", clinic=Variant(arguments=("--version", "9.9")))
    assert "privis at clinic: got 9.9" in group.submission(total()).failure()
    for member in ("hospital", "lab"):
        assert "privis at clinic: got 9.9" in group.failures(member)


def test_a_picture_that_does_not_decode_is_named_to_its_owner_alone(group):
    group.ensure()
    uses = {"left": Use("hospital", "photos")}
    options = {"feature": "lbp"}
    job = group.submission(Specification("f", "extract", PARTIES, uses, {"features": ("owner",)}, options))
    text = job.failure()
    assert "input left of hospital: got something that does not fit" in text and "bad-name" not in text
    assert "bad-name-of-a-person.png: got bytes of no known image format" in group.failures("hospital")
    for member in ("clinic", "lab"):
        assert "input left of hospital" in group.failures(member) and "bad-name" not in group.said(member)


def test_a_receiver_that_cannot_write_leaves_no_other_with_results(group):
    """Both receivers have their values; one has no place for them."""
    group.ensure()
    results = group.folder / "lab" / "results"
    results.rmdir()
    try:
        text = group.submission(total(receivers=("hospital", "lab"))).failure(30)
        assert "results of lab: got an error while they were written" in text and str(group.folder) not in text
        assert f"{results}" in group.failures("lab") and "results of lab" in group.failures("hospital")
    finally:
        results.mkdir()


# Who is there ---------------------------------------------------------------------------------------------------


def test_a_party_that_never_starts(group):
    group.ensure("hospital", "lab")
    group.stop("clinic")
    job = group.submission(total(), wait=3.0)
    assert "no answer within 3 s" in job.failure() and "start it there with privis party" in job.failure()
    for survivor in ("hospital", "lab"):
        assert "clinic at" in group.failures(survivor)


def test_a_party_that_is_late_and_a_member_that_is_busy(whole_group):
    group = whole_group
    group.ensure("hospital", "lab")
    group.stop("clinic")
    job = group.submission(total())
    until(lambda: "waiting for the other" in group.said("hospital"), "hospital to wait", LIMIT)
    assert "a member with a job under way" in group.submission(total(parties=("hospital", "lab", "patient"))).failure(
        40
    )
    group.start("clinic")
    assert job.success()["hospital"]["received"] == ["sum"]
    group.clear()


def test_ports_that_are_taken(group):
    group.ensure()
    second = [sys.executable, "-m", "tests.parties.processes.party_process", str(group.folder / "lab" / "party.toml")]
    done = subprocess.run(second, capture_output=True, text=True, timeout=30)
    assert done.returncode != 0 and "an address that cannot be bound" in done.stderr
    host, port = group.data["clinic"].split(":")
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((host, int(port)))
        other.listen()
        text = group.submission(total()).failure()
    assert f"data link of clinic at {group.data['clinic']}: got address already in use" in text
    for member in PARTIES:
        assert "address already in use" in group.failures(member)


# Who stays ------------------------------------------------------------------------------------------------------


def test_a_protocol_process_that_is_killed(group):
    group.ensure()
    job = group.submission(total(**LONG))
    job.running()
    (child,) = group.children("clinic")
    os.kill(child, signal.SIGKILL)
    assert "clinic" in job.failure() and "SIGKILL" in job.failure()
    for member in PARTIES:
        assert "party clinic, run: got its protocol process was ended by SIGKILL" in group.failures(member)


def test_a_party_that_is_killed(group):
    group.ensure()
    job = group.submission(total(**LONG))
    job.running()
    (child,) = group.children("clinic")
    group.processes["clinic"].kill()
    assert "clinic: got a connection that ended in the middle of the job" in job.failure()
    for survivor in ("hospital", "lab"):
        assert "clinic: got a connection that ended in the middle of the job" in group.failures(survivor)
    until(lambda: not alive(child), "the killed party's protocol process to end", LIMIT)


def test_a_party_that_freezes(group):
    """Its connections stay open; only the keep-alive notices."""
    group.ensure()
    job = group.submission(total(**LONG))
    job.running()
    frozen = group.processes.pop("clinic")
    frozen.send_signal(signal.SIGSTOP)
    try:
        for survivor in ("hospital", "lab"):
            assert "clinic: got silence" in group.failures(survivor)
        assert "clinic: got silence" in job.failure()
    finally:
        frozen.kill()
        frozen.wait()


KNOWS_TOTAL = """
from privis.cli import joint
from privis.cli.main import main
from tests.parties.processes.party_process import Total

joint.TASKS["total"] = Total(0)
main()
"""
"""The command of a submitter, with the task that the members of these tests know."""


@pytest.mark.parametrize(("number", "reason"), [(signal.SIGKILL, "ended"), (signal.SIGINT, "interrupts the job")])
def test_a_submitter_that_is_killed_or_interrupted(group, tmp_path, number, reason):
    group.ensure()
    text = 'name = "sums"\ntask = "total"\nparties = ["hospital", "clinic", "lab"]\noptions = {rounds = 20000}\n'
    text += '[inputs]\nx = {owner = "hospital", lends = "numbers"}\n[receivers]\nsum = ["lab"]\n'
    (tmp_path / "job.toml").write_text(text)
    words = ["mpc", "run", str(tmp_path / "job.toml"), "--as", str(group.folder / "boss" / "submitter.toml")]
    command = [sys.executable, "-c", KNOWS_TOTAL, *words]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until(lambda: "0 of 2000" in group.said("lab"), f"the job to run: {group.said('lab')}", 30)
    process.send_signal(number)
    _, said = process.communicate(timeout=LIMIT)
    assert process.returncode == (130 if number == signal.SIGINT else -number), said
    for member in PARTIES:
        failed = group.failures(member)
        assert "submitter boss" in failed and reason in failed


def test_a_member_that_its_operator_stops(group):
    group.ensure()
    job = group.submission(total(**LONG))
    job.running()
    group.stop("lab")
    assert "lab: got a member that its operator stops" in job.failure()
    for survivor in ("hospital", "clinic"):
        assert "lab: got a member that its operator stops" in group.failures(survivor)

"""The files for running a party on a real machine say what the program understands."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "secure-multi-party.md"
DEPLOY = ROOT / "docs" / "deploy"
SHAPES = {"left": ((64, 32),), "right": ((64, 32),)}


def tables(section: int = 10) -> list[str]:
    """The TOML files of a section of the page; of the tenth, party.toml and job.toml."""
    text = PAGE.read_text(encoding="utf-8").split(f"\n## {section}.")[1].split("\n## ")[0]
    return re.findall(r"```toml\n(.*?)```", text, re.S)


def parse_party(words: list[str]) -> dict[str, object]:
    """The parameters of ``privis party`` from its words; click ends the test when it does not know one."""
    from typer.main import get_command

    from privis.cli.main import app

    command = get_command(app).commands["party"]
    return command.make_context("party", words).params


def test_the_service_starts_a_party_and_keeps_it_apart():
    lines = (DEPLOY / "privis-party.service").read_text().splitlines()
    settings = [line.split("=", 1) for line in lines if "=" in line and not line.startswith("#")]
    values = {key: [value for name, value in settings if name == key] for key, _ in settings}
    for key in ("ExecStartPre", "ExecStart"):
        program, name, *words = shlex.split(values[key][0])
        assert (program, name) == ("/opt/privis/bin/privis", "party")
        assert parse_party(words)["check"] == (key == "ExecStartPre")
    expected = {
        **{"User": "privis", "KillMode": "mixed", "ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes"},
        **{"NoNewPrivileges": "yes", "CapabilityBoundingSet": "", "LimitCORE": "0", "MemorySwapMax": "0"},
    }
    assert {key: values[key] for key in expected} == {key: [value] for key, value in expected.items()}
    assert "MemoryDenyWriteExecute" not in values  # kernels are compiled when they are first used


def test_the_server_unit_starts_a_server_and_keeps_it_apart():
    from typer.main import get_command

    from privis.cli.main import app
    from privis.cli.server.serve import address_of
    from privis.serve.limits import limits_of

    text = (DEPLOY / "privis-server.service").read_text().replace("\\\n", " ")
    values = dict(line.split("=", 1) for line in text.splitlines() if "=" in line and not line.startswith("#"))
    program, name, *words = shlex.split(values["ExecStart"])
    assert (program, name) == ("/opt/privis/bin/privis", "serve")
    found = get_command(app).commands["serve"].make_context("serve", words).params
    assert found["tls_cert"] and found["tls_key"] and address_of(found["listen"]) == ("0.0.0.0", 8443)
    assert str(found["state"]).startswith("/var/lib/privis/") and values["StateDirectory"] == "privis"
    limits = limits_of(found["limit"])
    assert limits.memory < int(values["MemoryMax"].removesuffix("G")) * 2**30
    assert limits.grace_seconds < int(values["TimeoutStopSec"])
    expected = {
        **{"User": "privis", "KillMode": "mixed", "ProtectSystem": "strict", "ProtectHome": "yes", "PrivateTmp": "yes"},
        **{"NoNewPrivileges": "yes", "CapabilityBoundingSet": "", "LimitCORE": "0"},
    }
    assert {key: values[key] for key in expected} == expected


def test_the_container_starts_a_party():
    text = (DEPLOY / "Containerfile").read_text()
    words = {key: re.search(rf"^{key} \[(.*)\]$", text, re.M) for key in ("ENTRYPOINT", "CMD")}
    entry, command = ([shlex.split(word.strip(", "))[0] for word in words[key][1].split(",")] for key in words)
    assert entry == ["privis", "party"]
    assert parse_party(command)["config"] == Path("/etc/privis/party.toml")
    assert "USER privis" in text and "libgomp1" in text


def test_three_machines_name_the_members_of_the_page():
    text = (DEPLOY / "three-machines.yaml").read_text()
    members = tomllib.loads(tables()[1])["parties"]
    assert re.findall(r"^  (\w+):(?:  #.*)?\n    <<: \*party", text, re.M) == members
    assert [f"./{name}:/etc/privis:ro" in text for name in members] == [True] * 3


def test_the_release_of_the_page_is_one_that_its_rules_allow():
    from privis.cli.joint.job_checks import protection_of
    from privis.parties.job.policy import Policy, Rule
    from privis.parties.job.specification import specification_from

    job = specification_from(tomllib.loads(tables(8)[0]), "job.toml")
    rule = Rule(("analyst",), ("statistics",), ("alice", "bob"), ("vectors",), epsilon=1.0)
    assert not Policy((rule,)).refusals("alice", "analyst", job, protection_of(job))[0]


@pytest.fixture
def alice(tmp_path):
    """Her configuration as keygen made it, with what the page adds."""
    from privis.parties.configuration import load_party
    from privis.parties.identity.certificates import make_group
    from privis.parties.node.templates import write_templates

    members = {name: f"{name}.example.org:9440" for name in ("alice", "bob", "carol")}
    make_group(tmp_path, {**dict.fromkeys(members), "analyst": None})
    write_templates(tmp_path, members, {}, ["analyst"])
    place = tmp_path / "alice" / "party.toml"
    started = tomllib.loads(place.read_text())
    text = tables()[0]
    assert started.items() <= tomllib.loads(text).items()  # keygen writes what the page shows
    (tmp_path / "alice" / "scans").mkdir()
    place.write_text(text)
    return load_party(place)


def test_the_job_of_the_page_is_one_that_alice_agrees_to(alice):
    pytest.importorskip("spu")
    from privis.cli.joint import TASKS
    from privis.parties.job.policy import job_refusals
    from privis.parties.job.specification import specification_from
    from privis.parties.job.task import Announcement
    from privis.run.mpc.job import Reveal

    specification = specification_from(tomllib.loads(tables()[1]), "job.toml")
    problems, rules = alice.policy.refusals("alice", "analyst", specification, None)
    assert not problems and rules
    owners = {name: use.owner for name, use in specification.inputs.items()}
    said = {name: Announcement(owner, SHAPES[name]) for name, owner in owners.items()}
    job = TASKS["extract"].build(specification, said)
    assert not job_refusals(rules, "alice", job)
    assert {name for step in job.instructions if isinstance(step, Reveal) for name in step.receivers} == {"alice"}
    assert alice.policy.refusals("alice", "somebody", specification, None)[0]

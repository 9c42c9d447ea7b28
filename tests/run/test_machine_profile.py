"""The measured speeds of a machine: one file, a section for each mechanism, read by every prediction.

Answers for `privis.run.machine_profile`, `privis.run.machine_measurements` and calibration in `privis.cli.doctor`.
"""

import dataclasses
import json

import numpy as np
import pytest

from privis.choose.cost.command_timings import CommandTimings
from privis.cli import doctor
from privis.errors import OutputError
from privis.extras import Extra
from privis.program import Input, ops, trace
from privis.run import machine_measurements
from privis.run.he.compiler.circuit_cost import CKKSTimings
from privis.run.he.executor import CKKS
from privis.run.he.matching.matching_cost import MatchingTimings
from privis.run.he.matching.matching_specification import MatchingSpec
from privis.run.he.paillier_executor import Paillier, PaillierTimings
from privis.run.machine_measurements import homomorphic_measurements, party_measurements
from privis.run.machine_profile import MachineProfile, profile_file
from privis.run.mpc.cost.predict import MPCTimings
from privis.run.mpc.executor import MPC
from privis.run.mpc.protocols import ABY3, CHEETAH
from privis.serve.offerings.gallery_offerings import OfferGallery

LINEAR = trace(lambda x: x.reshape(1, 6, 6) >> ops.Conv(np.ones((1, 1, 3, 3))), Input((6, 6)))


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def slower(timings, by=1000.0):
    changed = {f.name: by * getattr(timings, f.name) for f in dataclasses.fields(timings) if f.name != "bits"}
    return dataclasses.replace(timings, **changed)


def test_every_section_is_kept_in_one_file_and_found_again(cache):
    assert MachineProfile.of_this_machine() == MachineProfile() and not profile_file().exists()
    for one in (*homomorphic_measurements(), *party_measurements()):
        assert not MachineProfile.of_this_machine().has(one.section, one.default)
        assert MachineProfile.of_this_machine().section(one.section, one.default) is one.default
        changed = slower(one.default)
        assert MachineProfile.of_this_machine().with_section(one.section, changed).save() == profile_file()
        assert MachineProfile.of_this_machine().section(one.section, one.default) == changed
        assert one.headline(changed)
    assert [path.name for path in (cache / "privis").iterdir()] == ["machine.json"]
    document = json.loads(profile_file().read_text())
    assert document["format"] == "privis.machine/1"
    assert [*document["sections"]] == ["ckks", "matching", "mpc aby3", "mpc cheetah", "paillier"]
    assert isinstance(PaillierTimings.of_this_machine().bits, int)


def test_every_prediction_reads_its_section(cache):
    def seconds():
        gallery = OfferGallery("faces", "", ("a",), np.ones((1, 24)))()
        return [
            CKKS().cost(LINEAR).seconds,
            Paillier().cost(LINEAR).seconds,
            MPC("aby3").cost(LINEAR).seconds,
            MPC("cheetah").cost(LINEAR).seconds,
            gallery.terms.estimate.seconds,
        ]

    before = seconds()
    sections = (("ckks", CKKSTimings()), ("paillier", PaillierTimings()), ("mpc aby3", MPCTimings()))
    for number, (name, timings) in enumerate(
        (*sections, ("mpc cheetah", MPCTimings()), ("matching", MatchingTimings()))
    ):
        MachineProfile.of_this_machine().with_section(name, slower(timings)).save()
        after = seconds()
        assert after[number] > 100 * before[number], name
        assert after[number + 1 :] == before[number + 1 :], name
    assert Paillier(machine=PaillierTimings()).cost(LINEAR).seconds == before[1], "a caller's own timings come first"


def test_the_former_file_of_ckks_is_read_until_ckks_is_measured_anew(cache):
    former = CKKSTimings(encode=1.0)
    (cache / "privis").mkdir()
    (cache / "privis" / "ckks.json").write_text(json.dumps(dataclasses.asdict(former)))
    assert CKKSTimings.of_this_machine() == former and MatchingTimings.of_this_machine() == MatchingTimings()
    MachineProfile.of_this_machine().with_section("matching", MatchingTimings(turn=1.0)).save()
    assert CKKSTimings.of_this_machine() == former and MatchingTimings.of_this_machine().turn == 1.0
    MachineProfile().with_section("matching", MatchingTimings(turn=1.0)).save()
    assert CKKSTimings.of_this_machine() == former, "a file without the section does not hide the former one"
    MachineProfile.of_this_machine().with_section("ckks", CKKSTimings(encode=2.0)).save()
    assert CKKSTimings.of_this_machine().encode == 2.0
    profile_file().unlink()
    (cache / "privis" / "ckks.json").write_text(json.dumps({"encode": "often"}))
    assert CKKSTimings.of_this_machine() == CKKSTimings()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "nothing",
        '{"format": "privis.machine/2", "sections": {}}',
        '{"format": "privis.machine/1"}',
        "[" * 10**5,
    ],
)
def test_a_file_that_is_none_counts_as_empty_and_doctor_says_what_to_do(cache, text):
    MachineProfile().save()
    profile_file().write_text(text)
    profile = MachineProfile.of_this_machine()
    assert profile.sections == {} and CKKSTimings.of_this_machine() == CKKSTimings()
    (problem,) = profile.problems
    assert str(profile_file()) in str(problem) and "privis doctor --calibrate" in str(problem)
    (finding, *_) = doctor._profile()
    assert "privis doctor --calibrate" in finding.advice and str(profile_file()) in finding.found


def test_bytes_that_are_no_text_and_a_folder_count_as_empty(cache):
    MachineProfile().save()
    profile_file().write_bytes(b"\xff\xfe")
    assert len(MachineProfile.of_this_machine().problems) == 1
    profile_file().unlink()
    profile_file().mkdir()
    assert len(MachineProfile.of_this_machine().problems) == 1
    with pytest.raises(OutputError, match=r"machine\.json"):
        MachineProfile().save()
    assert [path.name for path in (cache / "privis").iterdir()] == ["machine.json"], "nothing is left behind"


@pytest.mark.parametrize("value", ["often", None, True, -1.0, float("nan"), float("inf"), 10**400, [1.0]])
def test_a_section_with_anything_but_finite_numbers_counts_as_not_measured(cache, value):
    good = MatchingTimings(turn=1.0)
    MachineProfile().with_section("ckks", CKKSTimings(add=1.0)).with_section("matching", good).save()
    document = json.loads(profile_file().read_text())
    document["sections"]["ckks"]["add"] = value
    profile_file().write_text(json.dumps(document))
    assert CKKSTimings.of_this_machine() == CKKSTimings() and MatchingTimings.of_this_machine() == good
    (problem,) = MachineProfile.of_this_machine().problems
    assert "'ckks'" in problem.got


def test_a_section_with_other_fields_counts_as_not_measured_and_unknown_sections_are_kept(cache):
    fewer = {key: 1.0 for key in list(dataclasses.asdict(CKKSTimings()))[1:]}
    sections = {"ckks": fewer, "paillier": {**dataclasses.asdict(PaillierTimings()), "bits": 0}, "quantum": {"gate": 1}}
    MachineProfile(sections).save()
    assert CKKSTimings.of_this_machine() == CKKSTimings() and PaillierTimings.of_this_machine() == PaillierTimings()
    MachineProfile.of_this_machine().with_section("ckks", CKKSTimings()).save()
    kept = MachineProfile.of_this_machine()
    assert kept.sections["quantum"] == {"gate": 1} and kept.has("ckks", CKKSTimings())


def test_doctor_measures_one_section_after_another_and_keeps_what_an_interruption_leaves(cache, monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    first, second, third = homomorphic_measurements()
    tried = [dataclasses.replace(one, measure=lambda one=one: slower(one.default)) for one in (first, second)]
    tried.append(dataclasses.replace(third, measure=interrupted))
    monkeypatch.setattr(machine_measurements, "homomorphic_measurements", lambda: tuple(tried))
    monkeypatch.setattr(machine_measurements, "party_measurements", lambda: ())
    monkeypatch.setattr(CommandTimings, "measure", lambda: CommandTimings(2.0))
    said = []
    measuring = doctor.calibration(said.append)
    checks = [next(measuring).check for _ in range(3)]
    assert checks == ["the command's start", "CKKS", "encrypted matching"]
    with pytest.raises(KeyboardInterrupt):
        next(measuring)
    assert said[1:] == [f"measuring {one.subject} ({number} of 4)" for number, one in enumerate(tried, 2)]
    kept = MachineProfile.of_this_machine()
    assert [kept.has(one.section, one.default) for one in tried] == [True, True, False]
    advised = {finding.check: finding.advice for finding in doctor._profile()}
    assert advised["speed of CKKS"] == "" and "--calibrate" in advised["speed of Paillier"]


def test_without_an_extra_the_others_are_measured(cache, monkeypatch):
    monkeypatch.setattr(Extra, "missing", lambda extra: ["tenseal"] if extra.name == "he" else [])
    monkeypatch.setattr(machine_measurements, "party_measurements", lambda: ())
    monkeypatch.setattr(CommandTimings, "measure", lambda: CommandTimings(2.0))
    finding, start, _ = doctor.calibration(lambda step: None)
    assert finding.check == "extra he" and "privis[he]" in finding.advice
    assert start.found.startswith("2.00 s for one small image")


def test_matching_and_paillier_are_measured_in_little_time():
    _, matching, paillier = homomorphic_measurements()
    for one in (matching, paillier):
        found = one.measure()
        assert type(found) is type(one.default) and all(value > 0 for value in dataclasses.astuple(found))
    assert [one.section for one in party_measurements()] == [f"mpc {preset.name}" for preset in (ABY3, CHEETAH)]
    assert MatchingSpec(machine_measurements.GALLERY_DIMENSION).dimension == 512

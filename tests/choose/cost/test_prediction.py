"""``privis.choose.cost``: prior_cost, prediction, cost_probes, probe_process, energy_counter and peak_memory."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from privis.choose.cost.cost_probes import CostProbe, CostProbes, ProbedCost, code_state
from privis.choose.cost.energy_counter import EnergyCounter
from privis.choose.cost.made_up_image import made_up_file
from privis.choose.cost.peak_memory import peak_of_children, peak_of_this_process
from privis.choose.cost.prediction import predict_cost
from privis.choose.cost.prior_cost import START, prior_cost
from privis.choose.cost.probe_process import measured
from privis.errors import ImageError, ParameterError, UnsupportedError
from privis.features.colour import ColourHistogram
from privis.features.feature import core_shape
from privis.features.lbp import LBP
from privis.io.images.decode import load
from privis.privacy import FeatureRelease, Laplace
from privis.run.clear import Clear
from privis.run.he.executor import CKKS
from privis.run.machine_profile import MachineProfile
from privis.run.mpc.cost.predict import NetworkProfile
from privis.run.program_cache import ProgramCache

SHAPE = (48, 64)


def none_new(folder: Path) -> CostProbes:
    return CostProbes(0.0, ProgramCache(folder))


def with_known(folder: Path, probe: CostProbe, found: ProbedCost) -> CostProbes:
    probes = none_new(folder)
    assert probes.cache.store(probe.key(), [found.to_json().encode()])
    return probes


def test_without_a_probe_counts_are_what_is_left(tmp_path: Path) -> None:
    few = predict_cost(LBP(), Clear(), SHAPE, 1, workers=1, probes=none_new(tmp_path))
    many = predict_cost(LBP(), Clear(), SHAPE, 10_001, workers=1, probes=none_new(tmp_path))
    assert few.seconds == pytest.approx(START, rel=0.01)
    assert many.seconds > few.seconds + 1
    assert (few.sent, few.rounds, few.joules) == (0, 0, None)
    assert "none was timed" in few.basis


def test_a_known_probe_is_what_counts(tmp_path: Path) -> None:
    probes = with_known(tmp_path, CostProbe(LBP(), Clear(), None, SHAPE), ProbedCost(1.0, 0.25, 0.01, 1000))
    told = predict_cost(LBP(), Clear(), SHAPE, 100, workers=1, probes=probes)
    assert told.seconds == pytest.approx(2.25)
    assert told.memory == 1000
    assert "10 ms for an image" in told.basis
    noisy = predict_cost(
        LBP(), Clear(), SHAPE, 100, workers=1, probes=probes, release=FeatureRelease(Laplace(1.0), clip=1.0)
    )
    assert "none was timed" in noisy.basis  # a release is another thing to run


def test_processes_start_and_slow_each_other(tmp_path: Path) -> None:
    probes = with_known(tmp_path, CostProbe(LBP(), Clear(), None, SHAPE, shared=True), ProbedCost(1.0, 0.5, 0.1, 1000))
    assert probes.pool(2) is None
    pool = CostProbe(LBP(size=(256, 256)), Clear(), None, (256, 256), True, pool=2)
    probes.cache.store(pool.key(), [ProbedCost(1.0, 2.5, 0.03, 700, None, (0.5, 0.04, 900, 300)).to_json().encode()])
    told = predict_cost(LBP(), Clear(), SHAPE, 10, workers=2, probes=probes)
    assert told.seconds == pytest.approx(1.0 + 0.5 + 2.0 + 0.1 * 1.5 * 10 / 2)  # 0.03 s of two are 0.06 s of each
    assert told.memory == 700 + 2 * (300 + 100)  # a worker, and what this feature takes more than that of the pool


def test_a_damaged_result_counts_as_unknown(tmp_path: Path) -> None:
    probe = CostProbe(LBP(), Clear(), None, SHAPE)
    good = ProbedCost(1.0, 0.5, 0.1, 1000)
    assert ProbedCost.from_json(good.to_json()) == good
    for text in ("", "[]", "{}", good.to_json().replace("0.5", "-0.5"), good.to_json().replace("0.5", "NaN")):
        probes = none_new(tmp_path)
        probes.cache.store(probe.key(), [text.encode()])
        assert probes.known(probe) is None, text


def test_probe_keys_tell_apart_what_is_run() -> None:
    probe = CostProbe(LBP(), Clear(), None, SHAPE)
    others = (
        {"feature": LBP(radius=2)},
        {"under": Clear(native=False)},
        {"release": FeatureRelease(Laplace(1.0), clip=1.0)},
        {"shape": (48, 65)},
        {"shared": True},
        {"unit": 2},
        {"pool": 2},
    )
    keys = {probe.key().text, *(dataclasses.replace(probe, **other).key().text for other in others)}
    assert len(keys) == 1 + len(others)
    assert len(code_state()) == 64


def test_a_probe_runs_the_real_thing(tmp_path: Path) -> None:
    found = measured(CostProbe(LBP(), Clear(), None, SHAPE, most=4), 1.5)
    assert found.start == 1.5 and found.fixed >= 0 and 0 < found.each < 5
    assert found.memory > 50 << 20
    assert load(made_up_file(tmp_path, 0, (40, 50, 3))).shape == (40, 50, 3)


def test_a_probe_that_fails_says_nothing(tmp_path: Path) -> None:
    probes = CostProbes(5.0, ProgramCache(tmp_path), ("no_such_module_of_privis",))
    assert probes.measured(CostProbe(LBP(), Clear(), None, SHAPE)) is None
    assert probes.known(CostProbe(LBP(), Clear(), None, SHAPE)) is None


def test_encrypted_bytes_and_rounds_are_counted(tmp_path: Path) -> None:
    feature = ColourHistogram(bins=2)
    shape = (8, 8, 3)
    program = feature.program(core_shape(feature, shape))
    under = CKKS()
    prior = prior_cost(program, under, shape, 3, MachineProfile())
    made = under.shared(program, 3)
    assert prior.batch == made.spec.batch_size
    told = predict_cost(feature, under, shape, 3, probes=none_new(tmp_path), profile=MachineProfile())
    assert told.sent == prior.sent(3)
    assert told.rounds == prior.rounds(3) == 2 * made.spec.groups(3)
    slow = NetworkProfile(0.05, 1e6)
    behind = predict_cost(feature, under, shape, 3, probes=none_new(tmp_path), profile=MachineProfile(), network=slow)
    assert behind.seconds - told.seconds == pytest.approx(slow.seconds(told.rounds, told.sent))
    assert "another machine" in told.basis and "50 ms one way and 1 Mbit/s" in behind.basis


def test_what_cannot_be_predicted_is_refused(tmp_path: Path) -> None:
    for images in (0, -1, 1.5):
        with pytest.raises(ParameterError, match="images"):
            predict_cost(LBP(), Clear(), SHAPE, images)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="workers"):
        predict_cost(LBP(), Clear(), SHAPE, 1, workers=-1)
    with pytest.raises(ImageError):
        predict_cost(LBP(), Clear(), (8, 8, 4), 1)
    with pytest.raises(UnsupportedError):
        predict_cost(ColourHistogram(bins=2), CKKS(most_memory=1), (8, 8, 3), 3, probes=none_new(tmp_path))


def test_energy_is_read_or_not_stated(tmp_path: Path) -> None:
    assert EnergyCounter.of_this_machine(tmp_path).joules() is None
    for name, microjoules in (("intel-rapl:0", "3000000"), ("intel-rapl:1", "1500000"), ("intel-rapl:0:0", "9000000")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "energy_uj").write_text(microjoules + "\n")
    counter = EnergyCounter.of_this_machine(tmp_path)
    assert counter.joules() == pytest.approx(4.5)  # a part of a socket is in the socket
    assert counter.since(4.0) == pytest.approx(0.5)
    assert counter.since(5.0) is None  # it began anew
    (tmp_path / "intel-rapl:1" / "energy_uj").write_text("none")
    assert counter.joules() is None


def test_peaks_are_bytes() -> None:
    assert 20 << 20 < peak_of_this_process() < 1 << 40
    assert peak_of_children() >= 0

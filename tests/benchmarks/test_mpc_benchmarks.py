"""The MPC benchmarks run, tiny, so that they cannot rot."""

import dataclasses

import numpy as np
import pytest

from benchmarks.mpc import by_hand as mpc_by_hand
from benchmarks.mpc import cases as mpc_cases
from benchmarks.mpc import network_on_shares, rounds
from benchmarks.mpc import programs as mpc
from benchmarks.mpc import wan as mpc_wan
from benchmarks.mpc.slow_network import Egress
from privis.readings import evaluate
from privis.run.mpc.cost.predict import MPCTimings, NetworkProfile
from privis.run.mpc.protocols import ABY3

pytest.importorskip("spu")

jnp = pytest.importorskip("jax.numpy")


def clear_cases():
    found = [*mpc_cases.cases(tiny=True), mpc_cases.lenet_case("LeNet", 2, None)]
    return [*found, mpc_cases.resnet_case("ResNet-20", 2, None)] if mpc_cases.WEIGHTS.is_dir() else found


@pytest.mark.parametrize("case", clear_cases(), ids=lambda case: case.label)
def test_scripts_by_hand_compute_the_same_function(case):
    by_hand = case.by_hand
    function = getattr(mpc_by_hand, by_hand.function)
    theirs = np.asarray(function(*map(jnp.asarray, by_hand.arrays), *by_hand.constants)).ravel()
    ours = evaluate(case.program, *case.arrays).ravel()
    scale = max(1e-3, np.abs(ours).max())
    assert np.abs(theirs - ours).max() < (2e-3 if "HOG" in case.label else 1e-4) * scale  # HOG: other guards at zero


def test_privis_and_scripts_by_hand_race():
    chosen = [case for case in mpc_cases.cases(tiny=True) if "HOG" not in case.label and "LBP" not in case.label]
    for row in mpc.run(chosen, 1, {}):
        assert row.measured.seconds > 0 and row.by_hand
        assert row.predicted.sent == pytest.approx(row.measured.sent, rel=0.02)
        assert row.error < 2e-3 and row.hand_error < 0.05  # of features up to 0.2 and counts: both compute the same
        assert row.case.label in mpc.line(row)
    assert len(mpc.HEAD) == len(mpc.line(row))
    assert "skipped" in mpc.crypten(None)


def test_squeezenet_from_onnx_on_shares_and_by_hand(capsys):
    """Of few channels: both read the photograph alike, and the line says what was measured."""
    weights = network_on_shares.tiny_weights()
    image = mpc_cases.photograph(67)
    (found,) = network_on_shares.measure(weights, [image], ABY3)
    told = capsys.readouterr().out
    pixels = image[:, :, ::-1] - np.array(network_on_shares.MEANS, np.float32)
    theirs = mpc_by_hand.squeezenet(jnp.asarray(pixels), *network_on_shares.in_order(weights))
    assert np.abs(found.scores - np.asarray(theirs).ravel()).max() < 0.01
    assert 0.9e6 < found.sent < 1.1e6 and found.processor > 0
    assert f"top-1 {found.scores.argmax()}, in the clear {found.scores.argmax()}" in told
    bars = [network_on_shares.beside_bar([dataclasses.replace(found, seconds=s)], ABY3) for s in (2.9, 3.1)]
    assert [line.rsplit(" ", 1)[1] for line in bars] == ["met", "missed"]


def test_a_slow_network_takes_its_time_and_is_predicted():
    network = NetworkProfile(0.02, 100e6)
    (row,) = mpc_wan.run(mpc_wan.cases(tiny=True), network, MPCTimings(), 1)
    alone = network.seconds(row.predicted.rounds, row.predicted.sent)
    assert row.measured.seconds > 0.8 * alone, "the relays hold nothing back"
    assert row.ratio > 0.5  # a busy machine adds to what is measured
    assert row.case.label in mpc_wan.line(row)


def test_builds_are_compared_run_by_run():
    """Parties of this build in a process of their own, behind a network: what they took, and ratios to a baseline."""
    ((label, case),) = rounds.TINY.items()
    (found,), by_hand = rounds.compared(case, [rounds.ROOT], 1, (0.001, 1e9))
    seconds, processor, sent, messages = found.medians
    assert by_hand == [] and found.error == 0 and processor >= 0
    assert seconds > 0.001 * messages, "the relays hold nothing back"
    assert found.predicted == (pytest.approx(sent, rel=0.02), pytest.approx(messages, rel=0.1))
    slower = dataclasses.replace(found, runs=((2 * seconds, 1.0, 4 * sent, 5 * messages),))
    *_, told = rounds.lines(label, [dataclasses.replace(found, runs=((seconds, 1.0, sent, messages),)), slower], [])
    assert "0.50 of the baseline's seconds" in told and "0.25 of its bytes or 0.20 of its messages" in told


def test_a_link_sends_one_byte_after_another():
    link = Egress(8e6)  # 1 MB/s
    assert [link.leaves(1000, at) for at in (0.0, 0.0, 5.0)] == pytest.approx([0.001, 0.002, 5.001])


def test_cases_are_made_of_pictures():
    first, second = mpc_cases.photograph(28), mpc_cases.photograph(28, 3)
    assert first.shape == (28, 28, 3) and first.std() > 20 and np.abs(first - second.astype(float)).mean() > 1

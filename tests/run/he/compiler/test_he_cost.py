"""What is predicted of an encrypted run, and the limits that refuse one."""

import numpy as np
import pytest

from privis.errors import UnsupportedError
from privis.extraction.images import extract
from privis.features.colour import ColourHistogram
from privis.features.hog import HOG, BlockNorm
from privis.run.he.compiler.circuit_cost import CKKSTimings, predict
from privis.run.he.compiler.compiler import Options, compile_program
from privis.run.he.executor import CKKS
from privis.run.he.owner.calibration import measured


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_the_first_image_takes_longer():
    program = ColourHistogram(bins=4).program((16, 16, 3))
    assert CKKS().predicted(program).first_seconds > CKKS().predicted(program).seconds


def test_two_processes_help_less_where_they_slow_each_other_down():
    program = HOG(block=2).program((16, 16))
    alone, shared = (compile_program(program, Options(processes=n)) for n in (1, 2))

    def seconds(made, beside):
        return predict(made.spec, made.choice.arrangement, 1 << 30, CKKSTimings(beside=beside)).seconds

    assert seconds(alone, 1.0) == seconds(alone, 2.0)
    assert seconds(shared, 1.0) < 0.9 * seconds(shared, 1.5) < 0.9 * seconds(shared, 2.0)
    assert 0.9 < seconds(shared, 2.0) / seconds(alone, 2.0) < 1.3  # twice as slow each: nothing is won


def test_measuring_takes_seconds_and_finds_positive_numbers():
    machine = measured(0.5)
    assert machine.switch_square > 0 and machine.encode > 0 and machine.rescale > machine.add
    assert machine.beside >= 1.0


def test_programs_beyond_a_declared_limit_are_refused_before_any_key_is_made(cache):
    program = ColourHistogram(bins=4).program((16, 16, 3))
    (problem,) = CKKS(most_memory=1 << 20).supports(program)
    assert "MiB predicted" in problem.got and "at most 1 MiB" in problem.expected
    (problem,) = CKKS(most_seconds=1e-4).supports(program)
    assert problem.where == "CKKS.most_seconds"
    with pytest.raises(UnsupportedError, match="most_seconds"):
        extract(ColourHistogram(bins=4), [np.zeros((16, 16, 3), np.uint8)], under=CKKS(most_seconds=1e-4))


def test_extract_says_who_sees_the_image_and_what_it_cost(cache):
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    result = extract(ColourHistogram(bins=4), [image], under=CKKS())
    np.testing.assert_array_equal(result.features, extract(ColourHistogram(bins=4), [image]).features)
    assert "CKKS ciphertexts" in result.card.seen
    cost = CKKS().cost(ColourHistogram(bins=4).program((16, 16, 3)))
    assert cost.depth and cost.rotations and cost.sent and cost.seconds and cost.memory


def test_what_the_caller_promises_reaches_the_compiler(cache):
    """An inverse root inside needs the promise that no block is flat; without it the program is refused."""
    program = HOG(block=2, norm=BlockNorm.L2).program((16, 16))
    (problem,) = CKKS(precision=1e-2, signs=2, inside=True).supports(program)
    assert "Normalise" in problem.where and "promise" in problem.remedy
    assert CKKS(precision=1e-2, signs=2, inside=True, promised=True).supports(program) == []

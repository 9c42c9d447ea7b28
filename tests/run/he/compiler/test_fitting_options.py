"""A refusal says which settings fit and what they take, in one answer and in a bounded time."""

import re
import time

import numpy as np
import pytest

import privis
from privis.features.dalal_triggs import DalalTriggsHOG
from privis.features.hog import HOG, BlockNorm
from privis.program import Input, Program, ops, trace
from privis.run.he.circuit import lowering
from privis.run.he.compiler import compiler
from privis.run.he.compiler.fitting_options import MOST_COMPILED
from privis.run.he.executor import CKKS

WEIGHTS = np.random.default_rng(4)


@pytest.fixture(scope="module")
def scores() -> Program:
    """A private linear model on HOG of a digit, normalised where it is encrypted."""
    hog = HOG(cell=7, block=2, norm=BlockNorm.L2).program((28, 28))
    (shape,) = hog.output_shapes
    size = int(np.prod(shape))
    weights = WEIGHTS.normal(size=(10, size)) / np.sqrt(size)
    return hog >> trace(lambda x: x.reshape(size) >> ops.Dense(weights), Input(shape, 0.0, 1.0, None))


@pytest.fixture(scope="module")
def detector() -> Program:
    """Scores of all windows of a picture of 320 x 240: too deep, and minutes to arrange."""
    hog = DalalTriggsHOG(size=None).program((240, 320))
    (shape,) = hog.output_shapes
    rows, columns = 240 // 8 - 1, 320 // 8 - 1
    kernel = WEIGHTS.normal(size=(1, 36, 15, 7))

    def head(x):
        return x.reshape(rows, columns, 36).transpose(2, 0, 1) >> ops.Conv(kernel)

    return hog >> trace(head, Input(shape, 0.0, 1.0, None))


def suggested(under: CKKS, program: Program) -> CKKS:
    """What the first objection says would fit."""
    words = under.supports(program)[0].remedy
    settings = dict(re.findall(r"(promised|signs|precision)=([\w.-]+)", words.split(" it fits")[0]))
    return privis.CKKS(
        precision=float(settings.get("precision", under.precision)),
        signs=int(settings.get("signs", under.signs)),
        promised=settings.get("promised", str(under.promised)) == "True",
        inside=under.inside,
    )


def test_one_refusal_names_all_settings_and_what_they_cost(scores: Program) -> None:
    under = CKKS(inside=True)
    remedy = under.supports(scores)[0].remedy
    assert re.match(
        r"with promised=True, signs=4, precision=0.0\d+ it fits: \d+ levels, [\d.]+ s an image, [\d.]+ GiB of memory, "
        r"keys of \d+ MB; or ",
        remedy,
    )
    other = suggested(under, scores)
    assert other.supports(scores) == []
    expected = other.predicted(scores)
    assert f"keys of {expected.keys / 1e6:.0f} MB" in remedy
    assert f"{other.cost(scores).depth} levels" in remedy


def test_settings_beyond_a_limit_are_not_named(scores: Program) -> None:
    free = CKKS(inside=True).supports(scores)[0].remedy
    (seconds,) = re.findall(r"levels, ([\d.]+) s an image", free)
    limited = CKKS(inside=True, most_seconds=0.8 * float(seconds)).supports(scores)[0].remedy
    assert "signs=4" in free and "signs=4" not in limited


def test_the_answer_is_kept(scores: Program, monkeypatch) -> None:
    under = CKKS(inside=True)
    first = under.supports(scores)
    monkeypatch.setattr(CKKS, "predicted", lambda self, program: pytest.fail("compiled again"))
    assert under.supports(scores) == first


@pytest.mark.parametrize("signs", [5, 3])
def test_depth_alone_refuses_a_large_program_in_two_seconds(detector: Program, signs: int, monkeypatch) -> None:
    monkeypatch.setattr(lowering, "_node", lambda *given: pytest.fail("a matrix was written"))
    start = time.process_time()
    (problem,) = CKKS(inside=True, promised=True, signs=signs).supports(detector)
    assert time.process_time() - start < 2.0
    assert re.fullmatch(r"a program that needs at least 3\d levels", problem.got)
    assert problem.remedy.startswith(
        "with signs=2 it takes at least 27 levels, which may fit (not compiled: it is large)"
    )
    assert sum(int(np.prod(shape)) for shape in detector.shapes) > max(MOST_COMPILED, compiler.MOST_LOWERED)


def test_what_no_setting_changes_is_refused_as_before() -> None:
    constant = trace(lambda x: x * 0.0 + 1.0, Input((3,), -1.0, 1.0, None))
    (problem,) = CKKS().supports(constant)
    assert problem.remedy == "it is the same for all images: compute it in the clear"

    def network(x):
        for _ in range(40):
            x = (x * x) * 0.5 + 0.1
        return x

    (problem,) = CKKS().supports(trace(network, Input((4,), -1.0, 1.0, None)))
    assert "it fits" not in problem.remedy and problem.got.startswith("a program that needs 4")

"""A prepared feature gives what `extract` gives, byte for byte, and makes nothing twice.

Answers for `privis.extraction.prepared.prepare` and `privis.extraction.programs.prepared_programs`.
"""

from __future__ import annotations

import os
import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

import privis
from privis import CKKS, CNN, HOG, LBP, ColourHistogram, Prepared, extract, prepare
from privis.errors import BudgetError, ImageError, ParameterError, UnsupportedError
from privis.extraction.programs.prepared_programs import MOST_SHAPES, MOST_WITH_KEYS
from privis.privacy import Budget
from privis.program import Input, Program, ops, trace
from privis.readings import evaluate
from privis.run.clear import Clear
from privis.run.he.owner.keys import SecretKeys

PLANES = trace(lambda x: x >> ops.Conv(np.ones((16, 3, 3, 3))), Input((3, 16, 16)))
FEATURES = (HOG(), LBP(), ColourHistogram(bins=4), CNN(PLANES))
RELEASE = privis.PixelRelease(privis.Laplace(4.0), privis.Pixels(4))


def pictures(*shapes: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    return [rng.integers(0, 256, shape).astype(np.uint8) for shape in shapes]


GREY, COLOUR, OTHER = pictures((40, 40), (40, 40, 3), (48, 56, 3))


def same(first: privis.Result, second: privis.Result) -> None:
    assert first.features.tobytes() == second.features.tobytes() and first.features.shape == second.features.shape
    assert (first.names, first.guarantee, first.card) == (second.names, second.guarantee, second.card)
    assert first.card.to_json() == second.card.to_json()
    assert replace(first.cost, seconds=0.0) == replace(second.cost, seconds=0.0)


@dataclass(eq=False)
class Calls:
    """An executor that counts what is asked of it, and tells calls that overlap."""

    identifier: ClassVar[str] = "tests.calls/1"

    prepared: list[int] = field(default_factory=list)
    started: int = 0
    closed: int = 0
    busy: bool = False
    overlaps: int = 0
    seconds: float = 0.0
    seen: ClassVar[str] = "a test"

    def supports(self, program: Program) -> list[privis.Problem]:
        return []

    def cost(self, program: Program) -> Any:
        return privis.Clear().cost(program)

    def error(self, program: Program) -> Any:
        return privis.Clear().error(program)

    def prepare(self, program: Program):
        self.prepared.append(os.getpid())

        def run(*inputs):
            self.overlaps += self.busy
            self.busy = True
            time.sleep(self.seconds)
            self.busy = False
            return evaluate(program, *inputs)

        return run

    def start(self, program: Program) -> None:
        self.started += 1

    def close(self) -> None:
        self.closed += 1


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
@pytest.mark.parametrize("release", [None, RELEASE], ids=["exact", "released"])
def test_it_gives_what_extract_gives(feature, release, tmp_path):
    key = privis.ReleaseKey.generate() if release else None
    Image.fromarray(COLOUR).save(tmp_path / "picture.png")
    prepared = prepare(feature, release=release, key=key)
    forms = [COLOUR, Image.fromarray(COLOUR), tmp_path / "picture.png", str(tmp_path / "picture.png")]
    for one in [*forms, GREY]:
        same(prepared(one), extract(feature, [one], release=release, key=key))
    several = [GREY, COLOUR, GREY]
    for form in (several, tuple(several), iter(several)):
        same(prepared(form), extract(feature, several, release=release, key=key))


def test_images_of_several_shapes_and_repeats():
    prepared = prepare(LBP())
    images = [GREY, OTHER, GREY[:20], OTHER]
    for _ in range(2):
        same(prepared(images), extract(LBP(), images))
    same(prepared(OTHER), extract(LBP(), [OTHER]))  # the card names the programs of this call alone
    with pytest.raises(ImageError, match="image 1: got"):
        prepare(HOG())([GREY, OTHER])


def test_what_cannot_be_used_is_named_as_extract_does_and_the_next_call_works():
    prepared = prepare(HOG())
    for wrong in (GREY[:3], "no such file.png", [GREY, GREY[:3]], np.zeros((4, 4), np.float32), [], 5, None):
        listed = wrong if isinstance(wrong, list) else [wrong]
        with pytest.raises(privis.PrivisError) as ours:
            prepared(wrong)
        with pytest.raises(privis.PrivisError) as theirs:
            extract(HOG(), listed)
        assert type(ours.value) is type(theirs.value) and str(ours.value) == str(theirs.value)
    same(prepared(GREY), extract(HOG(), [GREY]))


def test_nothing_is_made_twice_and_what_is_kept_is_bounded():
    under, tall = Calls(), np.zeros((60, 30), np.uint8)
    prepared = prepare(LBP(), under=under)
    for _ in range(3):
        prepared([GREY, GREY])
        prepared(COLOUR)  # its luma has the shape of the grey one
    assert len(under.prepared) == 1
    for side in range(10, 10 + MOST_SHAPES):
        prepared(tall[:side])
    assert len(under.prepared) == 1 + MOST_SHAPES
    assert len(prepared._programs._features) == MOST_SHAPES
    prepared(tall[:10])
    assert len(under.prepared) == 1 + MOST_SHAPES
    prepared(GREY)  # went first
    assert len(under.prepared) == 2 + MOST_SHAPES


def test_a_shape_makes_everything_before_the_first_image():
    under = Calls()
    prepared = prepare(HOG(), under=under, shape=(40, 40, 3))
    assert (len(under.prepared), under.started) == (1, 1)
    prepared(COLOUR)
    assert len(under.prepared) == 1
    prepared.warm((48, 56))
    assert (len(under.prepared), under.started) == (2, 2)


def test_threads_take_turns_unless_in_the_clear():
    under = Calls(seconds=0.002)
    prepared = prepare(LBP(), under=under)
    expected = extract(LBP(), [GREY]).features
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: prepared(GREY).features, range(24)))
    assert under.overlaps == 0 and len(under.prepared) == 1
    np.testing.assert_allclose(found, [expected] * 24, rtol=1e-5)
    clear = prepare(LBP())
    with ThreadPoolExecutor(8) as pool:
        assert {result.features.tobytes() for result in pool.map(clear, [GREY] * 40)} == {expected.tobytes()}
    assert len(clear._programs._features) == 1


def child_of(function) -> int:
    """The exit status of a child of a fork that calls ``function``; 99: it raised, 98: it hung."""
    child = os.fork()
    if child == 0:
        threading.Timer(20, os._exit, (98,)).start()
        try:
            os._exit(function())
        except BaseException:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_child_of_a_fork_prepares_its_own_and_leaves_the_parents():
    under = Calls()
    prepared = prepare(LBP(), under=under)
    expected = prepared(GREY).features
    programs = prepared._programs

    def in_child() -> int:
        right = (prepared(GREY).features == expected).all()
        prepared.close()
        return 0 if right and under.prepared[-1] == os.getpid() and prepared._programs is not programs else 1

    with programs.turn:  # as a thread of the parent may hold it at the time
        assert child_of(in_child) == 0
    assert (prepared(GREY).features == expected).all() and len(under.prepared) == 1
    network = prepare(CNN(PLANES))
    once = network(COLOUR).features
    assert child_of(lambda: 0 if (network(COLOUR).features == once).all() else 1) == 0


def test_a_closed_one_says_so_and_closes_its_executor_once():
    under = Calls()
    with prepare(LBP(), under=under) as prepared:
        prepared(GREY)
    prepared.close()
    assert under.closed == 1 and not prepared._programs._features
    for call in (lambda: prepared(GREY), lambda: prepared.warm((40, 40))):
        with pytest.raises(ParameterError, match="closed"):
            call()
    prepare(LBP()).close()  # nothing was made yet


def test_a_copy_prepares_its_own():
    prepared = prepare(LBP(), images=2)
    prepared(GREY)
    copied = pickle.loads(pickle.dumps(prepared))
    assert isinstance(copied, Prepared) and copied.images == 2 and copied._programs is None
    same(copied(GREY), prepared(GREY))
    assert "LBP(" in repr(copied) and "Clear(" in repr(copied)


def test_wrong_options_are_refused_before_any_image():
    for options in (
        {"shape": 40},
        {"shape": (40,)},
        {"shape": (40, 40, 4)},
        {"shape": (0, 40)},
        {"shape": (40.0, 40)},
        {"shape": [40, 40]},
        {"images": 0},
        {"images": True},
        {"images": 1.5},
        {"ledger": object()},
    ):
        with pytest.raises(ParameterError):
            prepare(HOG(), **options)
    with pytest.raises(ParameterError, match="pass an object"):
        prepare(HOG)
    with pytest.raises(ParameterError, match="image of 8x8 pixels"):
        prepare(HOG(), shape=(8, 8))
    with pytest.raises(ParameterError):
        prepare(HOG(), release=RELEASE, shape=(64, 64), images=-1)


def test_a_ledger_is_charged_as_by_extract(tmp_path):
    key = privis.ReleaseKey.generate()
    ledger = privis.FileLedger.create(tmp_path / "ledger", Budget(4000.0, 1e-6))
    prepared = prepare(LBP(), release=RELEASE, ledger=ledger, key=key)
    first = prepared(GREY)
    assert prepared(GREY).features.tobytes() == first.features.tobytes()
    record = privis.image_record(GREY)
    assert ledger.spent(record).charges == 1, "the same release again is free"
    extract(LBP(), [GREY], release=RELEASE, ledger=ledger, key=key)
    assert ledger.spent(record).charges == 1
    fresh = prepare(LBP(), release=RELEASE, ledger=ledger)
    fresh(GREY)
    with pytest.raises(BudgetError):
        fresh(GREY)


def test_what_an_executor_cannot_run_is_refused_when_prepared():
    class Nothing(Calls):
        identifier = "tests.nothing/1"

        def supports(self, program):
            return [privis.Problem("program", "anything", "nothing")]

    with pytest.raises(UnsupportedError):
        prepare(LBP(), under=Nothing(), shape=(40, 40))


def test_keys_are_made_once_and_bounded(monkeypatch):
    pytest.importorskip("tenseal")
    made = []
    really = SecretKeys.generate
    monkeypatch.setattr(SecretKeys, "generate", lambda spec: made.append(spec) or really(spec))
    feature = CNN(trace(lambda x: x.sum(1, 2) * (1 / 64), Input((3, 8, 8))))
    images = pictures((8, 8, 3), (8, 8, 3))
    exact = extract(feature, images).features
    with prepare(feature, under=CKKS(), shape=(8, 8, 3)) as prepared:
        assert len(made) == 1
        for image, row in zip(images, exact, strict=True):
            np.testing.assert_allclose(prepared(image).features[0], row, atol=0.05)
        assert len(made) == 1
        for _ in range(2):
            np.testing.assert_allclose(prepared(images).features, exact, atol=0.05)
        assert len(made) <= 2, "one more where two images share ciphertexts"
        assert prepared._programs.most == MOST_WITH_KEYS
        result = prepared(images[0])
    assert result.card.under["class"] == "CKKS" and result.card.error is not None


def test_in_the_clear_is_the_default():
    assert isinstance(prepare(LBP()).under, Clear)

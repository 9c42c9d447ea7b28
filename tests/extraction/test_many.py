"""Executors that several images may share: the same results, and each image answers for itself."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import privis
from privis.errors import AnswerLimitError, DomainError, ImageError, Problem, ServiceError
from privis.extraction.extractor import Extractor
from privis.extraction.folder import extract_folder
from privis.io.images.decode import load
from privis.run.clear import Clear
from privis.run.protocol import BatchingExecutor


@dataclass(frozen=True)
class Sharing(Clear):
    """In the clear, as if images shared something; ``asked`` keeps how many came at once."""

    asked: list = field(default_factory=list)
    brightest: int = 255
    at_once: int = 4

    def together(self, program, expected=None):
        return self.at_once

    def prepare_many(self, program, expected=None):
        return Many(self, self.prepare(program))


@dataclass(frozen=True)
class Many:
    executor: Sharing
    run: object

    def check(self, *inputs):
        if inputs[0].max() > self.executor.brightest:
            raise DomainError(Problem("image", "a bright pixel", "a dark one"))
        if self.executor.brightest == 0:
            raise ServiceError(Problem("server", "nothing", "an answer"))

    def __call__(self, images):
        self.executor.asked.append(len(images))
        return [self.run(*inputs) for inputs in images]


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(4)
    return [rng.integers(0, 200, (32, 40), dtype=np.uint8) for _ in range(5)]


@pytest.fixture
def folder(images, tmp_path):
    for number, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    (tmp_path / "2.png").write_bytes(b"no picture")
    return [str(tmp_path / f"{number}.png") for number in range(len(images))]


def test_images_of_one_size_are_computed_at_once_and_results_are_the_same(images):
    under = Sharing()
    assert isinstance(under, BatchingExecutor) and not isinstance(Clear(), BatchingExecutor)
    several = [*images, images[0][:, :32], images[1][:, :32]]
    both = privis.LBP()
    np.testing.assert_array_equal(
        privis.extract(both, several, under=under).features, privis.extract(both, several).features
    )
    assert under.asked == [5, 2]
    privis.extract(both, images[:1], under=under)
    assert under.asked == [5, 2]  # one alone shares nothing


def test_noise_and_charges_do_not_depend_on_how_many_share(images, tmp_path):
    key, release = privis.ReleaseKey.generate(), privis.FeatureRelease(privis.Laplace(4.0), clip=3.0)
    shared = privis.extract(privis.HOG(), images, under=Sharing(), release=release, key=key).features
    for index, image in enumerate(images):
        alone = privis.extract(privis.HOG(), [image], under=Sharing(), release=release, key=key).features
        np.testing.assert_array_equal(alone[0], shared[index])
    pixels = privis.PixelRelease(privis.Laplace(1.0))
    alone, shared = (
        privis.extract(privis.LBP(), images, under=under, release=pixels, key=key) for under in (Clear(), Sharing())
    )
    np.testing.assert_array_equal(alone.features, shared.features)


def test_every_unusable_image_is_named(images):
    with pytest.raises(ImageError) as caught:
        privis.extract(privis.LBP(), [images[0], "no.png", np.zeros((4, 4)), images[1]], under=Sharing())
    wheres = " ".join(problem.where for problem in caught.value.problems)
    assert "no.png" in wheres and "image 2" in wheres and "image 3" not in wheres
    with pytest.raises(DomainError, match="a bright pixel"):
        privis.extract(privis.LBP(), [*images, images[0] + np.uint8(55)], under=Sharing(brightest=210))


def test_a_folder_lists_what_fails_and_computes_the_rest_at_once(folder, images, tmp_path):
    bright = Path(folder[4])
    Image.fromarray(images[4] + np.uint8(55)).save(bright)
    under = Sharing(brightest=210)
    result = extract_folder(privis.LBP(), folder, tmp_path / "f.npz", under=under)
    assert under.asked == [3] and result.outcome.rows == 3
    reasons = {Path(failure.path).name: failure.reason for failure in result.outcome.failures}
    assert set(reasons) == {"2.png", "4.png"} and "a bright pixel" in reasons["4.png"]


def test_a_run_over_a_folder_keeps_what_is_cheapest_together_and_no_more(folder, tmp_path):
    for at_once, asked in ((4, [4]), (2, [3, 1]), (1, [])):
        under = Sharing(at_once=at_once)
        extract_folder(privis.LBP(), folder, tmp_path / f"{at_once}.npz", under=under)
        assert under.asked == asked
    dark = Sharing(at_once=1, brightest=100)  # each on its own is not asked before
    assert extract_folder(privis.LBP(), folder, tmp_path / "f.npz", under=dark).outcome.rows == 4


def test_the_first_usable_image_is_opened_once_before_a_run(folder, tmp_path, monkeypatch):
    """It says how long vectors are and how many images are computed at once; what cannot be used is passed over."""
    opened = []

    def counted(path, **limits):
        opened.append(Path(path).name)
        return load(path, **limits)

    monkeypatch.setattr("privis.io.images.decode.load", counted)
    sources = [folder[2], folder[1], folder[0], *folder[3:]]
    extract_folder(privis.LBP(), sources, tmp_path / "one.npz", under=Sharing())
    before = opened[: len(opened) - len(sources)]
    assert before == ["2.png", "1.png"]
    opened.clear()
    ledger = privis.FileLedger.create(tmp_path / "ledger", privis.Budget(99.0, 1e-6))
    release = privis.FeatureRelease(privis.Laplace(4.0), clip=3.0)
    extract_folder(privis.LBP(), sources, tmp_path / "two.npz", under=Sharing(), release=release, ledger=ledger)
    assert opened[: len(opened) - len(sources)] == before
    opened.clear()
    extract_folder(privis.LBP(), sources, tmp_path / "three.npz")
    assert len(opened) == len(sources)


def test_an_image_too_small_for_the_feature_does_not_say_how_many_are_computed_at_once(folder, tmp_path):
    Image.fromarray(np.zeros((2, 2), np.uint8)).save(tmp_path / "tiny.png")
    under = Sharing()
    sources = [str(tmp_path / "tiny.png"), *folder]
    result = extract_folder(privis.HOG(), sources, tmp_path / "f.npz", under=under)
    assert result.outcome.rows == 4 and under.asked == [4]


def test_a_server_that_is_gone_ends_the_run_and_no_image_is_blamed(folder, tmp_path):
    Path(folder[2]).unlink()
    under = Sharing(brightest=0)
    black = [np.zeros((8, 8), np.uint8)] * 2
    with pytest.raises(ServiceError):
        privis.extract(privis.LBP(), black, under=under)


@dataclass(frozen=True)
class Limited(Sharing):
    """Gives so many answers, and no more until its list is emptied."""

    most: int = 1

    def prepare_many(self, program, expected=None):
        return Counting(self, self.prepare(program))


@dataclass(frozen=True)
class Counting(Many):
    def __call__(self, images):
        if len(self.executor.asked) >= self.executor.most:
            raise AnswerLimitError(Problem("answers", "1 more", "at most 1 per hour"))
        return super().__call__(images)


def test_a_limit_of_answers_ends_a_folder_run_and_the_same_call_goes_on_later(folder, tmp_path):
    under = Limited(at_once=2)
    with pytest.raises(AnswerLimitError):
        extract_folder(privis.LBP(), folder, tmp_path / "f.npz", under=under, chunk=2)
    under.asked.clear()
    with pytest.raises(AnswerLimitError):
        extract_folder(privis.LBP(), folder, tmp_path / "f.npz", under=under, chunk=2)
    under.asked.clear()
    result = extract_folder(privis.LBP(), folder, tmp_path / "f.npz", under=under, chunk=2)
    assert result.outcome.rows == 4 and len(under.asked) == 1, "what was answered before is not asked again"


def test_an_error_that_nobody_expects_costs_only_its_own_image(folder, images, tmp_path, monkeypatch):
    closed = Extractor._closed

    def careless(self, opened, prepared, values):
        if opened.core[0, 0] == images[1][0, 0] and np.array_equal(opened.core, images[1]):
            raise ZeroDivisionError("a defect")
        return closed(self, opened, prepared, values)

    monkeypatch.setattr(Extractor, "_closed", careless)
    result = extract_folder(privis.LBP(), folder, tmp_path / "f.npz", under=Sharing())
    reasons = {Path(failure.path).name: failure.reason for failure in result.outcome.failures}
    assert result.outcome.rows == 3 and reasons["1.png"] == "ZeroDivisionError: a defect"

"""Several features in one run are what each is alone, from pictures that are decoded once, charged one by one.

Answers for `privis.extraction.many`, `privis.extraction.folder_many` and `privis.io.resumable.together`.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import privis
from privis.errors import BudgetError, ImageError, ParameterError
from privis.extraction.folder import extract_folder
from privis.extraction.folder_many import extract_folder_many
from privis.extraction.many import extract_many
from privis.io.images import decode
from privis.io.images.decode import Decoding
from privis.io.tables import read
from privis.privacy.ledger.budget import Budget
from privis.privacy.ledger.file import FileLedger
from privis.run.clear import Clear
from tests.extraction.test_many import Sharing

HISTOGRAM = privis.ColourHistogram(bins=2, density=True)
FEATURES = [HISTOGRAM, privis.LBP(density=True), privis.HOG(size=(32, 32))]
RELEASE = privis.FeatureRelease(privis.Laplace(1.0), clip=3.0)
ON_PIXELS = privis.PixelRelease(privis.Laplace(1.0), privis.Pixels(4))
KEY = privis.ReleaseKey(bytes(range(32)))  # a test key


@pytest.fixture
def pictures(tmp_path: Path) -> list[str]:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(9):
        pixels = np.random.default_rng(number).integers(0, 256, (40, 36, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{number}.png")
    return sorted(map(str, folder.iterdir()))


@pytest.fixture
def decodings(monkeypatch) -> Counter[str]:
    """How often every file is decoded in this process."""
    counts: Counter[str] = Counter()
    real = decode.load

    def counted(source, **words):
        counts[str(source)] += 1
        return real(source, **words)

    monkeypatch.setattr(decode, "load", counted)
    return counts


def outputs(folder: Path, count: int = len(FEATURES), suffix: str = ".npz") -> list[Path]:
    folder.mkdir(exist_ok=True)
    return [folder / f"{number}{suffix}" for number in range(count)]


def ledger(folder: Path, epsilon: float = 100.0) -> FileLedger:
    return FileLedger.create(folder / "budget", Budget(epsilon, 1e-6))


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("release", [None, RELEASE, ON_PIXELS, [None, RELEASE, ON_PIXELS]])
def test_tables_are_those_of_separate_runs(pictures, tmp_path, workers, release):
    broken = tmp_path / "pictures" / "broken.png"
    broken.write_bytes(b"no picture")
    sources = [*pictures, str(broken)]
    both = outputs(tmp_path / "both")
    many = extract_folder_many(FEATURES, sources, both, release=release, key=KEY, workers=workers, chunk=3)
    each = release if isinstance(release, list) else [release] * len(FEATURES)
    for number, path in enumerate(outputs(tmp_path / "alone")):
        one = extract_folder(FEATURES[number], sources, path, release=each[number], key=KEY)
        assert path.read_bytes() == both[number].read_bytes()
        assert replace(many[number].outcome, output=path, seconds=0) == replace(one.outcome, seconds=0)
        assert (many[number].guarantee, many[number].card) == (one.guarantee, one.card)
    assert sorted(path.name for path in (tmp_path / "both").iterdir()) == sorted(
        name for path in both for name in (path.name, f"{path.name}.failures.csv")
    ), "nothing else is left"


def test_results_in_memory_are_those_of_separate_calls(pictures):
    for release in (None, RELEASE, [None, RELEASE, ON_PIXELS]):
        many = extract_many(FEATURES, pictures, release=release, key=KEY)
        each = release if isinstance(release, list) else [release] * len(FEATURES)
        for feature, wanted, found in zip(FEATURES, each, many, strict=True):
            one = privis.extract(feature, pictures, release=wanted, key=KEY)
            np.testing.assert_array_equal(one.features, found.features)
            assert (one.names, one.guarantee, one.card) == (found.names, found.guarantee, found.card)


def test_every_picture_is_decoded_once(pictures, tmp_path, decodings):
    extract_folder_many(FEATURES, pictures, outputs(tmp_path / "out"))
    assert decodings == Counter(pictures)
    decodings.clear()
    extract_many(FEATURES, pictures)
    assert decodings == Counter(pictures)
    decodings.clear()
    extract_many(FEATURES, pictures, release=RELEASE, ledger=ledger(tmp_path), key=KEY)
    assert decodings == Counter(pictures * 2), "once before anything is charged, once when its turn comes"


@pytest.mark.parametrize("sharing", [False, True])
def test_a_picture_that_one_feature_cannot_use_is_charged_for_none(pictures, tmp_path, sharing):
    """Its size is public: with a ledger no feature pays for it, without one the others have their rows."""
    small = tmp_path / "pictures" / "small.png"
    Image.fromarray(np.zeros((3, 3, 3), np.uint8)).save(small)
    sources, features = [*pictures, str(small)], [HISTOGRAM, privis.GLCM(distances=(5,))]
    under = Sharing() if sharing else Clear()
    for number, feature in enumerate(features):
        if number:
            with pytest.raises(ParameterError):
                feature.program((3, 3))
    free = extract_folder_many(features, sources, outputs(tmp_path / "free", 2), under=under)
    assert [result.outcome.rows for result in free] == [10, 9]
    book = ledger(tmp_path)
    paid = extract_folder_many(
        features, sources, outputs(tmp_path / "paid", 2), release=RELEASE, ledger=book, key=KEY, under=under
    )
    assert [result.outcome.rows for result in paid] == [9, 9]
    assert len(list(book.charges())) == 18 and book.accounts == 9
    assert all(str(small) in result.outcome.failures[0].path for result in paid)


def test_in_memory_nothing_is_charged_before_all_is_known(pictures, tmp_path):
    book = ledger(tmp_path)
    images = [*pictures, np.zeros((3, 3, 3), np.uint8)]
    with pytest.raises(ImageError, match="image 9"):
        extract_many([HISTOGRAM, privis.GLCM(distances=(5,))], images, release=RELEASE, ledger=book, key=KEY)
    assert not list(book.charges())


def test_every_release_is_charged_on_its_own_and_noise_on_pixels_once(pictures, tmp_path):
    book = ledger(tmp_path)
    extract_folder_many(FEATURES, pictures, outputs(tmp_path / "a"), release=RELEASE, ledger=book, key=KEY)
    assert len(list(book.charges())) == 27
    extract_folder_many(FEATURES, pictures, outputs(tmp_path / "b"), release=RELEASE, ledger=book, key=KEY)
    assert len(list(book.charges())) == 27, "the same releases again"
    once = FileLedger.create(tmp_path / "once", Budget(1e6, 1e-6))
    read_alike = [HISTOGRAM, privis.ColourHistogram(bins=4)]
    extract_folder_many(read_alike, pictures, outputs(tmp_path / "c", 2), release=ON_PIXELS, ledger=once, key=KEY)
    assert len(list(once.charges())) == 9


def test_a_budget_for_some_of_the_releases_gives_rows_where_it_does(pictures, tmp_path):
    book = ledger(tmp_path, 1.5)
    features, paths = FEATURES[:2], outputs(tmp_path / "out", 2)
    with pytest.raises(ImageError, match=r"1\.npz"):
        extract_folder_many(features, pictures, paths, release=RELEASE, ledger=book, key=KEY)
    assert len(read(paths[0]).paths) == 9 and not paths[1].exists()
    assert len(list(book.charges())) == 9
    with pytest.raises(BudgetError, match="had been paid for"):
        extract_many(features, pictures, release=RELEASE, ledger=book, key=KEY)


@dataclass(frozen=True)
class Deadly(privis.ColourHistogram):
    """Ends the process at a picture of sevens, as a broken library does."""

    def before(self, image):
        if (image[0] == 7).all():
            os.kill(os.getpid(), signal.SIGKILL)
        return super().before(image)


def test_a_deadly_picture_is_a_failure_of_its_feature_alone(pictures, tmp_path):
    deadly = tmp_path / "pictures" / "deadly.png"
    Image.fromarray(np.full((40, 36, 3), 7, np.uint8)).save(deadly)
    paths = outputs(tmp_path / "out", 2)
    features = [HISTOGRAM, Deadly(bins=2, density=True)]
    found = extract_folder_many(features, [*pictures, str(deadly)], paths, workers=2)
    assert [result.outcome.rows for result in found] == [10, 9]
    assert [failure.path for failure in found[1].outcome.failures] == [str(deadly)]


@pytest.mark.parametrize("after", range(1, 9, 2))
def test_a_run_that_was_interrupted_goes_on_and_charges_nothing_more(pictures, tmp_path, monkeypatch, after):
    book, paths = ledger(tmp_path), outputs(tmp_path / "out", 2)
    features, seen = [HISTOGRAM, privis.LBP(density=True)], []
    real = Decoding.__call__

    def interrupted(self, source, at_least=None):
        seen.append(source)
        if len(seen) == after + 3:  # two are decoded to see what they are
            raise KeyboardInterrupt
        return real(self, source, at_least)

    monkeypatch.setattr(Decoding, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt, match="the same command goes on"):
        extract_folder_many(features, pictures, paths, release=RELEASE, ledger=book, chunk=2)
    assert not paths[0].exists()
    spent = len(list(book.charges()))
    monkeypatch.setattr(Decoding, "__call__", real)
    found = extract_folder_many(features, pictures, paths, release=RELEASE, ledger=book, chunk=2)
    assert [result.outcome.rows for result in found] == [9, 9]
    assert 2 * (after - 1) <= spent <= len(list(book.charges())) == 18
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["0.npz", "1.npz"]


def test_a_part_that_one_job_alone_has_is_kept(pictures, tmp_path, monkeypatch):
    """A kill between two parts of a span: what was written is met again, not computed anew."""
    from privis.io.resumable import together

    paths, real, written = outputs(tmp_path / "out", 2), together.write_part, []

    def killed(folder, span, part):
        if len(written) == 3:
            raise KeyboardInterrupt
        written.append((folder, span))
        real(folder, span, part)

    monkeypatch.setattr(together, "write_part", killed)
    with pytest.raises(KeyboardInterrupt):
        extract_folder_many(FEATURES[:2], pictures, paths, chunk=4)
    monkeypatch.setattr(together, "write_part", lambda *part: written.append(part[:2]) or real(*part))
    extract_folder_many(FEATURES[:2], pictures, paths, chunk=4)
    assert len(written) == len(set(written)) == 6, "every part once"
    alone = outputs(tmp_path / "alone", 2)
    for feature, path, other in zip(FEATURES, alone, paths, strict=False):
        extract_folder(feature, pictures, path)
        assert path.read_bytes() == other.read_bytes()


@pytest.mark.parametrize(
    ("features", "words", "said"),
    [
        ([], {}, "features: got none"),
        (FEATURES[:2], {"release": [RELEASE]}, "got 1 releases"),
        (FEATURES[:1], {}, "one for each feature"),
    ],
)
def test_what_does_not_fit_is_refused(pictures, tmp_path, features, words, said):
    with pytest.raises(ParameterError, match=said):
        extract_folder_many(features, pictures, outputs(tmp_path / "out", 2), **words)
    assert not list((tmp_path / "out").iterdir())


def test_two_tables_never_have_one_name(pictures, tmp_path):
    with pytest.raises(ParameterError, match="1 different"):
        extract_folder_many(FEATURES[:2], pictures, [tmp_path / "a.npz"] * 2)
    with pytest.raises(ParameterError, match="two jobs"):
        extract_folder_many(FEATURES[:2], pictures, [tmp_path / "a.npz", tmp_path / "pictures" / ".." / "a.npz"])

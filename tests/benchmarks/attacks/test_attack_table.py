"""The table of attacks: figures survive a kill, bars can be missed, schemes known to be bad are read; a tiny run."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.attacks.feature_table import known_bad
from benchmarks.attacks.feature_table.attackers import Judge, counted
from benchmarks.attacks.feature_table.figures import Figure, FigureFile, bars, marked, table
from benchmarks.attacks.feature_table.pictures import Pictures
from benchmarks.attacks.feature_table.protections import protections
from benchmarks.attacks.feature_table.recorded import pictures
from benchmarks.attacks.feature_table.table import DATA, of_feature, run
from privis import ColourHistogram
from privis.attack.inversion.face_judge import matched_originals

PRIVUNIT = Figure("faces", "hog", "privunit epsilon=4", "ridge", 5, 131, 0.04, (1, 10), 4.0, 4.0, 0.1, "privunit")
HOG = Figure("faces", "hog", "clear", "gradient", 30, 44, 0.04, (0, 4), seconds=20.0)


def test_a_killed_run_goes_on(tmp_path) -> None:
    kept = FigureFile(tmp_path / "figures.jsonl")
    kept.add(HOG)
    with kept.path.open("a") as file:
        file.write('{"pictures": "faces", "feat')  # killed here
    again = FigureFile(kept.path)
    assert again.has("faces", "hog", "clear", "gradient")
    assert not again.has("faces", "hog", "privunit epsilon=4", "ridge")
    again.add(PRIVUNIT)
    assert list(FigureFile(kept.path).figures.values()) == [HOG, PRIVUNIT]


@pytest.mark.parametrize(
    ("figures", "words", "kept"),
    [
        ([HOG], "60 %", True),
        ([replace(HOG, hits=20)], "60 %", False),
        ([replace(HOG, seconds=100.0)], "in at most 2 s", False),
        ([PRIVUNIT], "PrivUnit at epsilon of at most 4 is at chance (inversion: ridge, gradient)", True),
        ([replace(PRIVUNIT, hits=30)], "at most 4 is at chance (inversion: ridge, gradient)", False),
        ([replace(PRIVUNIT, hits=30, attack="gradient")], "at most 4 is at chance (inversion: ridge, gradient)", False),
        ([replace(PRIVUNIT, hits=30, attack="neighbour")], "at most 4 is at chance (neighbour of faces)", False),
        ([replace(PRIVUNIT, spent=1700.0)], "at most 30 minutes", True),
        ([PRIVUNIT, replace(HOG, spent=1700.0)], "at most 30 minutes", False),  # one is not timed
        ([replace(PRIVUNIT, spent=1900.0)], "at most 30 minutes", False),
        ([replace(PRIVUNIT, hits=120)], "than epsilon allows", False),
        ([PRIVUNIT, replace(PRIVUNIT, protection="privunit epsilon=8", epsilon=8.0)], "never tells less", True),
        ([replace(PRIVUNIT, hits=60), replace(PRIVUNIT, protection="privunit epsilon=8", epsilon=8.0)], "never", False),
        ([HOG, replace(HOG, protection="under HE: answers")], "under HE: answers", True),
        ([HOG, replace(HOG, protection="under HE: answers", hits=2)], "under HE: answers", False),
        ([replace(HOG, protection="under HE: transcript", hits=3)], "at chance", True),
        ([replace(HOG, protection="under HE: transcript")], "at chance", False),
        ([replace(HOG, protection="under HE: transcript without masks (control)")], "control", False),
        ([replace(HOG, protection="20 a pixel")], "is told", True),
        ([replace(HOG, protection="20 a pixel", hits=2)], "is told", False),
    ],
)
def test_bars_can_be_kept_and_missed(figures: list[Figure], words: str, kept: bool) -> None:
    found = [bar for bar in bars(figures) if words in bar.words]
    assert [bar.kept for bar in found] == [kept]
    assert ("misses a bar" in table(figures)) == bool(marked(figures))


def test_bars_say_what_epsilon_allows() -> None:
    bar = next(bar for bar in bars([PRIVUNIT]) if "inversion" in bar.words)
    assert bar.measured == "1 of 1; told at most 3.8%, epsilon allows 69.5%"


def test_what_epsilon_allows() -> None:
    assert math.isclose(PRIVUNIT.most, math.exp(4) * 0.04 / (math.exp(4) * 0.04 + 0.96))
    assert HOG.most == 1
    assert replace(PRIVUNIT, whole=12_544.0).most == 1


def test_chance_is_that_of_the_same_guesses_dealt_at_random() -> None:
    names = np.repeat(["a", "b", "c", "d"], 25)
    all_of_one = counted(np.full(100, "a"), names, 0.0)
    assert (all_of_one.hits, all_of_one.chance, all_of_one.range) == (25, 0.25, (25, 25))
    right = counted(names, names, 0.0)
    assert (right.hits, round(right.chance, 2)) == (100, 0.25)


def test_schemes_with_an_epsilon_of_a_pixel_or_coefficient_are_read_at_their_figure() -> None:
    images, _ = pictures()
    grey, places, random = images.mean(3), list(range(0, 160, 8)), np.random.default_rng(0)
    attacked = images[places]
    sliced = known_bad.cleaned(known_bad.slices(attacked, known_bad.PER_PIXEL, random))
    assert matched_originals(sliced, grey, places).hits == len(places)
    noisy = known_bad.noisy_coefficients(attacked, images[1::8], known_bad.PER_COEFFICIENT, False, random)
    assert matched_originals(known_bad.integrated(*noisy, images[1::8]), grey, places).hits >= len(places) - 1
    hidden = known_bad.cleaned(known_bad.slices(attacked, 0.001, random))
    assert matched_originals(hidden, grey, places).hits < 5, "the control: with little epsilon nothing is read"


def test_a_tiny_run_attacks_every_protection(tmp_path, monkeypatch) -> None:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (12, 14, 14, 3), np.uint8).repeat(8, 1).repeat(8, 2)
    made = Pictures(images, np.array([f"crop {place}" for place in range(12)]), (np.arange(12) % 2 == 0,), False)
    kept = FigureFile(tmp_path / "figures.jsonl")
    monkeypatch.setattr("benchmarks.attacks.feature_table.table.answers", lambda *_: None)
    of_feature("colour", ColourHistogram(bins=4, density=True), made, Judge(made, DATA), kept, 1)
    assert len(kept.figures) == 2 * len(protections(112))
    clear = kept.figures["kodak / colour / clear / neighbour"]
    assert (clear.hits, clear.tries) == (6, 6)
    size = kept.path.stat().st_size
    of_feature("colour", ColourHistogram(bins=4, density=True), made, Judge(made, DATA), kept, 1)
    assert kept.path.stat().st_size == size, "what is there is not computed again"
    assert all((each.spent or 0.0) >= each.seconds for each in kept.figures.values()), (
        "extraction and judge are counted, too"
    )
    assert FigureFile(kept.path).figures == kept.figures


@pytest.mark.long
@pytest.mark.skipif(not DATA.exists(), reason="needs ../shared/data")
def test_attackers_of_faces_reach_their_bars(tmp_path) -> None:
    kept = FigureFile(tmp_path / "figures.jsonl")
    for _ in run(DATA, kept, ("template", "hog", "dense_sift"), False, ("faces",)):
        pass
    found = {bar.words: bar.kept for bar in bars(list(kept.figures.values()))}
    strong = [words for words in found if "at least" in words or "is told" in words or "control" in words]
    assert len(strong) >= 6
    assert all(found[words] for words in strong if "by range" not in words)
    assert all(
        kept for words, kept in found.items() if "transcript" in words or "allows" in words or "answers" in words
    )

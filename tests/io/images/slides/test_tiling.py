"""What is said of tiles. Answers for `privis.io.images.slides.tiling`."""

from __future__ import annotations

from typing import Any

import pytest

from privis.errors import ParameterError
from privis.io.images.file_parts import TILES, FilePart, file_part
from privis.io.images.slides.tiling import Tiling


@pytest.mark.parametrize(
    "tiling", [Tiling(256), Tiling(64, 8, 0.25), Tiling(64, mpp=0.5), Tiling(512, tissue=1.0, downsample=3.7)]
)
def test_words_stand_in_names_and_are_read_back(tiling: Tiling) -> None:
    part = file_part(FilePart("a.svs", TILES, tiling.words).name)
    assert (part.path, part.kind) == ("a.svs", TILES) and Tiling.named(part.words) == tiling


@pytest.mark.parametrize(
    "said",
    [
        {"size": 8}, {"size": 9000}, {"size": 64, "overlap": 64}, {"size": 64, "overlap": -1},
        {"size": 64, "tissue": 1.5}, {"size": 64, "tissue": float("nan")}, {"size": 64, "mpp": 0.0},
        {"size": 64, "downsample": 0.5}, {"size": 64, "mpp": float("inf")}, {"size": 64, "mpp": 1.0, "downsample": 2.0},
    ],
)  # fmt: skip
def test_grids_that_are_none(said: dict[str, Any]) -> None:
    with pytest.raises(ParameterError):
        Tiling(**said)


@pytest.mark.parametrize("words", ["", "x", "256,", "256,colour=2", "256,size=3", "256,tissue=much"])
def test_words_that_say_no_grid(words: str) -> None:
    with pytest.raises(ParameterError):
        Tiling.named(words)

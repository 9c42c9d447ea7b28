"""Sentences of the page: the figures of `explain`, in both languages."""

from __future__ import annotations

import pytest

from privis.cli.studio.catalogue import LANGUAGES, messages
from privis.cli.studio.views.words import said_of
from privis.extraction.explain import explain
from privis.features.hog import HOG
from privis.privacy import FeatureRelease, Laplace, Patch, PixelRelease, Pixels, Release, WholeImage

UNITS = [WholeImage(), Pixels(16), Patch(4)]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("unit", UNITS)
def test_the_unit_and_its_figures_are_said(language: str, unit: WholeImage | Pixels | Patch) -> None:
    told = explain(HOG(size=(32, 32)), (32, 32), release=PixelRelease(Laplace(4.0), unit))
    sentences = said_of(told, unit, messages(language))
    assert "4" in sentences[0]
    assert "{" not in "".join(sentences)
    assert len(sentences) == (5 if unit == WholeImage() else 6)  # of pixels also what that is for a whole image


@pytest.mark.parametrize("release", [None, FeatureRelease(Laplace(0.1), 10.0)])
def test_what_is_not_hidden_and_what_is_not_left_is_said(release: Release | None) -> None:
    told = explain(HOG(size=(32, 32)), (32, 32), release=release)
    text = " ".join(said_of(told, None if release is None else release.unit, messages("en")))
    assert ("Nothing is hidden" in text) == (release is None)
    assert ("nothing is left" in text) == (release is not None)

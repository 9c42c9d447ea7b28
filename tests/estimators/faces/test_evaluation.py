"""Error rates on known people.

Answers for `privis.estimators.faces.evaluation`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import privis
from privis.errors import ImageError, ParameterError
from privis.estimators.faces.evaluation import evaluate_pairs, evaluate_people
from tests.estimators.faces.painted_faces import EXTRACTOR, picture

VERIFIER = privis.Verifier(EXTRACTOR, 0.01)
DARK = np.zeros((80, 80, 3), np.uint8)


def test_all_pairs_are_scored_once() -> None:
    pictures = [picture(p, shot) for p in range(4) for shot in range(3)]
    people = [f"p{number // 3}" for number in range(12)]
    done = evaluate_people(VERIFIER, [*pictures, DARK], [*people, "p0"])
    assert (done.rates.genuine.size, done.rates.impostor.size, done.repeated) == (12, 54, 0)
    assert list(done.refused) == [12] and done.rates.equal_error.value == 0
    vectors = np.stack([EXTRACTOR(each).vector for each in pictures]).astype(np.float64)
    cosines = np.sort((vectors @ vectors.T)[np.triu_indices(12, 1)])
    assert np.allclose(np.sort(np.concatenate([done.rates.genuine, done.rates.impostor])), cosines, atol=1e-5)
    mixed = evaluate_people(VERIFIER, pictures, [f"p{number % 4}" for number in range(12)])
    assert mixed.rates.equal_error.value > 0.3, "wrong names are seen"


def test_one_image_twice_is_no_pair() -> None:
    done = evaluate_people(VERIFIER, [picture(1), picture(1), picture(1, 1), picture(2), picture(2)], [*"aaabc"])
    assert (done.rates.genuine.size, done.rates.impostor.size, done.repeated) == (2, 6, 2)


def test_listed_pairs(tmp_path: Path) -> None:
    for name, made in {"a": picture(1), "b": picture(1, 1), "c": picture(2), "d": DARK}.items():
        Image.fromarray(made).save(tmp_path / f"{name}.png")
    path = {name: str(tmp_path / f"{name}.png") for name in "abcd"}
    done = evaluate_pairs(
        VERIFIER, [(path["a"], path["b"], True), (path["c"], path["b"], False), (path["d"], path["a"], True)]
    )
    assert (done.rates.genuine.size, done.rates.impostor.size) == (1, 1) and list(done.refused) == [3]
    assert done.rates.genuine[0] > 0.9 > done.rates.impostor[0]


def test_what_cannot_be_measured() -> None:
    with pytest.raises(ImageError, match="no face"):
        evaluate_people(VERIFIER, [DARK, DARK + 1], ["a", "b"])
    with pytest.raises(ParameterError, match="no pair"):
        evaluate_people(VERIFIER, [picture(1), picture(2)], ["a", "b"])
    with pytest.raises(ParameterError, match="one for each image"):
        evaluate_people(VERIFIER, [picture(1)], ["a", "b"])

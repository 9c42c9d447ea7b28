"""What an attacker knows of templates is as similar as public people are, and covers people it has not seen.

Answers for `privis.attack.answers.template_prior`.
"""

from __future__ import annotations

import numpy as np
import pytest

from privis.attack.answers.template_prior import TemplatePrior, unit_rows
from privis.errors import ParameterError


def people(count: int = 30, shots: int = 3, components: int = 32, seed: int = 0) -> tuple[np.ndarray, list[str]]:
    random = np.random.default_rng(seed)
    scales = 1 / np.sqrt(np.arange(1, components + 1))
    middles = np.repeat(random.normal(size=(count, components)) * scales + 0.2, shots, axis=0)
    names = [f"p{number}" for number in range(count) for _ in range(shots)]
    return unit_rows(middles + 0.2 * random.normal(size=middles.shape) * scales), names


def test_two_drawn_people_are_as_similar_as_two_public_ones() -> None:
    vectors, names = people()
    prior = TemplatePrior.of_public(3 * vectors, names)
    drawn = prior.drawn(2000, np.random.default_rng(1))
    apart = ~np.equal.outer(np.array(names), np.array(names))
    cosines, public = (drawn @ drawn.T)[np.triu_indices(2000, 1)], (vectors @ vectors.T)[apart]
    assert cosines.mean() == pytest.approx(public.mean(), abs=0.05)
    assert (cosines**2).mean() == pytest.approx((public**2).mean(), rel=0.15)
    assert np.allclose(np.linalg.norm(drawn, axis=1), 1)


def test_one_picture_more_of_one_person_changes_little() -> None:
    vectors, names = people()
    more = TemplatePrior.of_public(np.vstack([vectors, *[vectors[:1]] * 300]), [*names, *["p0"] * 300])
    assert np.linalg.norm(more.mean - TemplatePrior.of_public(vectors, names).mean) < 0.1


def test_no_direction_is_impossible_even_with_three_people() -> None:
    prior = TemplatePrior.of_public(*people(3, 5))
    assert np.linalg.eigvalsh(prior.covariance).min() > 1e-4


@pytest.mark.parametrize("vectors, names", [
    (np.eye(4), ["a", "b", "a", "b"]), (np.zeros((4, 4)), list("abcd")), (np.eye(4), list("abc")),
    (np.full((4, 4), np.nan), list("abcd")),
])  # fmt: skip
def test_what_tells_nothing_is_refused(vectors: np.ndarray, names: list[str]) -> None:
    with pytest.raises(ParameterError, match="of_public"):
        TemplatePrior.of_public(vectors, names)

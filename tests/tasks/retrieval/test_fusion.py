"""tasks/retrieval/fusion.py: one inner product is the weighted sum of standardised similarities."""

import numpy as np
import pytest

from privis.errors import ParameterError
from privis.tasks.retrieval import Fusion, Similarity

PARTS = {"colour": (Similarity.HELLINGER, 1.0), "texture": (Similarity.STANDARDISED, 2.0)}


def samples(count=30, seed=3):
    random = np.random.default_rng(seed)
    return {"colour": random.dirichlet(np.ones(6), count), "texture": random.normal(3, 9, (count, 4))}


def test_the_joined_cosine_ranks_as_the_sum_of_standardised_similarities():
    given = samples()
    fusion = Fusion.fit(given, PARTS)
    joined = fusion.vectors(given)
    total = np.zeros((30, 30))
    pairs = np.triu_indices(30, 1)
    for name, (similarity, weight) in PARTS.items():
        values = given[name]
        unit = similarity.prepared(values, values.mean(0), values.std(0))
        cosines = unit @ unit.T
        total += weight * (cosines - cosines[pairs].mean()) / cosines[pairs].std()
    np.testing.assert_allclose(np.linalg.norm(joined, axis=1), 1, atol=1e-12)
    slope, start = np.polyfit(total[pairs], (joined @ joined.T)[pairs], 1)
    np.testing.assert_allclose(slope * total[pairs] + start, (joined @ joined.T)[pairs], atol=1e-9)
    assert slope > 0


def test_vectors_of_one_image_do_not_depend_on_the_others():
    given = samples()
    fusion = Fusion.fit(given, PARTS)
    alone = fusion.vectors({name: values[4:5] for name, values in given.items()})
    np.testing.assert_array_equal(alone[0], fusion.vectors(given)[4])
    assert fusion.components == 10


def test_identity_tells_fusions_apart():
    first, again, other = (Fusion.fit(samples(seed=seed), PARTS) for seed in (3, 3, 4))
    assert first.identity == again.identity != other.identity
    weighed = Fusion.fit(samples(), PARTS | {"colour": (Similarity.HELLINGER, 1.5)})
    assert weighed.identity != first.identity


def test_an_image_that_is_zero_in_one_part_keeps_length_one():
    given = samples()
    fusion = Fusion.fit(given, PARTS)
    one = {"colour": np.zeros((1, 6)), "texture": given["texture"][:1]}
    assert np.linalg.norm(fusion.vectors(one)) == pytest.approx(1)
    nothing = {"colour": np.zeros((1, 6)), "texture": fusion.parts[1].mean[None]}
    assert not fusion.vectors(nothing).any()


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"colour": np.ones((4, 6))}, "no samples of texture"),
        ({"colour": np.ones((4, 6)), "texture": np.ones((5, 4))}, "4 of colour, 5 of texture"),
        ({"colour": np.eye(2), "texture": np.eye(2)}, "at least three"),
        ({"colour": np.ones((4, 6)), "texture": np.ones((4, 4))}, r"spread: got 0\.0"),
    ],
)
def test_samples_that_cannot_be_fitted(given, match):
    with pytest.raises(ParameterError, match=match):
        Fusion.fit(given, PARTS)


def test_vectors_of_another_feature():
    fusion = Fusion.fit(samples(), PARTS)
    with pytest.raises(ParameterError, match="no vectors of texture"):
        fusion.vectors({"colour": np.ones((1, 6))})
    with pytest.raises(ParameterError, match=r"\(rows, 4\)"):
        fusion.vectors({"colour": np.ones((1, 6)), "texture": np.ones((1, 5))})
    with pytest.raises(ParameterError, match="1 of colour, 2 of texture"):
        fusion.vectors({"colour": np.ones((1, 6)), "texture": np.ones((2, 4))})


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan"), float("inf")])
def test_weights_are_positive(weight):
    with pytest.raises(ParameterError, match="weight"):
        Fusion.fit(samples(), PARTS | {"colour": (Similarity.HELLINGER, weight)})

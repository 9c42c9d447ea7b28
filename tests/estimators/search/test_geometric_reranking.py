"""estimators/search/geometric_reranking.py: turned, mirrored and cropped copies come first; missing files are told."""

from dataclasses import dataclass

import numpy as np
import pytest

from privis.errors import ImageError, ParameterError
from privis.estimators.search.geometric_reranking import (
    GeometricReRanking,
    UnreadImageWarning,
    described,
    most_similar_view,
    right_angle_views,
)
from privis.extraction.recipes.dead_leaves import dead_leaves
from privis.stores import SearchResult

PICTURES = [dead_leaves(seed, size=160) for seed in range(3)]


def test_views_are_the_eight_symmetries_of_a_square():
    views = right_angle_views(np.arange(9, dtype=np.uint8).reshape(3, 3))
    assert len({view.tobytes() for view in views}) == 8 and np.array_equal(views[0], np.arange(9).reshape(3, 3))
    assert len(right_angle_views(np.zeros((2, 3, 3), np.uint8), mirrored=False)) == 4


def test_a_row_counts_as_its_most_similar_view():
    ids = (("a", "b"), ("b", "c"), ("c", "a"), ("a", "b"))
    scores = tuple(np.array(pair) for pair in ((0.9, 0.1), (0.95, 0.2), (0.3, 0.2), (0.4, 0.1)))
    metadata = tuple(tuple({"of": name} for name in names) for names in ids)
    told = most_similar_view(SearchResult(ids, scores, metadata, 0.9), views=2, top=2)
    assert told.ids == (("b", "a"), ("a", "c")) and told.recall == 0.9
    assert [list(values) for values in told.scores] == [[0.95, 0.9], [0.4, 0.3]]
    assert told.metadata[1] == ({"of": "a"}, {"of": "c"})
    assert most_similar_view(SearchResult(ids, scores), 4, 1).ids == (("b",),)
    with pytest.raises(ParameterError, match="views"):
        most_similar_view(SearchResult(ids, scores), 3, 1)


@dataclass(frozen=True)
class Found:
    """The most similar images of a query."""

    ids: tuple
    similarities: np.ndarray


def order(query, images, **settings) -> list[int]:
    found = Found(tuple(images), np.linspace(0.9, 0.1, len(images)))
    scores = GeometricReRanking(**settings).scores(query, np.zeros(1, np.float32), found)
    return [int(place) for place in np.argsort(-scores, kind="stable")]


@pytest.mark.parametrize("change", [np.rot90, np.fliplr, lambda image: image[20:140, 10:130]])
def test_a_copy_comes_first_and_the_others_keep_their_order(change):
    copy = np.ascontiguousarray(change(PICTURES[2]))
    counts, unread = GeometricReRanking().agreeing(GeometricReRanking().key_points(copy), PICTURES)
    assert counts[:2] == [0, 0] and counts[2] > 20 and not unread
    assert order(copy, PICTURES) == [2, 0, 1]


def test_without_mirrors_a_mirrored_copy_agrees_by_chance_alone():
    mirrored = np.ascontiguousarray(PICTURES[2][:, ::-1])
    counts = [
        check.agreeing(check.key_points(mirrored), PICTURES[2:])[0][0]
        for check in (GeometricReRanking(), GeometricReRanking(mirrored=False))
    ]
    assert counts[1] < counts[0] / 2


def test_only_the_most_similar_are_compared():
    assert order(PICTURES[2], [*PICTURES[:2], "never read"], most=2) == [0, 1, 2]


def test_files_that_are_missing_are_told_and_keep_their_order(tmp_path):
    gone = str(tmp_path / "gone.png")
    with pytest.warns(UnreadImageWarning, match=r"1 image of.*gone\.png"):
        assert order(PICTURES[1], [PICTURES[0], gone, PICTURES[1]]) == [2, 0, 1]
    with pytest.raises(ImageError):
        order(tmp_path / "no.png", PICTURES[:1])


def test_large_images_are_reduced_and_flat_ones_have_no_key_points():
    found = described(np.repeat(np.repeat(PICTURES[0], 8, 0), 8, 1))
    assert len(found.positions) <= 500 and found.positions.max() <= 640
    assert len(described(np.full((40, 40), 9, np.uint8)).positions) == 0


def test_a_number_below_one_is_refused():
    with pytest.raises(ParameterError, match="most"):
        GeometricReRanking(most=0)

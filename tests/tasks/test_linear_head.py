"""Heads behind features: the same scores as in the clear on every executor, files, decisions, and what is refused.

Answers for `privis.tasks.linear_head`, `privis.tasks.linear_stages`, `privis.tasks.decisions` and
`privis.tasks.head_files`.
"""

from __future__ import annotations

import dataclasses
import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import privis
from privis.errors import ParameterError, PrivisError, UnsupportedError
from privis.features.feature import Array, traced_after, vector
from privis.features.image_ops import owner_image
from privis.identity import identity
from privis.privacy.learning.standardisation import Standardisation
from privis.program import Input, Program, Value, trace
from privis.readings import evaluate
from privis.tasks import LinearHead, LinearMap, Link, Revealed, Scaling, Scored, UnitLength
from privis.tasks.decisions import decided
from privis.tasks.head_files import FORMAT
from privis.tasks.linear_stages import folded, longest
from privis.training.heads import Head, load_head
from tests.conformance.samples import SAMPLES

RNG = np.random.default_rng(3)
IMAGES = [RNG.integers(0, 256, (16, 16, 3), np.uint8) for _ in range(3)]
COLOUR = privis.ColourHistogram(bins=3, size=(16, 16))


def linear(rows: int, components: int, seed: int = 0) -> LinearMap:
    rng = np.random.default_rng(seed)
    return LinearMap(rng.normal(size=(rows, components)), rng.normal(size=rows))


def head_of(components: int, *before: Scaling | UnitLength, rows: int = 3, link: Link = Link.SOFTMAX) -> LinearHead:
    return LinearHead(("cat", "dog", "eel")[:rows], (*before, linear(rows, components)), link)


def trained(components: int, *, standardised: bool = False, feature: object = None) -> Head:
    rng = np.random.default_rng(5)
    kept = Standardisation(rng.normal(size=components) / 9, rng.uniform(0.1, 0.4, components)) if standardised else None
    card = {} if feature is None else {"name": "a name", **feature}  # type: ignore[dict-item]
    guarantee = privis.FeatureRelease(privis.Gaussian(1.0, 1e-6), clip=1.0).guarantee((3,))
    return Head(("cat", "dog", "eel"), rng.normal(size=(3, components + 1)), guarantee, kept, card)


AT_THE_OWNER = {"glcm", "sift", "dense-sift", "surf", "colour-projected"}
"""Samples whose last step no program can compute."""
MORE = {
    "density": privis.ColourHistogram(bins=3, density=True),
    "lbp density": privis.LBP(density=True, grid=(2, 2)),
    "l2": privis.Posted(privis.HOG(size=(32, 32)), (privis.L2(),)),
    "random": privis.Posted(COLOUR, (privis.RandomProjection(4), privis.L2())),
}
FEATURES = {sample.label: sample.feature for sample in SAMPLES} | MORE


@pytest.mark.parametrize("name", sorted(AT_THE_OWNER))
def test_a_last_step_of_the_owner_is_no_program(name: str) -> None:
    found = []
    trace(lambda x: (found.append(traced_after(FEATURES[name], x, (64, 64))), x)[1], Input((4, 6)))
    assert found == [None]


@pytest.mark.parametrize("name", sorted(FEATURES.keys() - AT_THE_OWNER))
def test_what_after_computes_is_what_its_program_computes(name: str) -> None:
    feature = FEATURES[name]
    core = feature.before(owner_image(feature, RNG.integers(0, 256, (64, 64, 3), np.uint8)))
    program = feature.program(core.shape)
    values = evaluate(program, core)
    expected = feature.after(values)

    def after(x: Value) -> Value:
        made = traced_after(feature, x, core.shape)
        assert made is not None
        return made

    made = evaluate(trace(after, Input(program.output_shapes[0], -np.inf, np.inf, None)), values)
    assert np.allclose(made, expected, atol=1e-5 * np.abs(expected).max())


@dataclass(frozen=True)
class Rooted(privis.ColourHistogram):
    """A subclass whose own last step nobody has written down."""

    def after(self, values: Array) -> Array:
        return np.sqrt(vector(values))


@dataclass(frozen=True)
class RootedHOG(privis.HOG):
    def after(self, values: Array) -> Array:
        return np.sqrt(vector(values))


@pytest.mark.parametrize("feature", [Rooted(bins=3), RootedHOG(), privis.Posted(COLOUR, (privis.L1(),))])
def test_what_only_the_owner_computes_is_not_followed_and_the_way_out_is_named(feature: privis.Feature) -> None:
    shape = privis.features.feature.core_shape(feature, (64, 64))
    head = head_of(len(feature.names(shape)))
    with pytest.raises(UnsupportedError, match=r"the owner's.*AtOwner\(feature\) >> head"):
        (Scored(feature, head) if feature.size is None else feature >> head).program(shape)


@pytest.mark.parametrize("standardised", [False, True])
@pytest.mark.parametrize("density", [False, True])
def test_a_trained_head_scores_as_in_the_clear(standardised: bool, density: bool) -> None:
    feature = dataclasses.replace(COLOUR, density=density)
    head = trained(9, standardised=standardised)
    scored = feature >> head
    vectors = privis.extract(feature, IMAGES).features
    found = privis.extract(scored, IMAGES)
    assert np.allclose(found.features, head.scores(vectors), atol=2e-5)
    assert found.names == head.classes
    decision = head.decide(found.features)
    assert list(decision.labels) == head.predict(vectors)
    assert np.allclose(decision.probabilities, head.probabilities(vectors), atol=1e-5)
    program = head.program(feature, (3, 16, 16))
    assert np.allclose(evaluate(program, feature.before(IMAGES[0])), found.features[0], atol=1e-4)


def test_counts_stay_whole_numbers_before_a_division_by_their_length() -> None:
    density = dataclasses.replace(COLOUR, density=True)
    with_factor, without = (len(trained(9).program(f, (3, 16, 16)).nodes) for f in (density, COLOUR))
    assert with_factor == without


def test_a_head_of_another_feature_is_refused_before_any_image() -> None:
    from privis.extraction.card import described

    told = trained(9, feature=described(COLOUR))
    assert isinstance(COLOUR >> told, Scored)
    assert isinstance(privis.AtOwner(COLOUR) >> told, Scored)
    with pytest.raises(ParameterError, match=r"space: got 'hsv', expected 'rgb', as trained"):
        dataclasses.replace(COLOUR, space=privis.ColourSpace.HSV) >> told
    with pytest.raises(ParameterError, match=r"\(12,\).*\(9,\), as the head was trained on"):
        dataclasses.replace(COLOUR, bins=4) >> head_of(9)
    with pytest.raises(TypeError):
        privis.HOG >> head_of(9)  # type: ignore[operator]


def test_zero_vectors_have_no_direction_and_no_error() -> None:
    black = np.zeros((16, 16), np.uint8)
    feature = privis.HOG(size=(32, 32))
    head = LinearHead(("a", "b"), (UnitLength(), linear(2, 324)))
    found = privis.extract(feature >> head, [black]).features
    assert np.allclose(found, head.scores(np.zeros((1, 324))))


def test_stages_are_merged_to_the_same_function() -> None:
    rng = np.random.default_rng(1)
    scaling = [Scaling(rng.normal(size=4), rng.normal(size=4)) for _ in range(2)]
    stages = (*scaling, linear(4, 4, 1), scaling[0], UnitLength(), UnitLength(), scaling[1], linear(3, 4, 2))
    rows = rng.normal(size=(5, 4))
    expected = rows
    for stage in stages:
        expected = stage(expected)
    made = folded(stages)
    assert [type(stage).__name__ for stage in made] == ["LinearMap", "UnitLength", "LinearMap"]
    head = LinearHead(("a", "b", "c"), stages)
    assert np.allclose(head.scores(rows), expected)
    for stage in made:
        most = longest(stage, 2.0)
        short = 2.0 * rows / np.linalg.norm(rows, axis=1, keepdims=True)
        assert np.linalg.norm(stage(short), axis=1).max() <= most * (1 + 1e-12)


@pytest.mark.parametrize("link", list(Link))
def test_decisions_and_probabilities(link: Link) -> None:
    scores = np.array([[0.0, 2.0, -1.0], [5.0, 5.0, 1.0]])
    found = decided(("a", "b", "c"), 3, link, scores, Revealed.SCORES)
    assert found.labels == (() if link is Link.VALUES else ("b", "a"))
    if link in (Link.SOFTMAX, Link.LOGISTIC):
        assert found.probabilities is not None and np.allclose(found.probabilities.sum(1), 1)
        assert (found.probabilities.argmax(1) == [1, 0]).all()
    else:
        assert found.probabilities is None
    assert decided(("a", "b"), 1, Link.LARGEST, np.array([[0.0], [1e-9]]), Revealed.SCORES).labels == ("a", "b")
    with pytest.raises(ParameterError, match=r"shape \(2, 3\)"):
        decided(("a", "b"), 1, link, scores, Revealed.SCORES)


@pytest.mark.parametrize("rows", [1, 3])
def test_the_class_alone_is_what_the_scores_decide(rows: int) -> None:
    names = ("no", "yes") if rows == 1 else ("cat", "dog", "eel")
    scored = COLOUR >> LinearHead(names, (linear(rows, 9),))
    alone = dataclasses.replace(scored, answer=Revealed.CLASS)
    scores, numbers = privis.extract(scored, IMAGES).features, privis.extract(alone, IMAGES)
    assert numbers.names == ("class",) and numbers.features.shape == (3, 1)
    assert alone.decide(numbers.features).labels == scored.decide(scores).labels
    with pytest.raises(ParameterError, match="a head of values"):
        dataclasses.replace(COLOUR >> head_of(9, link=Link.VALUES), answer=Revealed.CLASS)


def test_identities_tell_heads_apart_and_copies_are_equal() -> None:
    one = COLOUR >> head_of(9)
    copy = pickle.loads(pickle.dumps(one))
    other = COLOUR >> LinearHead(("cat", "dog", "eel"), (linear(3, 9, seed=1),), Link.SOFTMAX)
    assert identity(one) == identity(copy) != identity(other)
    assert identity(COLOUR >> trained(9)) == identity(COLOUR >> trained(9))
    assert identity(dataclasses.replace(one, answer=Revealed.CLASS)) != identity(one)


def test_scores_are_bounded_by_what_they_say_of_their_norm() -> None:
    scored = COLOUR >> head_of(9, UnitLength())
    norms = privis.features.largest_norms(scored, (3, 16, 16))
    assert norms is not None
    assert np.linalg.norm(privis.extract(scored, IMAGES).features, axis=1).max() <= norms.l2 * (1 + 1e-6)


def test_a_saved_head_is_the_same(tmp_path: Path) -> None:
    head = head_of(9, Scaling(np.full(9, 2.0), np.ones(9)), UnitLength(), Scaling(np.full(9, 3.0), np.ones(9)))
    head.save(tmp_path / "head.npz")
    read = LinearHead.load(tmp_path / "head.npz")
    assert identity(read) == identity(head)
    assert isinstance(load_head(tmp_path / "head.npz"), LinearHead)
    trained(9).save(tmp_path / "trained.npz")
    assert isinstance(load_head(tmp_path / "trained.npz"), Head)
    with pytest.raises(ParameterError, match="a classifier, expected a head that LinearHead"):
        LinearHead.load(tmp_path / "trained.npz")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["head.npz", "trained.npz"]
    with pytest.raises(privis.OutputError):
        head.save(tmp_path / "no" / "head.npz")


def test_damaged_and_hostile_files_are_our_errors(tmp_path: Path) -> None:
    path = tmp_path / "head.npz"
    head_of(9, UnitLength()).save(path)
    content = path.read_bytes()
    for place in range(0, len(content), 37):
        damaged = bytearray(content)
        damaged[place] ^= 0xFF
        path.write_bytes(bytes(damaged))
        try:
            LinearHead.load(path)
        except PrivisError:
            pass
    path.write_bytes(content[:-90])
    with pytest.raises(ParameterError, match=r"LinearHead\.save"):
        LinearHead.load(path)
    np.savez(
        path, metadata=np.array(f'{{"format": "{FORMAT}", "classes": ["a"], "link": "largest", "stages": ["os"]}}')
    )
    with pytest.raises(ParameterError, match="KeyError"):
        LinearHead.load(path)


@pytest.mark.parametrize(
    ("classes", "stages", "said"),
    [
        (("a", "b"), (linear(3, 4),), "2 names"),
        (("a", "a", "b"), (linear(3, 4),), "different names"),
        (("a", "b", "c"), (UnitLength(),), "the last is LinearMap"),
        (("a", "b", "c"), (Scaling(np.ones(5), np.ones(5)), linear(3, 4)), "4 components"),
        (("a", "b", "c"), (LinearMap(np.full((3, 4), np.nan), np.zeros(3)),), "finite"),
        (("a", "b", "c"), (LinearMap(np.ones((3, 4)), np.zeros(2)),), "fitting shapes"),
    ],
)  # fmt: skip
def test_parts_that_do_not_fit_are_named(classes: tuple[str, ...], stages: tuple[object, ...], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        LinearHead(classes, stages)  # type: ignore[arg-type]


def test_hidden_values_give_the_clear_class() -> None:
    images = [RNG.integers(0, 256, (8, 8, 3), np.uint8) for _ in range(2)]
    feature = privis.ColourHistogram(bins=2, size=(8, 8))
    scored = feature >> LinearHead(("a", "b", "c"), (Scaling(np.full(6, 1 / 64), np.zeros(6)), linear(3, 6)))
    clear = privis.extract(scored, images).features
    hidden = privis.extract(scored, images[:1], under=privis.CKKS()).features
    assert np.abs(hidden - clear[:1]).max() < 1e-3 * np.abs(clear).max()


def test_parties_give_the_clear_class_and_may_reveal_it_alone() -> None:
    scored = privis.ColourHistogram(bins=2, size=(8, 8)) >> trained(6, standardised=True)
    images = [RNG.integers(0, 256, (8, 8, 3), np.uint8) for _ in range(2)]
    with privis.MPC() as parties:
        found = privis.extract(scored, images, under=parties).features
        alone = dataclasses.replace(scored, answer=Revealed.CLASS)
        assert alone.decide(privis.extract(alone, images, under=parties).features).labels == scored.decide(found).labels
    clear = privis.extract(scored, images).features
    assert np.abs(found - clear).max() < 5e-3 * np.abs(clear).max()


def test_a_program_followed_by_a_head_is_refused_by_its_shapes() -> None:
    program = trace(lambda x: x * 2.0, Input((4,)))
    assert isinstance(program >> program, Program)
    with pytest.raises(TypeError):
        program >> head_of(4)

"""`privis.training.quadratic`: networks of squares, trained without privacy, as heads and as files.

Answers for `privis.training.quadratic`, `privis.tasks.linear_stages` where it squares, and `privis train --public`.
"""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import privis
from privis.cli.main import app
from privis.errors import MissingExtraError, ParameterError
from privis.io import tables
from privis.program import Input, trace
from privis.tasks import LinearHead, LinearMap, Square
from privis.tasks.linear_stages import folded, longest
from privis.training import QuadraticTraining, train_quadratic

pytest.importorskip("torch")

NAMES = ("inner", "outer")


def rings(count=300, seed=0):
    """Two rings, which no linear head tells apart."""
    rng = np.random.default_rng(seed)
    angle = rng.uniform(0, 2 * np.pi, 2 * count)
    points = np.stack([np.cos(angle), np.sin(angle)], 1) * np.repeat([1.0, 2.0], count)[:, None]
    return points, [NAMES[0]] * count + [NAMES[1]] * count


def test_squares_tell_rings_apart_and_equal_plans_give_equal_weights():
    points, names = rings()
    plan = QuadraticTraining(4, epochs=40, rate=0.05)
    told = []
    one, other = (train_quadratic(plan, points, names, NAMES, on_progress=told.append) for _ in range(2))
    assert one.decide(one.scores(points)).labels == tuple(names)
    assert all(np.array_equal(a.matrix, b.matrix) for a, b in zip(one.stages[::2], other.stages[::2], strict=True))
    assert [each.done for each in told] == [*range(1, 41)] * 2 and told[39].loss < told[0].loss
    assert not np.array_equal(
        train_quadratic(QuadraticTraining(4, epochs=1, seed=1), points, names, NAMES).last.matrix,
        train_quadratic(QuadraticTraining(4, epochs=1), points, names, NAMES).last.matrix,
    )


def test_components_that_never_vary_do_no_harm():
    points, names = rings()
    wide = np.concatenate([points, np.full((len(points), 3), 7.0)], 1)
    head = train_quadratic(QuadraticTraining(4, epochs=40, rate=0.05), wide, names, NAMES)
    assert head.decide(head.scores(wide)).labels == tuple(names)


@pytest.mark.parametrize(
    ("plan", "said"),
    [({"hidden": 0, "rate": 0.0, "seed": -1}, ("hidden", "rate", "seed")), ({"epochs": True}, ("epochs",))],
)
def test_all_bad_parameters_are_named(plan, said):
    with pytest.raises(ParameterError) as error:
        QuadraticTraining(**plan)
    assert all(f"QuadraticTraining.{name}" in str(error.value) for name in said)


def test_labels_that_do_not_fit_are_refused():
    points, names = rings(4)
    for labels, classes in ((names[:-1], NAMES), (names, ("inner", "other")), (names, ("inner",))):
        with pytest.raises(ParameterError):
            train_quadratic(QuadraticTraining(2, epochs=1), points, labels, classes)
    with pytest.raises(ParameterError, match="vectors"):
        train_quadratic(QuadraticTraining(2, epochs=1), points * np.nan, names, NAMES)


def squared():
    """A head whose scores are those of a network of squares."""
    first = LinearMap(np.array([[1.0, 2.0], [0.5, -1.0], [3.0, 0.0]]), np.array([0.0, 1.0, -2.0]))
    return LinearHead(
        ("a", "b"), (first, Square(), LinearMap(np.array([[1.0, 0.0, 2.0], [0.0, 1.0, 0.0]]), np.zeros(2)))
    )


def test_squares_are_kept_apart_and_bounded():
    head = squared()
    rows = np.random.default_rng(0).normal(size=(5, 2))
    hidden = (rows @ head.stages[0].matrix.T + head.stages[0].bias) ** 2
    assert np.allclose(head.scores(rows), hidden @ head.last.matrix.T)
    assert folded([Square(), Square()]) == (Square(), Square())  # a fourth power is no square
    assert longest(Square(), 3.0) == 9.0
    points = np.random.default_rng(1).normal(size=(50, 3))
    assert np.linalg.norm(points**2, axis=1).max() <= longest(Square(), np.linalg.norm(points, axis=1).max())


def test_a_head_of_squares_is_a_file_and_a_program(tmp_path):
    path = tmp_path / "head.npz"
    squared().save(path)
    with np.load(path) as members:
        assert json.loads(str(members["metadata"]))["format"] == "privis.linear-head/2"
    kept = LinearHead.load(path)
    feature = privis.CNN(trace(lambda x: x.reshape(2), Input((1, 1, 2), 0.0, 1.0, None)))
    images = [np.array([[0, 255]], np.uint8), np.array([[51, 102]], np.uint8)]
    found = privis.extract(feature >> kept, images).features
    assert np.allclose(found, kept.scores(np.array([[0.0, 1.0], [0.2, 0.4]])), atol=1e-5)
    plain = tmp_path / "plain.npz"
    LinearHead(("a", "b"), (LinearMap(np.ones((2, 2)), np.zeros(2)),)).save(plain)
    with np.load(plain) as members:  # what reads format 1 alone still reads heads without squares
        assert json.loads(str(members["metadata"]))["format"] == "privis.linear-head/1"


def run(words):
    found = CliRunner().invoke(app, [*map(str, words)])
    return found.exit_code, found.stdout, found.output


def test_the_command_trains_on_public_images_without_a_guarantee(tmp_path):
    points, names = rings(40)
    table, head = tmp_path / "rings.npz", tmp_path / "head.npz"
    paths = [f"{name}/{number}.png" for number, name in enumerate(names)]
    tables.write(table, paths, [points.astype(np.float32)], names=["x", "y"], metadata={})
    words = ["train", table, "--labels-from", "folder", "--classes", "inner,outer", "-o", head]
    code, told, _ = run([*words, "--public", "--hidden", 4, "--epochs", 2, "--json"])
    assert (code, json.loads(told)["guarantee"]) == (0, None)
    assert LinearHead.load(head).classes == NAMES
    code, _, said = run(words)
    assert code != 0 and "--public" in said and "--epsilon" in said
    code, _, said = run([*words, "--public", "--epsilon", "3"])
    assert code != 0 and "--epsilon" in said
    assert run(["info", head])[1].count("through squares") == 1


def test_without_torch_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "torch", None)
    points, names = rings(4)
    with pytest.raises(MissingExtraError, match="train"):
        train_quadratic(QuadraticTraining(2, epochs=1), points, names, NAMES)

"""Projections against scikit-learn and SciPy, and files that mean harm.

Answers for `privis.features.postprocessing.directions`.
"""

from __future__ import annotations

import pickle
import zipfile

import numpy as np
import pytest
from scipy.linalg import eigh, subspace_angles
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from privis import HOG, extract
from privis.errors import OutputError, ParameterError
from privis.features.postprocessing.projection import Projection, RandomProjection

SOURCE = "random numbers"


def cloud(rows: int, columns: int, seed: int = 0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return generator.normal(size=(rows, columns)) * np.linspace(3, 0.5, columns) @ generator.normal(size=(columns,) * 2)


@pytest.mark.parametrize("whiten", [False, True])
@pytest.mark.parametrize("shape", [(200, 12), (12, 200)])
def test_pca_is_scikit_learns_up_to_sign(shape, whiten):
    points = cloud(*shape)
    ours = Projection.pca(points, 8, SOURCE, whiten=whiten)(points)
    theirs = PCA(8, whiten=whiten, svd_solver="full").fit_transform(points)
    signs = np.sign((ours * theirs).sum(0))
    np.testing.assert_allclose(ours * signs, theirs, atol=1e-5 * np.abs(theirs).max())
    if whiten:
        np.testing.assert_allclose(ours.std(0, ddof=1), 1, atol=1e-5)


def test_directions_are_unit_and_point_where_their_largest_entry_does():
    matrix = Projection.pca(cloud(50, 20), 10, SOURCE).matrix
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(10), atol=1e-12)
    for points in (cloud(50, 20), -cloud(50, 20), cloud(50, 20)[::-1]):
        np.testing.assert_allclose(Projection.pca(points, 10, SOURCE).matrix, matrix, atol=1e-9)


def test_pca_refuses_directions_that_do_not_vary():
    flat = np.outer(np.arange(9.0), np.ones(5))
    assert Projection.pca(flat, 1, SOURCE).matrix.round(6).tolist() == [[round(5**-0.5, 6)] * 5]
    for points in (flat, np.ones((9, 5)), cloud(3, 8)):
        with pytest.raises(ParameterError, match="at most"):
            Projection.pca(points, 3, SOURCE)


def classes() -> tuple[np.ndarray, np.ndarray]:
    labels = np.repeat([3, 5, 8, 9], [40, 60, 30, 50])
    return cloud(180, 10) + np.random.default_rng(4).normal(size=(10, 10))[labels] * 4, labels


def test_lda_spans_scikit_learns_subspace():
    points, labels = classes()
    ours = Projection.lda(points, labels, 3, SOURCE, shrinkage=0.0)
    theirs = LinearDiscriminantAnalysis(solver="eigen").fit(points, labels)
    for count in (1, 2, 3):
        assert subspace_angles(ours.matrix[:count].T, theirs.scalings_[:, :count]).max() < 1e-6
    within = np.mean([np.cov(ours(points[labels == k]).T, ddof=0) * (labels == k).mean() * 4 for k in set(labels)], 0)
    np.testing.assert_allclose(within, np.eye(3), atol=1e-5)


def test_shrunk_lda_solves_the_generalised_eigenproblem():
    points, labels = classes()
    means = np.stack([points[labels == k].mean(0) for k in labels])
    within = (points - means).T @ (points - means) / len(points)
    between = (means - points.mean(0)).T @ (means - points.mean(0)) / len(points)
    shrunk = 0.7 * within + 0.3 * np.trace(within) / 10 * np.eye(10)
    expected = eigh(between, shrunk)[1].T[::-1][:3]
    ours = Projection.lda(points, labels, 3, SOURCE, shrinkage=0.3).matrix
    np.testing.assert_allclose(np.abs(ours), np.abs(expected), atol=1e-8)


def test_lda_without_shrinkage_needs_variance():
    points, labels = classes()
    constant = np.hstack([points, np.ones((180, 1))])
    with pytest.raises(ParameterError, match="shrinkage"):
        Projection.lda(constant, labels, 2, SOURCE, shrinkage=0.0)
    assert np.isfinite(Projection.lda(constant, labels, 2, SOURCE).matrix).all()


def test_random_projections_keep_squared_lengths_on_average_and_repeat():
    vectors = np.random.default_rng(5).normal(size=(4, 60))
    ratios = np.array(
        [(Projection.random(60, 8, f"seed {k}")(vectors) ** 2).sum(1) / (vectors**2).sum(1) for k in range(600)]
    )
    error = ratios.std(0) / np.sqrt(len(ratios))
    assert (np.abs(ratios.mean(0) - 1) < 4 * error).all() and (error < 0.025).all()
    first = Projection.random(60, 8)
    assert first == Projection.random(60, 8, "privis") != Projection.random(60, 8, "other")
    assert first.digest[:16] == "b32f141d8f3d5aca"  # the same on every machine
    np.testing.assert_array_equal(RandomProjection(8)(vectors), first(vectors))
    assert RandomProjection(8).names(("a",) * 60) == first.names(("a",) * 60)


def test_arrays_cannot_change_and_content_decides_equality():
    matrix = np.eye(2, 3)
    made = Projection(matrix, np.zeros(3), SOURCE)
    matrix[0, 0] = 7
    assert made.matrix[0, 0] == 1 and made.names(("a",) * 3) == ("projection_0", "projection_1")
    for array in (made.matrix, made.mean):
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 0
    assert made == Projection(np.eye(2, 3), np.zeros(3), SOURCE)
    others = [
        Projection(np.eye(2, 3) * (1 + 1e-15), np.zeros(3), SOURCE),
        Projection(np.eye(2, 3), np.array([0, 0, 1e-300]), SOURCE),
        Projection(np.eye(2, 3), np.zeros(3), "others"),
        Projection(np.eye(2, 3), np.zeros(3), SOURCE, "pca"),
    ]
    assert len({made, *others}) == len({repr(p) for p in (made, *others)}) == 5
    assert pickle.loads(pickle.dumps(made)) == made


def test_the_leading_components_are_those_of_a_smaller_projection():
    points = cloud(50, 20)
    np.testing.assert_allclose(
        Projection.pca(points, 9, SOURCE).leading(4).matrix, Projection.pca(points, 4, SOURCE).matrix, atol=1e-9
    )
    for bad in (lambda: Projection.pca(points, 3, SOURCE).leading(4), lambda: Projection.random(9, 4).leading(2)):
        with pytest.raises(ParameterError):
            bad()


def test_large_and_missing_numbers_give_finite_vectors():
    step = Projection(np.full((2, 3), 2.0**100), np.zeros(3), SOURCE)
    huge = np.finfo(np.float32).max
    for values in ([huge] * 3, [huge, -huge, huge], [np.nan, 1, 1], [np.inf, -np.inf, 0]):
        assert np.isfinite(step(np.array(values, np.float32))).all()


def test_private_images_have_no_silent_way_in(camera):
    result = extract(HOG(), [camera[:24, :24], camera[24:48, :24]])
    with pytest.raises(ParameterError, match="charge it") as caught:
        Projection.pca(result, 1, SOURCE)  # type: ignore[arg-type]
    assert "released with every feature" in str(caught.value) and "Result" in str(caught.value)
    for learn in (
        lambda: Projection.pca(result.features, 1, " "),
        lambda: Projection.lda(cloud(4, 3), np.array([0, 0, 1, 1]), 1, source=""),
        lambda: Projection(np.eye(2), np.zeros(2), source=None),  # type: ignore[arg-type]
    ):
        with pytest.raises(ParameterError, match="public corpus"):
            learn()
    with pytest.raises(TypeError):
        Projection.pca(result.features, 1)  # type: ignore[call-arg]


def test_everything_that_is_wrong_is_said_at_once():
    with pytest.raises(ParameterError) as caught:
        Projection(np.full((2, 2), np.nan), np.zeros((2, 2)), source="", name="two words")
    assert len(caught.value.problems) == 4
    with pytest.raises(ParameterError) as caught:
        Projection.lda(np.zeros(3), np.zeros(2), 0, source="", shrinkage=2)
    assert len(caught.value.problems) == 5
    with pytest.raises(ParameterError, match="as many means"):
        Projection(np.eye(2), np.zeros(3), SOURCE)
    with pytest.raises(ParameterError, match="3 components"):
        Projection(np.eye(3), np.zeros(3), SOURCE)(np.zeros(4))


def test_projections_survive_files(tmp_path):
    made = Projection.pca(cloud(50, 20), 3, "fifty points, für alle öffentlich")
    made.save(tmp_path / "pca.npz")
    again = Projection.load(tmp_path / "pca.npz")
    assert again == made and again.source == made.source and not again.matrix.flags.writeable
    with pytest.raises(OutputError):
        made.save(tmp_path / "no folder" / "pca.npz")


class Exploit:
    ran = False

    def __reduce__(self):
        return (setattr, (Exploit, "ran", True))


def test_hostile_files_are_refused(tmp_path):
    made = Projection.pca(cloud(9, 5), 2, SOURCE)
    made.save(tmp_path / "good.npz")
    good = (tmp_path / "good.npz").read_bytes()
    text = {"source": np.array(SOURCE), "name": np.array("pca")}
    numbers = {"matrix": np.eye(2), "mean": np.zeros(2)}
    np.savez(tmp_path / "pickle.npz", matrix=np.array([[Exploit()]], object), mean=np.zeros(1), **text)
    np.savez(tmp_path / "nan.npz", matrix=np.full((2, 2), np.nan), mean=np.zeros(2), **text)
    np.savez(tmp_path / "complex.npz", matrix=np.eye(2) * 1j, mean=np.zeros(2), **text)
    np.savez(tmp_path / "missing.npz", **numbers)
    np.savez(tmp_path / "unnamed.npz", **numbers, source=np.array(" "), name=np.array("pca"))
    np.savez(tmp_path / "empty.npz", matrix=np.zeros((0, 2)), mean=np.zeros(2), **text)
    np.save(tmp_path / "array.npy", np.eye(3))
    (tmp_path / "object.npz").write_bytes(pickle.dumps(Exploit()))
    (tmp_path / "words.npz").write_text("pca")
    (tmp_path / "nothing.npz").write_bytes(b"")
    (tmp_path / "cut.npz").write_bytes(good[:-80])
    (tmp_path / "turned.npz").write_bytes(good[:120] + bytes(40) + good[160:])
    with zipfile.ZipFile(tmp_path / "endless.npz", "w") as archive:
        header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776, 1048576), }"
        archive.writestr("matrix.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    for path in [*tmp_path.glob("*.np[yz]"), tmp_path, tmp_path / "absent.npz"]:
        if path.name != "good.npz":
            with pytest.raises(ParameterError):
                Projection.load(path)
    assert not Exploit.ran

"""Visual words and VLAD against plain numpy and scikit-learn's k-means."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from skimage import data
from sklearn.cluster import MiniBatchKMeans

from privis.errors import OutputError, ParameterError, ProgramError
from privis.features.colour import ColourHistogram
from privis.features.feature import Feature
from privis.features.keypoints.aggregate import PRESENT, VLAD, BagOfVisualWords, Codebook
from privis.features.keypoints.sift import SIFT, DenseSIFT
from privis.identity import identity
from privis.program import Program, digest, load, ops, save
from privis.readings import broken_promises, domain_problems, evaluate

LOCALS = [SIFT(keypoints=300), SIFT(keypoints=700, size=(200, 220)), DenseSIFT(step=24)]
WORDS = 24


@pytest.fixture(scope="module")
def codebook() -> Codebook:
    described = [SIFT().describe(photograph())[1] for photograph in (data.coffee, data.chelsea, data.coins)]
    return Codebook.fit(np.concatenate(described), WORDS, source="three photographs of scikit-image", seed=1)


def core_rows(local: Feature, image: np.ndarray) -> np.ndarray:
    core_input = local.before(image)
    return evaluate(local.program(core_input.shape), core_input)


def vector(feature: Feature, image: np.ndarray) -> np.ndarray:
    core_input = feature.before(image)
    return feature.after(evaluate(feature.program(core_input.shape), core_input))


def nearest(rows: np.ndarray, centres: np.ndarray) -> np.ndarray:
    return ((rows[:, None].astype(float) - centres) ** 2).sum(2).argmin(1)


def plain_vlad(rows: np.ndarray, centres: np.ndarray) -> np.ndarray:
    rows = rows[(rows**2).sum(1) >= PRESENT]
    words, blocks = nearest(rows, centres), np.zeros(centres.shape)
    for word, row in zip(words, rows, strict=True):
        blocks[word] += row - centres[word]
    for block in blocks:
        block /= np.linalg.norm(block) or 1.0
    return blocks.ravel() / np.linalg.norm(blocks)


@pytest.mark.parametrize("photograph", [data.astronaut, data.camera, data.rocket])
@pytest.mark.parametrize("local", LOCALS)
def test_words_and_vlad_equal_plain_numpy(local, photograph, codebook):
    rows = core_rows(local, photograph())
    present = rows[(rows**2).sum(1) >= PRESENT]
    counts = np.bincount(nearest(present, codebook.centres), minlength=WORDS)
    assert 0 < len(present) and counts.max() < len(present)
    np.testing.assert_array_equal(vector(BagOfVisualWords(local, codebook), photograph()), counts)
    got = vector(VLAD(local, codebook), photograph())
    np.testing.assert_allclose(got, plain_vlad(rows, codebook.centres), atol=1e-4)
    assert np.linalg.norm(got) == pytest.approx(1, abs=1e-5)


def test_vlad_without_intra_normalisation_is_the_sums_alone(codebook):
    plain, usual = VLAD(LOCALS[0], codebook, intra=False), VLAD(LOCALS[0], codebook)
    rows = core_rows(plain.local, data.astronaut())
    present = rows[(rows**2).sum(1) >= PRESENT]
    words = nearest(present, codebook.centres)
    sums = np.stack([(present[words == w] - codebook.centres[w]).sum(0) for w in range(WORDS)]).ravel()
    np.testing.assert_allclose(vector(plain, data.astronaut()), sums / np.linalg.norm(sums), atol=1e-4)
    assert identity(plain) != identity(usual) and "intra=False" in repr(plain) and "intra" not in repr(usual)
    with pytest.raises(ParameterError, match="intra"):
        VLAD(LOCALS[0], codebook, intra="no")


def test_missing_key_points_do_not_vote(codebook):
    few, many = (BagOfVisualWords(SIFT(keypoints=n, size=(100, 100)), codebook) for n in (20, 1000))
    image = data.astronaut()
    found = len(SIFT(size=(100, 100)).detect(image))
    assert vector(few, image).sum() == 20 < found
    assert vector(many, image).sum() == found < 1000
    for feature in (many, VLAD(many.local, codebook), VLAD(DenseSIFT(), codebook)):
        assert not vector(feature, np.full((40, 40), 90, np.uint8)).any()


def test_a_codebook_is_scikit_learns():
    described = SIFT().describe(data.astronaut())[1]
    padded = np.concatenate([described, np.zeros((50, 128), np.float32)])
    codebook = Codebook.fit(padded, 10, source="one photograph", seed=3)
    reference = MiniBatchKMeans(10, random_state=3, n_init="auto").fit(described)
    np.testing.assert_allclose(codebook.centres, reference.cluster_centers_, atol=1e-6)
    rows = core_rows(SIFT(keypoints=len(described)), data.astronaut())
    counts = np.bincount(reference.predict(rows), minlength=10)
    np.testing.assert_array_equal(
        vector(BagOfVisualWords(SIFT(keypoints=len(rows)), codebook), data.astronaut()), counts
    )


def promises(program: Program) -> list[type]:
    return [type(program.nodes[int(p.where.split()[1])].op) for p in domain_problems(program)]


@pytest.mark.parametrize("local", LOCALS)
def test_photographs_keep_the_promised_domains(local, codebook):
    for feature, promised in ((BagOfVisualWords(local, codebook), 2), (VLAD(local, codebook), 4)):
        for photograph in (data.astronaut, data.camera):
            core_input = feature.before(photograph())
            program = feature.program(core_input.shape)
            assert promises(program) == [ops.Normalise] * promised
            assert broken_promises(program, core_input) == []


def test_codebook_and_program_survive_files(codebook, tmp_path: Path):
    codebook.save(tmp_path / "words.npz")
    again = Codebook.load(tmp_path / "words.npz")
    np.testing.assert_array_equal(again.centres, codebook.centres)
    assert again.source == codebook.source
    first, second = (VLAD(DenseSIFT(), words).program((64, 64)) for words in (codebook, again))
    assert digest(first) == digest(second)
    save(first, tmp_path / "vlad.program")
    assert digest(load(tmp_path / "vlad.program")) == digest(first)


def test_refuses_bad_codebooks(codebook, tmp_path: Path):
    with pytest.raises(ParameterError) as caught:
        Codebook(np.full((2, 3), np.nan, np.float32), source=" ")
    assert len(caught.value.problems) == 2
    with pytest.raises(ParameterError, match="at least one per word"):
        Codebook.fit(np.zeros((5, 128), np.float32), 2, source="nothing")
    with pytest.raises(ParameterError, match=r"length of the codebook"):
        BagOfVisualWords(DenseSIFT(), Codebook(np.eye(3, dtype=np.float32), source="made up")).program((64, 64))
    with pytest.raises(ParameterError, match="luma"):
        VLAD(ColourHistogram(), codebook)
    (tmp_path / "text.npz").write_text("no archive")
    np.savez(tmp_path / "pickle.npz", centres=np.array([{}], object), source=np.array("x"))
    for name in ("text.npz", "pickle.npz", "absent.npz"):
        with pytest.raises(ParameterError, match=r"Codebook\.save"):
            Codebook.load(tmp_path / name)
    with pytest.raises(OutputError):
        codebook.save(tmp_path / "absent" / "words.npz")
    with pytest.raises(ProgramError):
        VLAD(DenseSIFT(), codebook).program((10, 10))


def test_follows_the_protocol(codebook):
    for feature in (BagOfVisualWords(DenseSIFT(size=(64, 64)), codebook), VLAD(SIFT(keypoints=9), codebook)):
        assert isinstance(feature, Feature)
        names = feature.names(feature.before(data.camera()).shape)
        got = vector(feature, data.camera())
        assert got.dtype == np.float32 and got.shape == (len(names),) and len(set(names)) == len(names)

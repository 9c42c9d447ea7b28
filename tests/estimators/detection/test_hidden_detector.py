"""Detectors that are asked without being shown pictures: what runs, what is refused, what is told.

Answers for `privis.estimators.detection.hidden_detector`, `privis.estimators.hidden_cost`,
`privis.cli.detection.hidden_detection` and `privis.cli.extraction.hidden_options`.
"""

import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from privis import CKKS, CNN, MPC, MPCProtocol
from privis.cli.main import app
from privis.errors import ParameterError
from privis.estimators.detection.detector import Detector
from privis.estimators.detection.hidden_detector import HiddenDetector
from privis.estimators.hidden_cost import HiddenCost
from privis.identity import identity
from privis.program import Input, ops, trace
from privis.tasks.detection import (
    BoxRegression,
    DetectedBoxes,
    DetectionProbability,
    Pyramid,
    TrainedWindowModel,
    WindowModel,
)
from privis.tasks.detection.detection_model import PictureView, PlacedCopy
from privis.tasks.detection.window_tiles import WindowTiles

RNG = np.random.default_rng(1)
WEIGHTS = RNG.normal(0, 0.2, 3 * 2 * 36)
MODEL = WindowModel(WEIGHTS, -0.1, "thing", (32, 24), Pyramid(2.0, 8), least=-0.416)
DETECTOR = Detector(MODEL)
IMAGE = np.repeat(np.repeat(RNG.integers(0, 256, (12, 10)).astype(np.uint8), 4, 0), 4, 1)


class Brightness:
    """A network of one convolution whose numbers are places of 8 x 8 pixels."""

    labels = ("light",)
    network = CNN(
        trace(
            lambda x: (x >> ops.Conv(np.full((1, 3, 8, 8), 1 / 192), (8, 8))).relu(), Input((3, 16, 16), 0.0, 1.0, None)
        )
    )

    def views(self, shape):
        return (PictureView((3, 16, 16), (shape[0], shape[1]), (PlacedCopy(0, 0, 16, 16),)),)

    def before(self, image, view):
        return self.network.before(image)

    def program(self, shape):
        return self.network.program(shape)

    def decode(self, values, view):
        rows, columns = np.nonzero(np.reshape(values, (2, 2)) > 0.5)
        boxes = np.column_stack([columns * 8.0, rows * 8.0, np.full((len(rows), 2), 8.0)])
        return DetectedBoxes(boxes, np.reshape(values, (2, 2))[rows, columns], "light")


def close(one, other, tolerance):
    assert len(one) == len(other) > 0
    assert np.allclose(one.boxes, other.boxes) and np.allclose(one.scores, other.scores, atol=tolerance)


def test_parties_find_the_boxes_of_the_clear_from_pixels_from_blocks_and_by_a_network():
    light = np.zeros((16, 16, 3), np.uint8)
    light[:8, 8:] = 255
    with MPC() as parties:
        for by_owner in (False, True):
            hidden = HiddenDetector(DETECTOR, parties, extracted_by_owner=by_owner)
            close(hidden.detect(IMAGE), DETECTOR.detect(IMAGE), 8e-3)
            assert hidden.check(IMAGE.shape).sent > 0 and len(hidden._ready) == 1
        network = Detector(Brightness())
        close(HiddenDetector(network, parties).detect(light), network.detect(light), 1e-3)


@pytest.mark.long
def test_ciphertexts_extract_the_feature_and_their_owner_finds_the_boxes():
    detector = Detector(replace(MODEL, pyramid=Pyramid(16.0, 0), least=-9.0))
    hidden, image = HiddenDetector(detector, CKKS(signs=4), model_shown=True), IMAGE[:40, :24]
    assert hidden.check(image.shape).keys > 0
    close(hidden.detect(image), detector.detect(image), 0.1)


def test_a_picture_that_is_too_small_shows_nothing():
    hidden = HiddenDetector(DETECTOR, MPC())
    tiny = np.zeros((9, 9), np.uint8)
    assert len(hidden.detect(tiny)) == 0 and hidden.programs(tiny.shape) == ()
    assert hidden.check(tiny.shape) == HiddenCost(0, 0, 0, 0)


def trained():
    regression = BoxRegression(RNG.normal(0, 0.01, (4, WEIGHTS.size)), np.zeros(4))
    return TrainedWindowModel(MODEL, regression, DetectionProbability(1.0, 0.0, 20.0), (8.0, 60.0), 0.4)


@pytest.mark.parametrize("model", [MODEL, trained()], ids=["weights", "trained"])
def test_a_server_scores_encrypted_blocks_with_a_model_that_it_keeps(model):
    detector = Detector(model)
    hidden = HiddenDetector(detector, CKKS(), extracted_by_owner=True)
    for image in (IMAGE, IMAGE[:, :36]):
        close(hidden.detect(image), detector.detect(image), 1e-3)
    assert len(hidden._ready) == 2 and len(hidden._keyed) == 1  # one pair of keys for both sizes
    cost = hidden.check(IMAGE.shape)
    assert cost.rounds == 2 and cost.keys > 0 and cost.sent > 0
    told = hidden.told(IMAGE.shape)
    assert "below the threshold, too" in told[0] and "From 217 such scores" in told[0] and "ciphertexts" in told[1]
    assert len(hidden.detect(np.zeros((9, 9), np.uint8))) == 0
    assert hidden.told((9, 9)) == hidden.told() and hidden.check((9, 9)) == HiddenCost(0, 0, 0, 0)
    hidden.close()
    assert not hidden._ready and not hidden._keyed


def test_as_many_decrypted_scores_as_a_window_has_numbers_are_the_model():
    views = MODEL.views(IMAGE.shape)
    tiles = WindowTiles(MODEL, views)
    score = CKKS(precision=1e-6).prepare(tiles.program)
    rows, scores = [], []
    for _ in range(8):
        tile = RNG.uniform(0, 1, tiles.program.inputs[0].shape)
        found = score(tile)[0]
        for top, left in np.ndindex(found.shape):
            rows.append(tile[:, top : top + 3, left : left + 2].transpose(2, 1, 0).ravel())
            scores.append(found[top, left])
    assert len(scores) >= 217
    weights, *_ = np.linalg.lstsq(np.column_stack([rows, np.ones(len(rows))]), scores, rcond=None)
    assert np.abs(weights - [*WEIGHTS, -0.1]).max() < 0.01 < WEIGHTS.std() / 10


def test_a_private_model_on_ciphertexts_is_refused_with_all_ways_out():
    with pytest.raises(ParameterError) as refused:
        HiddenDetector(DETECTOR, CKKS())
    said = str(refused.value)
    ways = ("--extracted-by owner", "aby3 or cheetah", "--show-model")
    assert all(each in said for each in ("38 levels of the 29", "weights follow", *ways))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"under": CKKS(), "model_shown": True, "extracted_by_owner": True}, "does nothing but extract"),
        ({"under": MPC(), "model_shown": True}, "parties hide the model"),
        ({"under": MPC(), "detector": Detector(trained())}, "--under ckks --extracted-by owner"),
        ({"under": CKKS(), "detector": Detector(trained()), "model_shown": True}, "a trained detector"),
        ({"under": CKKS(), "detector": Detector(Brightness())}, "a network under CKKS"),
        ({"under": MPC(), "detector": Detector(Brightness()), "extracted_by_owner": True}, "nothing is public"),
        ({"under": MPC(), "detector": Detector(MODEL, under=MPC())}, "a detector in the clear"),
        ({"under": DETECTOR.under}, "MPC or CKKS"),
    ],
)
def test_what_does_not_fit_is_refused(given, said):
    with pytest.raises(ParameterError, match=said):
        HiddenDetector(**{"detector": DETECTOR, **given})


def test_it_is_told_who_learns_what():
    first, who, here = HiddenDetector(DETECTOR, MPC()).told()
    assert "above -0.416" in first and "217 such scores" in first and "power of two" in first
    assert "at most one of three corrupt" in who and "this machine" in here
    assert "the owner extracts it" in HiddenDetector(DETECTOR, MPC(), extracted_by_owner=True).told()[0]
    assert "outputs of the network" in HiddenDetector(Detector(Brightness()), MPC(MPCProtocol.CHEETAH)).told()[0]
    assert "has the model" in HiddenDetector(DETECTOR, CKKS(), model_shown=True).told()[0]


def test_a_copy_asks_alike_and_is_the_same():
    hidden = HiddenDetector(DETECTOR, MPC(), extracted_by_owner=True)
    copy = pickle.loads(pickle.dumps(hidden))
    assert identity(copy) == identity(hidden) != identity(replace(hidden, extracted_by_owner=False))
    assert copy.labels == ("thing",)


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(np.repeat(RNG.integers(0, 256, (20, 10)).astype(np.uint8), 8, 0)).save(path)
    return path


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--under", "colours"], "one of clear, ckks, aby3, cheetah"),
        (["--show-model", "--extracted-by", "owner"], "--under ckks, aby3 or cheetah"),
        (["--under", "ckks"], "--show-model"),
        (["--under", "aby3", "--what", "plates"], "aby3 with plates"),
    ],
)
def test_words_that_hide_nothing_or_cannot_be_are_refused(photo, words, said):
    refused = CliRunner().invoke(app, ["detect", str(photo), *words])
    assert refused.exit_code == 2 and said in refused.output, refused.output


@pytest.mark.long
def test_the_command_tells_what_it_takes_and_finds_the_same(tmp_path):
    image = RNG.integers(0, 256, (128, 64)).astype(np.uint8)
    Image.fromarray(image).save(tmp_path / "one.png")
    words = ["detect", str(tmp_path / "one.png"), "--score", "-5", "--step", "16", "--border", "0", "--json"]
    clear = CliRunner().invoke(app, words)
    hidden = CliRunner().invoke(app, [*words, "--under", "aby3", "--extracted-by", "owner"])
    assert hidden.exit_code == 0, hidden.output
    (one,), (other,) = (json.loads(each.stdout)[0]["boxes"] for each in (clear, hidden))
    assert {**one, "score": 0} == {**other, "score": 0} and abs(one["score"] - other["score"]) < 5e-3
    assert "Predicted under aby3" in hidden.stderr and "does not see the model" in hidden.stderr

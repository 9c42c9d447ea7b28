"""A private window network with squares on encrypted blocks, beside the linear window: precision, levels, bytes.

``python -m benchmarks.quadratic_window [DATA] [--folds 1,2] [--channels N] [--passes N] [--every N]``. People of
Penn-Fudan, three folds by image. The owner of a picture extracts the public blocks and encrypts them; the server keeps
a network of two layers, a 3 x 3 convolution and its squares, and a second convolution as large as what is left of the
window, added to a linear window: three levels. Both move the same boxes by the same regression. Channels, passes and
rate were chosen on fold 0, whose boxes also give the overlap of suppression and the probabilities of scores and sizes;
a row says average precision on the pictures of another fold, first of bare scores with suppression at 0.4. Below: what
a tile of 32 x 32 blocks takes under CKKS.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.own_detector import SEED, SHARED, images_of
from privis.estimators.detection.training.annotated_images import annotated_images
from privis.estimators.detection.training.detection_calibration import CalibratedBoxes, HeldOutBoxes, calibrate
from privis.estimators.detection.training.detector_training import LEAST_SCORE
from privis.estimators.detection.training.window_choice import choose_window
from privis.estimators.detection.training.window_samples import LevelBlocks, Mirror, TrainingPicture
from privis.estimators.detection.training.window_training import (
    FittedWindow,
    WindowTraining,
    _free,
    _hard,
    _positives,
    fit_window,
)
from privis.io.box_lists import read_boxes
from privis.io.images.decode import Decoding
from privis.program import Input, Program, Value, ops, trace
from privis.run.he.executor import CKKS
from privis.tasks.detection import DetectedBoxes, detection_curve
from privis.tasks.detection.box_regression import moved
from privis.tasks.detection.window_model import CHANNELS

FOLDS, OVERLAP, MOST, PARTS, SIDE = 3, 0.4, 1000, 3, 32
RATE, DECAY, BATCH = 3e-3, 0.1, 64
Array = NDArray[np.floating]


@dataclass(frozen=True, eq=False)
class QuadraticWindow:
    """Numbers of a network on blocks: ``first`` (channels, 36, 3, 3), ``second`` (1, channels, ...) of squares, and a
    linear window (1, 36, rows, columns)."""

    first: Array = field(repr=False)
    second: Array = field(repr=False)
    linear: Array = field(repr=False)
    bias: float

    def program(self, side: int) -> Program:
        """From blocks (36, side, side) to the score of every window."""

        def scores(blocks: Value) -> Value:
            parts = blocks >> ops.Conv(self.first)
            return (parts * parts >> ops.Conv(self.second)) + (blocks >> ops.Conv(self.linear)) + self.bias

        return trace(scores, Input((CHANNELS, side, side), 0.0, 1.0, None))

    def scores(self, level: LevelBlocks) -> Array:
        """Of all windows of a level, (windows,)."""
        import torch
        from torch.nn.functional import conv2d

        first, second, linear = (torch.from_numpy(np.float32(each)) for each in (self.first, self.second, self.linear))
        blocks = torch.from_numpy(level.blocks.astype(np.float32).transpose(2, 0, 1)[None])
        found = conv2d(conv2d(blocks, first).square(), second) + conv2d(blocks, linear) + self.bias
        return found.numpy().ravel().astype(np.float64)


def trained(
    pictures: Sequence[TrainingPicture], window: FittedWindow, shape: tuple[int, int], channels: int, passes: int
) -> QuadraticWindow:
    """Train squares beside a linear window, on what it takes for things and on what it errs on, and mirror images."""
    import torch
    from torch.nn.functional import binary_cross_entropy_with_logits, conv2d

    torch.manual_seed(SEED)
    good, rng = _positives(pictures, shape), np.random.default_rng(SEED)
    linear = window.weights[None]
    negatives = []
    for picture in pictures:
        background = [_free(level, picture) for level in picture.levels]
        for place, spots in _hard(picture, background, linear, window.bias):
            negatives.append(picture.levels[place].vectors(spots, shape))
        for level, free in zip(picture.levels, background, strict=True):
            spots = np.flatnonzero(free)
            negatives.append(level.vectors(rng.choice(spots, min(len(spots), 2), replace=False), shape))
    wrong = np.concatenate(negatives)
    every = np.concatenate([good.vectors, wrong])
    partner = Mirror(shape).partner
    inputs = torch.from_numpy(np.concatenate([every, every[:, partner]]))
    inputs = inputs.reshape(-1, shape[1], shape[0], CHANNELS).permute(0, 3, 2, 1).contiguous()
    known = torch.from_numpy(np.tile(np.repeat(np.float32([1, 0]), [len(good.vectors), len(wrong)]), 2))
    counts = torch.from_numpy(np.tile(np.concatenate([2 * good.weights, np.ones(len(wrong))]), 2).astype(np.float32))
    base = torch.from_numpy(np.float32(window.weights.transpose(2, 1, 0)[None]))
    begin = conv2d(inputs, base).flatten() + window.bias
    first = (torch.randn(channels, CHANNELS, PARTS, PARTS) / np.sqrt(CHANNELS)).requires_grad_()
    second = torch.zeros(1, channels, shape[0] - PARTS + 1, shape[1] - PARTS + 1).requires_grad_()
    bias = torch.zeros(1).requires_grad_()
    optimiser = torch.optim.AdamW([first, second, bias], lr=RATE, weight_decay=DECAY)
    steps = passes * -(-len(inputs) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(passes):
        for part in torch.randperm(len(inputs)).split(BATCH):
            score = begin[part] + conv2d(conv2d(inputs[part], first).square(), second).flatten() + bias
            loss = binary_cross_entropy_with_logits(score, known[part], counts[part])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    numbers = [each.detach().numpy().astype(np.float64) for each in (first, second, base)]
    return QuadraticWindow(numbers[0], numbers[1], numbers[2], window.bias + float(bias.detach()))


def held_out(picture: TrainingPicture, window: FittedWindow, network: QuadraticWindow | None) -> HeldOutBoxes:
    """What is found in a picture, by the linear window or by the network, not suppressed."""
    moves = window.regression.weights.reshape(4, *window.weights.shape)
    boxes, scores = [np.zeros((0, 4))], [np.zeros(0)]
    for level in picture.levels:
        numbers = level.scores(np.concatenate([window.weights[None], moves])).astype(np.float64)
        own = numbers[:, 0] + window.bias if network is None else network.scores(level)
        kept = own >= LEAST_SCORE
        boxes.append(moved(level.boxes[kept], numbers[kept, 1:] + window.regression.bias))
        scores.append(own[kept])
    every = np.concatenate(scores)
    best = np.argsort(-every, kind="stable")[:MOST]
    found = DetectedBoxes(np.concatenate(boxes)[best], every[best], "person")
    truth = DetectedBoxes(picture.boxes, np.ones(len(picture.boxes)), "person")
    return HeldOutBoxes(found, truth, np.zeros(len(truth), bool))


def precision(held: Sequence[HeldOutBoxes], chosen: CalibratedBoxes | None) -> float:
    """Average precision of bare scores, or of probabilities."""
    kept = []
    for each in held:
        found = each.found
        if chosen is not None:
            found = DetectedBoxes(found.boxes, chosen.probability(found.scores, found.boxes[:, 3]), found.labels)
        kept.append(found.suppressed(OVERLAP if chosen is None else chosen.overlap, MOST))
    return detection_curve(kept, [each.truth for each in held]).average_precision


def tile(network: QuadraticWindow) -> str:
    """What a tile takes under CKKS, on made-up blocks."""
    under, program = CKKS(), network.program(SIDE)
    problems = under.supports(program)
    if problems:
        return "; ".join(map(str, problems))
    cost, keys = under.cost(program), under.predicted(program).keys
    run, blocks = under.prepare(program), np.random.default_rng(1).uniform(0, 0.4, program.inputs[0].shape)
    run(blocks)
    start = time.process_time()
    scores = run(blocks)
    spent = time.process_time() - start
    from privis.run.clear import Clear

    exact = np.asarray(Clear().prepare(program)(blocks))
    return (
        f"{cost.depth} levels, {scores.size} windows, {spent:.2f} processor s, {(cost.sent or 0) / 1e6:.2f} MB, keys "
        f"{keys / 1e6:.1f} MB, largest error {np.abs(scores - exact).max():.1e} of {np.abs(exact).max():.2g}"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?", default=SHARED)
    parser.add_argument("--folds", default="1,2", help="which of those that nothing was chosen on")
    parser.add_argument("--channels", type=int, default=16)
    parser.add_argument("--passes", type=int, default=6)
    parser.add_argument("--every", type=int, default=1, help="Only every so many of the images.")
    options = parser.parse_args(arguments)
    folder = options.data / "detection" / "penn_fudan"
    listed, paths = read_boxes(folder / "boxes.csv"), images_of(folder)[:: options.every]
    known = annotated_images(paths, listed, None).checked(Decoding())
    choice = choose_window(known.things)
    pictures, shape = list(known.pictures(choice, Decoding())), choice.model("person").blocks
    order = np.random.default_rng(SEED).permutation(len(pictures))
    print(f"{len(pictures)} images; window of {shape[0]} x {shape[1]} blocks")
    print(
        f"{'fold':>4}{'linear':>9}{'squares':>9}{'linear, calibrated':>23}{'squares, same':>15}{'training CPU s':>16}"
    )
    chosen: list[CalibratedBoxes | None] = []
    for number in [0, *(each for each in map(int, options.folds.split(",")) if each)]:
        tested = [pictures[place] for place in order[number::FOLDS]]
        others = [pictures[place] for place in order if place not in set(order[number::FOLDS])]
        window = fit_window(others, shape, WindowTraining())
        start = time.process_time()
        network = trained(others, window, shape, options.channels, options.passes)
        spent = time.process_time() - start
        both = [[held_out(each, window, own) for each in tested] for own in (None, network)]
        if number == 0:
            chosen = [calibrate(held) for held in both]
            continue
        bare, better = (
            [precision(held, own) for held, own in zip(both, each, strict=True)] for each in ((None, None), chosen)
        )
        print(f"{number:4}{bare[0]:9.3f}{bare[1]:9.3f}{better[0]:23.3f}{better[1]:15.3f}{spent:16.0f}", flush=True)
    if network is not None:
        print(f"a tile of {SIDE} x {SIDE} blocks under ckks: {tile(network)}")


if __name__ == "__main__":
    main()

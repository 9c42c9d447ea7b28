"""``privis train network --for ckks``: a network that ciphertexts compute exactly, from labelled pictures."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from privis.cli.console import SOME_FAILED, err, out, working
from privis.cli.files.labels import LabelSource, labels_of, subjects_of
from privis.errors import ImageError, ParameterError, Problem, UnsupportedError, refuse
from privis.io.atomic import check_writable

if TYPE_CHECKING:
    from privis.training.fitting import TrainingProgress
    from privis.training.polynomial_networks.network_forecast import EncryptedForecast

WORD = "network"


class TrainedFor(StrEnum):
    """What is to run a network."""

    CKKS = "ckks"


_HELD = 8  # one group of pictures in so many is not trained on


@dataclass(frozen=True)
class NetworkWords:
    """What was typed after ``privis train network``, by the names of the options."""

    pictures: Sequence[str]
    output: Path
    labels: Path | None
    labels_from: LabelSource | None
    label_column: str
    subject_column: str | None
    classes: str | None
    levels: int
    size: str
    epochs: int
    seed: int
    flip: bool
    forecast: bool
    most_seconds: float | None
    most_keys: float | None
    as_json: bool


@dataclass(frozen=True, eq=False)
class LabelledPictures:
    """Pictures as a network reads them, with class numbers, and which of them are held back."""

    images: npt.NDArray[np.uint8] = field(repr=False)
    numbers: npt.NDArray[np.int64] = field(repr=False)
    held: npt.NDArray[np.bool_] = field(repr=False)
    classes: tuple[str, ...]
    failed: int


def network_for_ckks(words: NetworkWords) -> None:
    """Tell what a network will take under encryption, train it, and write it as an ONNX file.

    Raises:
        ParameterError: naming every option that does not fit.
        UnsupportedError: it would take more than was allowed.
        ImageError: no picture can be used.
        OutputError: the file cannot be written.
        SystemExit: 1, where some pictures could not be used.
    """
    from privis.cli.releases import image_size
    from privis.run.he.executor import CKKS
    from privis.training.polynomial_networks.network_design import design_for
    from privis.training.polynomial_networks.network_file import save_network
    from privis.training.polynomial_networks.network_fitting import NetworkFitting, fit_network
    from privis.training.polynomial_networks.network_forecast import PRECISION, forecast_before_training, forecast_of
    from privis.training.polynomial_networks.square_network import normalised, scored_of, square_network

    if words.output.suffix != ".onnx":
        raise ParameterError(Problem("-o", repr(str(words.output)), "a name that ends in .onnx"))
    check_writable(words.output)
    plan = NetworkFitting(epochs=words.epochs, seed=words.seed, flip=words.flip)
    given = _read(words, image_size(words.size))
    design = design_for(words.levels, given.images.shape[1:], len(given.classes))
    under, kept = CKKS(precision=PRECISION), ~given.held
    parts = (given.images[kept], given.numbers[kept], given.images[given.held], given.numbers[given.held])
    with working("privis train network: compile"):
        told, seconds = forecast_before_training(design, plan, *parts, given.classes, under)
    if not words.as_json:
        _say(_lines(told, "before training, by a stand-in", seconds))
    _check_limits(told, words)
    document: dict[str, Any] = {"classes": given.classes, "levels": design.levels, "images": int(kept.sum())}
    document |= {"held": int(given.held.sum()), "failed": given.failed, "training_seconds": round(seconds, 1)}
    document["forecast"] = _document(told)
    if not words.forecast:
        checkpoint = words.output.with_name(words.output.name + ".checkpoint")
        network = square_network(design, plan.seed)
        with _progress() as show:
            fit_network(plan, network, parts[0], parts[1], checkpoint=checkpoint, on_progress=show)
        import torch

        with torch.no_grad():
            scores = network(normalised(parts[2])).numpy() if len(parts[2]) else None
        after = forecast_of(scored_of(network, design, given.classes), scores, parts[3], under)
        save_network(network, design, given.classes, words.output)
        checkpoint.unlink(missing_ok=True)
        document |= {"output": str(words.output), "trained": _document(after), "guarantee": None}
        if not words.as_json:
            _say(_lines(after, f"trained, on {len(parts[2]):,} pictures that were held back", None))
            out.print(f"{design.levels} levels, {len(given.classes)} classes in {words.output}", markup=False)
            out.print("No guarantee: the network may tell of every picture that it was trained on.", soft_wrap=True)
    if words.as_json:
        print(json.dumps(document))
    if given.failed:
        raise SystemExit(SOME_FAILED)


def _read(words: NetworkWords, size: tuple[int, int]) -> LabelledPictures:
    """Load what can be loaded; the rest is named. Pictures of one person, and equal ones, are held back together."""
    from privis.features.image_ops import colour, grey, planar, resize
    from privis.io.images import decode
    from privis.io.images.sources import find
    from privis.tasks.classification.patient_splits import linked_images

    paths = find(words.pictures, sys.stdin)
    source = words.labels_from if words.labels is not None or words.labels_from else LabelSource.FOLDER
    labels = labels_of(words.labels, source, words.label_column, Path("."), paths)
    people: Sequence[str] | None = None
    if words.subject_column is not None:
        people = subjects_of(words.labels, words.subject_column, Path("."), paths)
    classes = tuple(sorted(set(labels))) if words.classes is None else tuple(map(str.strip, words.classes.split(",")))
    strange = sorted(set(labels) - set(classes))
    problems = [Problem("--classes", f"no {name!r}", "every label of a picture") for name in strange]
    if len(classes) < 2:
        problems.append(Problem("labels", f"{len(classes)} class", "at least two", "a folder for every class"))
    refuse(ParameterError, problems)
    loaded, places, refused = [], [], []
    for place, path in enumerate(paths):
        try:
            loaded.append(resize(decode.load(path), size))
            places.append(place)
        except ImageError as error:
            refused += list(error.problems)
    if not loaded:
        raise ImageError(*refused)
    for problem in refused:
        err.print(f"privis: {problem}", markup=False, soft_wrap=True)
    is_grey = all(image.ndim == 2 or (image == image[:, :, :1]).all() for image in loaded)
    images = np.stack([grey(image)[None] if is_grey else planar(colour(image)) for image in loaded])
    digests = [hashlib.sha256(image.tobytes()).digest() for image in images]
    groups = linked_images(len(places), None if people is None else [people[place] for place in places], digests)
    numbers = np.array([classes.index(labels[place]) for place in places], np.int64)
    held = _held_back(groups, words.seed)
    missing = [name for number, name in enumerate(classes) if not (numbers[~held] == number).any()]
    if missing:
        remedy = "more pictures, or people, of that class"
        refuse(ParameterError, [Problem("labels", f"no picture of {name} left", "some", remedy) for name in missing])
    return LabelledPictures(images, numbers, held, classes, len(refused))


def _held_back(groups: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.bool_]:
    """An eighth of the groups, drawn by the seed."""
    order = np.random.default_rng(seed).permutation(int(groups.max()) + 1)
    return order[groups] < len(order) // _HELD


def _check_limits(told: EncryptedForecast, words: NetworkWords) -> None:
    problems, remedy = [], "fewer --levels, a smaller --size, or a larger limit"
    if words.most_seconds is not None and told.seconds > words.most_seconds:
        got = f"{told.seconds:.2g} s an image predicted"
        problems.append(Problem("--most-seconds", got, f"at most {words.most_seconds:g} s", remedy))
    if words.most_keys is not None and told.keys > 1e6 * words.most_keys:
        got = f"keys of {told.keys / 1e6:,.0f} MB predicted"
        problems.append(Problem("--most-keys", got, f"at most {words.most_keys:g} MB", remedy))
    refuse(UnsupportedError, problems)


def _lines(told: EncryptedForecast, when: str, seconds: float | None) -> Iterator[str]:
    yield (
        f"Under ckks ({when}): {told.seconds:.2g} s an image, keys of {told.keys / 1e6:.1f} MB sent once, "
        f"{told.query / 1e6:.2f} MB to the server and {told.reply / 1e6:.2f} MB back, "
        f"{told.memory / 2**20:,.0f} MiB of its memory; {told.levels} levels of ring {told.degree:,}."
    )
    if told.changed is not None and told.accuracy is not None:
        yield (
            f"Right in the clear: {told.accuracy:.1%}. Encryption moves a score by at most {told.error:.1g} of the "
            f"largest, which could change the class of {told.changed:.2%} of the pictures."
        )
    if seconds is not None:
        yield f"Training will take about {seconds:,.0f} s on this machine."


def _say(lines: Iterator[str]) -> None:
    for line in lines:
        out.print(line, markup=False, soft_wrap=True)


def _document(told: EncryptedForecast) -> dict[str, Any]:
    return {
        "seconds": round(told.seconds, 4), "memory_mib": round(told.memory / 2**20), "keys_mb": told.keys / 1e6,
        "query_mb": told.query / 1e6, "reply_mb": told.reply / 1e6, "levels": told.levels, "ring": told.degree,
        "error": told.error, "changed": told.changed, "accuracy": told.accuracy,
    }  # fmt: skip


@contextlib.contextmanager
def _progress() -> Iterator[Callable[[TrainingProgress], None]]:
    """A line after every epoch: rewritten on a terminal, else on stderr."""
    with contextlib.ExitStack() as stack:
        status = stack.enter_context(err.status("train")) if err.is_terminal else None

        def show(progress: TrainingProgress) -> None:
            left = "" if progress.eta_seconds is None else f", {progress.eta_seconds:.0f} s left"
            line = f"train: epoch {progress.done} of {progress.total}, loss {progress.loss:.4f}{left}"
            status.update(line) if status else print(line, file=sys.stderr, flush=True)

        yield show

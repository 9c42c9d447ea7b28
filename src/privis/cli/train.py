"""``privis train`` and ``privis predict``."""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from privis.cli.console import err, explained, out
from privis.cli.files.labels import LabelSource, labels_of, subjects_of
from privis.cli.files.predictions import write_predictions
from privis.cli.release_files import LedgerOption
from privis.cli.training.encrypted_network import WORD, NetworkWords, TrainedFor, network_for_ckks
from privis.cli.training.private_runs import kept_key, training_progress
from privis.errors import ParameterError, Problem, refuse
from privis.io import tables
from privis.io.atomic import check_writable

if TYPE_CHECKING:
    from privis.privacy.learning.logistic_regression import LogisticTraining
    from privis.privacy.learning.subsampling import CorpusUnit
    from privis.privacy.mechanisms.additive import Gaussian
    from privis.training.fitting import TrainingProgress

Table = Annotated[
    Path,
    typer.Argument(
        metavar="TABLE", help="Features of private images, from `privis extract`; or the word network, with --for."
    ),
]
Pictures = Annotated[
    list[str] | None,
    typer.Argument(metavar="[IMAGES]…", help="With --for: public pictures, folders or globs that are learned from."),
]
For = Annotated[
    TrainedFor | None,
    typer.Option(
        "--for", help="ckks: a network that ciphertexts compute exactly, as in privis train network --for ckks."
    ),
]
Levels = Annotated[int, typer.Option(help="With --for: budget of levels, 3 to 21; more is deeper, slower, more keys.")]
Size = Annotated[str, typer.Option("--image-size", help="With --for: pictures are resized to HEIGHTxWIDTH.")]
Flip = Annotated[bool, typer.Option("--flip", help="With --for: also learn from mirrored pictures.")]
Forecast = Annotated[bool, typer.Option("--forecast", help="With --for: say what it will take, and train nothing.")]
MostSeconds = Annotated[float | None, typer.Option(help="With --for: refuse more seconds an encrypted image.")]
MostKeys = Annotated[float | None, typer.Option(help="With --for: refuse more MB of evaluation keys.")]
Labels = Annotated[
    Path | None, typer.Option(help="CSV file with the columns path and label, and a subject's if needed.")
]
LabelsFrom = Annotated[
    LabelSource | None,
    typer.Option(help="Instead of a list: every image lies in a folder that is called like its class."),
]
Classes = Annotated[
    str | None,
    typer.Option(help="Public list of class names, as in healthy,ill; their order is kept. Not needed with --for."),
]
Output = Annotated[Path, typer.Option("-o", "--output", help="File for the trained head, .npz; with --for .onnx.")]
Epsilon = Annotated[float | None, typer.Option(help="What the whole training may cost; private images need it.")]
Public = Annotated[
    bool,
    typer.Option("--public", help="The images are public: a network of squares, without noise or a guarantee."),
]
Hidden = Annotated[int, typer.Option(help="With --public: squares of the network.")]
Epochs = Annotated[int, typer.Option(help="With --public or --for: how often every image is seen.")]
Seed = Annotated[int, typer.Option(help="With --public or --for: decides first weights and the order of images.")]
Delta = Annotated[float, typer.Option(help="Failure probability of the guarantee.")]
UnitName = Annotated[
    str,
    typer.Option(
        help="What is hidden: image (its content), presence (of one image), person:IMAGES (replaced) or "
        "add-or-remove-person:IMAGES."
    ),
]
PublicSize = Annotated[
    int | None, typer.Option(help="Public (about right) number of images or people, where unit is no image.")
]
CorpusName = Annotated[str, typer.Option(help="What the ledger calls these images.")]
Key = Annotated[Path | None, typer.Option(help="Release key; made there if there is none. Equal key, equal training.")]
LabelColumn = Annotated[str, typer.Option(help="Column of --labels that holds the class.")]
SubjectColumn = Annotated[str | None, typer.Option(help="Column of --labels that says whose image it is.")]
FullBatch = Annotated[
    bool,
    typer.Option(
        "--full-batch",
        help="60 steps over all images with a private standardisation, instead of --sampling, --steps, --rate, --clip "
        "and --standardise: the better choice where none of them was tuned.",
    ),
]
Sampling = Annotated[str | None, typer.Option(help="Probability of being in the sample of a step; 0.125.")]
Steps = Annotated[str | None, typer.Option(help="Steps of the training; 200.")]
Rate = Annotated[str | None, typer.Option(help="Length of a step in which all gradients agree; 30.")]
ClipError = Annotated[str | None, typer.Option("--clip", help="Largest length of an error p - y, up to 1.41; 0.1.")]
Standardise = Annotated[
    str | None, typer.Option(help="Share of the signal for a private standardisation; 0 for none, as without it.")
]
HeadPath = Annotated[Path, typer.Option("--head", help="What `privis train` or `LinearHead.save` wrote.")]
Predictions = Annotated[Path, typer.Option("-o", "--output", help="CSV file to write.")]
AnyTable = Annotated[Path, typer.Argument(metavar="TABLE", help="Features, extracted as those of the training.")]
Groups = Annotated[int, typer.Option(help="Runs of components that share a deviation (scattering: its paths).")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")]


def train(
    table: Table,
    output: Output,
    pictures: Pictures = None,
    classes: Classes = None,
    trained_for: For = None,
    epsilon: Epsilon = None,
    labels: Labels = None,
    labels_from: LabelsFrom = None,
    delta: Delta = 1e-5,
    unit: UnitName = "image",
    size: PublicSize = None,
    corpus: CorpusName = "corpus",
    ledger: LedgerOption = None,
    key: Key = None,
    label_column: LabelColumn = "label",
    subject_column: SubjectColumn = None,
    full_batch: FullBatch = False,
    sampling: Sampling = None,
    steps: Steps = None,
    rate: Rate = None,
    clip: ClipError = None,
    standardise: Standardise = None,
    groups: Groups = 0,
    public: Public = False,
    hidden: Hidden = 64,
    epochs: Epochs = 10,
    seed: Seed = 0,
    levels: Levels = 5,
    image_side: Size = "64x64",
    flip: Flip = False,
    forecast: Forecast = False,
    most_seconds: MostSeconds = None,
    most_keys: MostKeys = None,
    as_json: AsJson = False,
) -> None:
    """Train a classifier on features of private images, under differential privacy, or of public ones without.

    With --for ckks a network that fits encryption, on public pictures: what it will take is told before it is trained.

    privis train hog.parquet --labels labels.csv --classes healthy,ill --epsilon 3 -o head.npz

    privis train hog.parquet --labels-from folder --classes cats,dogs --epsilon 3 -o head.npz

    privis train glyphs.parquet --labels-from folder --classes A,B,C --public --hidden 64 -o reader.npz

    privis train network photos/ --for ckks --levels 5 --image-size 64x64 -o net.onnx
    """
    with explained():
        if trained_for is not None:
            private = {
                "--epsilon": epsilon,
                "--ledger": ledger,
                "--key": key,
                "--size": size,
                "--public": public or None,
            }
            _check_network_words(table, pictures, private)
            network_for_ckks(
                NetworkWords(
                    pictures or [], output, labels, labels_from, label_column, subject_column, classes, levels,
                    image_side, epochs, seed, flip, forecast, most_seconds, most_keys, as_json,
                )
            )  # fmt: skip
            return
        if pictures or classes is None:
            _refuse_network_words(table, pictures, classes)
            return
        from privis.privacy.mechanisms.additive import Gaussian
        from privis.privacy.sampling.release_key import ReleaseKey
        from privis.training.fitting import train_head

        if output.suffix != ".npz":
            raise ParameterError(Problem("-o", repr(str(output)), "a name that ends in .npz"))
        check_writable(output)
        if public:
            given = {"--epsilon": epsilon, "--ledger": ledger, "--key": key, "--size": size}
            refuse(ParameterError, [_of_private(name) for name, value in given.items() if value is not None])
            names = tuple(name.strip() for name in classes.split(","))
            read = tables.read(table)
            known = labels_of(labels, labels_from, label_column, table, read.paths)
            _train_public(read.features, known, names, (hidden, epochs, seed), output, as_json)
            return
        if epsilon is None:
            remedy = "--epsilon, as in --epsilon 3; or --public, where nobody's privacy is at stake"
            raise ParameterError(Problem("--epsilon", "nothing", "what the training may cost", remedy))
        budget = None if ledger is None else ledger.opened()
        if budget is not None:
            budget.mark()  # refuses a ledger that is none
        if key is not None and (key.exists() or key.is_symlink()):
            ReleaseKey.load(key)
        read = tables.read(table)
        names = tuple(name.strip() for name in classes.split(","))
        protected = _unit(unit)
        known = labels_of(labels, labels_from, label_column, table, read.paths)
        subjects = None if subject_column is None else subjects_of(labels, subject_column, table, read.paths)
        if protected.needs_subjects and subjects is None:
            raise ParameterError(Problem("--subject-column", "nothing", "a column, as a person is hidden"))
        if not protected.needs_subjects:
            subjects = None
        given = (len(names), read.features.shape[1], _size(unit, size, len(read.paths)), Gaussian(epsilon, delta))
        own = {"--sampling": sampling, "--steps": steps, "--rate": rate, "--clip": clip, "--standardise": standardise}
        plan = _plan(given, protected, groups, own, full_batch)
        checkpoint = output.with_name(output.name + ".checkpoint")
        with kept_key(output, key) as loaded, training_progress(plan) as show:
            head = train_head(
                plan,
                read.features,
                known,
                names,
                corpus=corpus,
                key=loaded,
                ledger=budget,
                subjects=subjects,
                checkpoint=checkpoint,
                feature=json.loads(read.metadata.get("privis.card", "{}")).get("feature", {}),
                on_progress=show,
            )
            head.save(output)
            checkpoint.unlink(missing_ok=True)
        if as_json:
            print(json.dumps({"output": str(output), "classes": names, "guarantee": head.guarantee.to_dict()}))
            return
        out.print(f"{len(names)} classes, {head.components:,} components in {output}", markup=False, soft_wrap=True)
        out.print(head.guarantee.sentence, markup=False, soft_wrap=True)


def predict(table: AnyTable, head: HeadPath, output: Predictions) -> None:
    """Name the class of every row of a table of features.

    privis predict hog.parquet --head head.npz -o predictions.csv
    """
    with explained():
        from privis.training.heads import load_head

        check_writable(output)
        read, trained = tables.read(table), load_head(head)
        write_predictions(output, read.paths, trained.classes, trained.decide(trained.scores(read.features)))
        out.print(f"{len(read.paths):,} predictions in {output}", markup=False, soft_wrap=True)


def _check_network_words(table: Path, pictures: list[str] | None, private: dict[str, object]) -> None:
    """ParameterError naming all that has no place in ``privis train network --for ckks``."""
    problems = [_of_private(name) for name, value in private.items() if value is not None]
    if str(table) != WORD:
        problems.append(Problem("privis train --for", repr(str(table)), f"the word {WORD}, then pictures"))
    if not pictures:
        problems.append(Problem("privis train network", "no picture", "files, folders or globs"))
    refuse(ParameterError, problems)


def _refuse_network_words(table: Path, pictures: list[str] | None, classes: str | None) -> None:
    problems = []
    if pictures:
        remedy = "privis train network IMAGES --for ckks trains on pictures"
        problems.append(Problem("privis train", f"{len(pictures)} words after {table}", "one table", remedy))
    if classes is None:
        problems.append(Problem("--classes", "nothing", "the public list of class names, as in healthy,ill"))
    raise ParameterError(*problems)


def _of_private(option: str) -> Problem:
    return Problem(option, "given", "none with --public or --for: nothing is hidden there", "leave it out")


def _train_public(features, labels, names: tuple[str, ...], numbers: tuple[int, int, int], output: Path, as_json: bool):
    from privis.training.quadratic import QuadraticTraining, train_quadratic

    plan = QuadraticTraining(*numbers[:2], seed=numbers[2])
    with contextlib.ExitStack() as stack:
        status = stack.enter_context(err.status("train")) if err.is_terminal else None

        def show(progress: TrainingProgress) -> None:
            line = f"train: epoch {progress.done} of {progress.total}, loss {progress.loss:.4f}"
            status.update(line) if status else print(line, file=sys.stderr, flush=True)

        head = train_quadratic(plan, features, labels, names, on_progress=show)
    head.save(output)
    if as_json:
        print(json.dumps({"output": str(output), "classes": names, "guarantee": None}))
        return
    text = f"{len(names)} classes, {head.components:,} components, {plan.hidden} squares in {output}"
    out.print(text, markup=False, soft_wrap=True)
    out.print("No guarantee: the network may tell of every image that it was trained on.", soft_wrap=True)


def _plan(
    given: tuple[int, int, int, Gaussian],
    unit: CorpusUnit,
    groups: int,
    own: dict[str, str | None],
    full_batch: bool,
) -> LogisticTraining:
    """The training that was asked for; ``own`` are the options that decide its steps."""
    from privis.privacy.learning.logistic_regression import LogisticTraining

    named = [Problem(option, text, "none with --full-batch") for option, text in own.items() if text is not None]
    if full_batch:
        refuse(ParameterError, named)
        return LogisticTraining.full_batch(*given, unit, groups)
    usual = zip(own.items(), ("0.125", "200", "30", "0.1", "0"), strict=True)
    numbers = [_one(option, usually if text is None else text) for (option, text), usually in usual]
    sampling, steps, rate, clip, standardise = numbers
    return LogisticTraining(
        *given,
        unit,
        sampling=sampling,
        steps=int(steps),
        rate=rate,
        clip=clip,
        standardise=standardise,
        groups=groups,
    )


def _one(option: str, text: str) -> float:
    """One number; several would be a search on private images."""
    if "," in text:
        remedy = (
            "trying several values on private images releases as many models: fix it beforehand, choose it on public "
            "images, or run one training per value and charge each"
        )
        raise ParameterError(Problem(option, repr(text), "one number", remedy))
    try:
        return float(text)
    except ValueError:
        raise ParameterError(Problem(option, repr(text), "a number")) from None


def _unit(text: str):
    from privis.privacy.units import AddOrRemovePerson, Dataset, Person, WholeImage

    name, _, number = text.partition(":")
    if name == "person" and number.isdecimal():
        return Person(int(number))
    if name == "add-or-remove-person" and number.isdecimal():
        return AddOrRemovePerson(int(number))
    if text in ("image", "presence"):
        return WholeImage() if text == "image" else Dataset()
    expected = "image, presence, person:IMAGES or add-or-remove-person:IMAGES, as in person:5"
    raise ParameterError(Problem("--unit", repr(text), expected))


def _size(unit: str, size: int | None, rows: int) -> int:
    if unit == "image":
        if size is not None:
            expected = "none for --unit image: the number of images is public"
            raise ParameterError(Problem("--size", str(size), expected, "leave it out"))
        return rows
    if size is None:
        remedy = "a public figure near it: it scales the steps, and the true number stays hidden"
        raise ParameterError(Problem("--size", "nothing", "about how many images or people there are", remedy))
    return size

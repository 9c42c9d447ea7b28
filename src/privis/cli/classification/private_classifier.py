"""``privis classify train --epsilon``: a classifier under differential privacy, charged in a ledger."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from privis.cli.classification.classify_words import FeatureWords, FileReading, kept_beside, tell_refused
from privis.cli.console import err, out
from privis.cli.training.private_runs import kept_key, training_progress
from privis.errors import ParameterError, Problem, refuse

if TYPE_CHECKING:
    from privis.estimators.classification.labelled_images import LabelledImages
    from privis.estimators.classification.private_training import PrivatePlan
    from privis.estimators.classification.split_record import SplitRecord
    from privis.estimators.classification.trained_classifier import TrainedClassifier

LEARNED = {
    "strength": "--strength", "balanced": "--balanced", "calibration": "--calibration", "folds": "--folds",
    "sensitivity": "--sensitivity", "watched": "--for", "seed": "--seed", "network_scores": "--network-scores",
}  # fmt: skip
"""Options of what is learned of images beside the head, or without noise."""
OF_PRIVACY = {
    "classes": "--classes", "delta": "--delta", "patients": "--patients", "groups": "--groups", "corpus": "--corpus",
    "images_per_patient": "--images-per-patient", "ledger": "--ledger", "key": "--key",
}  # fmt: skip


@dataclass(frozen=True)
class PrivateTrainingWords:
    """What was said of a private training.

    Args:
        plan: what it may cost.
        corpus: what the ledger calls the images.
        ledger: that is charged; None: nobody accounts for it.
        key: of the noise; None: one that lives beside the output until that is written.
    """

    plan: PrivatePlan
    corpus: str
    ledger: Path | None
    key: Path | None


def said(context: typer.Context, names: dict[str, str]) -> list[str]:
    """Name options that were typed.

    Args:
        context: of the command.
        names: options by parameter.

    Returns:
        Those that do not have their default.
    """
    found = ((option, context.get_parameter_source(name)) for name, option in names.items())
    return [option for option, source in found if source is not None and not source.name.startswith("DEFAULT")]


def private_words(context: typer.Context, subject_from: str | None) -> PrivateTrainingWords | None:
    """Read the options of a private training.

    Args:
        context: of the command.
        subject_from: where it stands whose images are.

    Returns:
        What was said; None: nothing private was asked for.

    Raises:
        ParameterError: naming every option that does not fit.
    """
    given = context.params
    if given["epsilon"] is None:
        remedy = "--epsilon, as in --epsilon 3, or leave it out"
        refuse(
            ParameterError,
            [Problem(each, "no --epsilon", "what it may cost", remedy) for each in said(context, OF_PRIVACY)],
        )
        return None
    from privis.estimators.classification.private_training import PrivatePlan
    from privis.privacy.ledger.file import FileLedger
    from privis.privacy.sampling.release_key import ReleaseKey

    why = "it would be learned of the images without noise: leave it out"
    problems = [Problem(each, "--epsilon beside it", "one of the two", why) for each in said(context, LEARNED)]
    if given["test"]:
        remedy = "measure it afterwards: privis classify evaluate IMAGES --model MODEL"
        problems.append(Problem("--test", "--epsilon beside it", "one of the two", remedy))
    if given["classes"] is None:
        remedy = "the public list, as in --classes ill,well: that a class has images may tell of somebody"
        problems.append(Problem("--classes", "nothing", "names of the classes", remedy))
    if subject_from is not None and given["patients"] is None:
        remedy = "a public figure near it, as in --patients 5000: the true number stays hidden"
        problems.append(Problem("--patients", "nothing", "about how many there are", remedy))
    if subject_from is None and said(context, {"patients": "", "images_per_patient": ""}):
        expected = "--subject-from, which says whose images are"
        problems.append(Problem("--patients, --images-per-patient", "no --subject-from", expected))
    refuse(ParameterError, problems)
    plan = PrivatePlan(
        given["epsilon"], tuple(name.strip() for name in given["classes"].split(",")), given["delta"],
        given["patients"], given["images_per_patient"], given["groups"], given["abstain_below"] or 0.0,
    )  # fmt: skip
    key, ledger = given["key"], given["ledger"]
    if key is not None and (key.exists() or key.is_symlink()):
        ReleaseKey.load(key)
    if ledger is not None:
        FileLedger(ledger).mark()  # refuses a ledger that is none
    return PrivateTrainingWords(plan, given["corpus"], ledger, key)


def train_under_privacy(
    words: PrivateTrainingWords,
    known: LabelledImages,
    named: FeatureWords,
    reading: FileReading,
    output: Path,
    record: SplitRecord,
) -> tuple[TrainedClassifier, LabelledImages]:
    """Train, charge, and save.

    Args:
        words: what was said of it.
        known: images with classes, read once.
        named: the feature.
        reading: how files are read.
        output: the classifier's file.
        record: of what is trained on, saved beside it.

    Returns:
        The classifier, and the images that it was trained on.

    Raises:
        ParameterError: something does not fit.
        BudgetError: the ledger refuses.
    """
    from privis.estimators.classification.classifier_file import ClassifierFile
    from privis.estimators.classification.private_training import train_privately
    from privis.estimators.classification.split_record import record_place
    from privis.privacy.ledger.file import FileLedger

    ledger = None if words.ledger is None else FileLedger(words.ledger)
    feature = named.feature()
    with kept_beside(output) as table:
        read, vectors = reading.vectors(feature, known, table)
    plan = words.plan.training(vectors.shape[1], len(read))
    checkpoint = output.with_name(output.name + ".checkpoint")
    with kept_key(output, words.key) as key, training_progress(plan) as show:
        model = train_privately(
            feature,
            vectors,
            read.labels,
            read.patients,
            words.plan,
            corpus=words.corpus,
            key=key,
            ledger=ledger,
            checkpoint=checkpoint,
            words=named.to_dict(reading.decoding),
            on_progress=show,
        )
        model = replace(model, split={"record": record.name})  # no count: noise does not cover it
        record.with_images(read.patients, read.pixels).save(record_place(output))
        ClassifierFile.of(model).save(output)
        checkpoint.unlink(missing_ok=True)
    return model, read


def tell(
    model: TrainedClassifier, words: PrivateTrainingWords, refused: dict[str, str], output: Path, as_json: bool
) -> None:
    """Say what was made: the guarantee, and nothing that noise does not cover.

    Args:
        model: that was trained.
        words: what was said of it.
        refused: by path, why an image could not be used; for its owner alone.
        output: the classifier's file.
        as_json: one JSON document on stdout.
    """
    tell_refused(refused)
    assert model.guarantee is not None
    person = "each image is a person of its own" if words.plan.patients is None else "a person is a patient"
    if as_json:
        document: dict[str, Any] = {
            "output": str(output), "classes": list(model.classes), "guarantee": dict(model.guarantee),
            "person": person, "refused": [{"path": path, "why": why} for path, why in refused.items()],
        }  # fmt: skip
        print(json.dumps(document, ensure_ascii=False))
    else:
        out.print(f"{output}: {', '.join(model.classes)}; {person}", markup=False, soft_wrap=True)
        out.print(str(model.guarantee["sentence"]), markup=False, soft_wrap=True)
    told = f"{output.name}.split is as secret as the images: it stays where they are, the guarantee is not of it."
    err.print(f"privis: {told}", markup=False, soft_wrap=True)

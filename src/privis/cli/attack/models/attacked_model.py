"""A trained model as its attacker reads it: what it extracts, what it says of vectors, and pictures with classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.attack.inference.membership import MembershipAttack, membership_scores
from privis.attack.inference.reference_models import LabelledVectors, Model, train_references
from privis.cli.attack.attacked_table import feature_of_words
from privis.cli.attack.offered_attack import AttackOptions
from privis.cli.attack.pictures.same_pictures import content_digest
from privis.cli.classification.classify_words import FileReading, decoding_of, kept_beside, opened_model
from privis.cli.classification.labelled_words import labelled_images
from privis.errors import ParameterError, Problem, refuse
from privis.features.feature import Feature
from privis.file_formats import FileFormat
from privis.io.images.decode import MAX_PIXELS, Decoding
from privis.training.heads import Head, load_head

SHOWN = 3


@dataclass(frozen=True, eq=False)
class AttackedModel:
    """What an attacker has of a model.

    Args:
        classes: names, in the order of its probabilities.
        feature: what it extracts.
        asked: probabilities of vectors.
        decoding: how files become pixels.
        guarantee: of its training; empty: none.
        words: feature and protection, for findings.
    """

    classes: tuple[str, ...]
    feature: Feature
    asked: Model
    decoding: Decoding
    guarantee: Mapping[str, Any]
    words: str


@dataclass(frozen=True, eq=False)
class ScoredPictures:
    """Pictures that a model was trained on and others, as an attacker scores them.

    Args:
        model: that is attacked.
        way: how they are scored.
        members: scores of pictures that it was trained on.
        others: of those that it was not.
        public: pictures of the attacker; 0: none.
        failed: files that could not be used.
    """

    model: AttackedModel
    way: MembershipAttack
    members: NDArray[np.float64]
    others: NDArray[np.float64]
    public: int
    failed: tuple[str, ...] = field(default=())


def attacked_model(options: AttackOptions) -> AttackedModel:
    """Open a classifier or a head, with the feature that it was trained on.

    Raises:
        ParameterError: a detector, a head that names no classes, or one whose feature is not known.
    """
    path = Path(options.against)
    if options.found is FileFormat.CLASSIFIER:
        model = opened_model(path)
        return AttackedModel(
            model.classes,
            model.feature,
            lambda vectors: model.probabilities(model.scores_of(vectors)),
            decoding_of(model, MAX_PIXELS),
            model.guarantee or {},
            _words(model.feature.name, model.guarantee),
        )
    if options.found is FileFormat.DETECTOR:
        raise ParameterError(Problem(options.against, "a detector", "a model that names the class of a picture"))
    head = load_head(path)
    said = dict(head.feature) if isinstance(head, Head) else {}
    stated = head.guarantee.to_dict() if isinstance(head, Head) else {}
    if stated.get("epsilon") is None:
        stated = {}

    def asked(vectors: NDArray[np.floating]) -> NDArray[np.float64]:
        found = head.decide(head.scores(vectors)).probabilities
        if found is None:
            raise ParameterError(Problem(options.against, "a head of values", "a head of classes"))
        return np.asarray(found, np.float64)

    feature = feature_of_words(said, options)
    return AttackedModel(head.classes, feature, asked, Decoding(), stated, _words(feature.name, stated))


@lru_cache(maxsize=1)  # several attacks look at the same scores
def scored_pictures(options: AttackOptions) -> ScoredPictures:
    """Extract all pictures, train models of the attacker on the public ones, and score the others.

    Raises:
        ParameterError: a picture is in two folders, a folder is called like no class, or there are too few pictures.
        ImageError: no picture of a folder can be used.
        MissingExtraError: scikit-learn is not installed.
    """
    given = {"--members": options.members, "--non-members": options.non_members, "--public": options.public}
    folders = {name: folder for name, folder in given.items() if folder is not None}
    model = attacked_model(options)
    pictures = {name: labelled_images([str(folder)], "folder").images for name, folder in folders.items()}
    _refuse_shared({name: each.paths for name, each in pictures.items()})
    found, failed = {}, []
    for name, images in pictures.items():
        with kept_beside(None) as table:
            read, vectors = FileReading(model.decoding, 0, f"privis attack: {name}").vectors(
                model.feature, images, table
            )
        found[name] = LabelledVectors.of(vectors, read.labels, model.classes, name)
        failed += [f"{path}: {why}" for path, why in read.refused.items()]
    members, others, public = (found.get(name) for name in given)
    assert members is not None and others is not None
    references = None if public is None else train_references(model.asked, public)
    both = LabelledVectors(
        np.concatenate([members.vectors, others.vectors]),
        np.concatenate([members.labels, others.labels]),
        model.classes,
    )
    way, scores = membership_scores(model.asked, both, references)
    return ScoredPictures(
        model,
        way,
        scores[: len(members)],
        scores[len(members) :],
        0 if public is None else len(public),
        tuple(failed),
    )


def _refuse_shared(folders: Mapping[str, Sequence[str]]) -> None:
    """A picture cannot be trained on and not, and what the attacker learns from must be neither."""
    where: dict[bytes, tuple[str, str]] = {}
    problems = []
    for name, paths in folders.items():
        for path in paths:
            content = content_digest(path)
            other, first = where.setdefault(content, (name, path))
            if other != name:
                remedy = "leave it in one folder: figures would be of pictures that are on both sides"
                problems.append(
                    Problem(path, f"the same picture as {first} of {other}", f"a picture of {name} alone", remedy)
                )
    more = len(problems) - SHOWN
    refuse(
        ParameterError,
        problems[:SHOWN] + ([Problem("folders", f"{more:,} more such files", "none")] if more > 0 else []),
    )


def _words(feature: str, guarantee: Mapping[str, Any] | None) -> str:
    if not guarantee:
        return f"a classifier of {feature}, trained in the clear"
    return f"a classifier of {feature}, trained at epsilon={guarantee['epsilon']:g} unit={guarantee['unit']}"

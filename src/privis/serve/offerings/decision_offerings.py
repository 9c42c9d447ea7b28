"""A gallery as an offering that answers with decisions: clients learn who matches, never a cosine outside the gap.

Its templates are the server's own, or each client's, encrypted by the client and sent with its evaluation keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, ProtocolError
from privis.privacy.answers.answer_limits import AnswerKind
from privis.run.he.evaluation.forked_map import cores
from privis.run.he.matching.decision_cost import decision_cost
from privis.run.he.matching.decision_gallery import EncryptedDecisionGallery, PlainDecisionGallery
from privis.run.he.matching.decision_matcher import DecisionMatcher
from privis.run.he.matching.decision_specification import DecisionSpec
from privis.run.he.wire import key_file as bundle
from privis.run.he.wire.framing import split
from privis.serve.offerings.offering import Estimate, Runner, Terms, answers_words

_WORK = 150 << 20  # bytes a worker needs beside its keys: an interpreter's pages as they change, and the answers


@dataclass(frozen=True, eq=False)
class OfferDecisions:
    """Encodes templates for a server that decides about them under encryption.

    Args:
        name: of the offer.
        summary: of it, in a few words.
        names: of the templates, all different; clients are told all of them with the indices of those that match.
        vectors: (templates, dimension), finite and not zero.
        threshold: smallest cosine that is accepted, in [-1, 1].
        gap: distance from the threshold inside which a template may be undecided.
        payloads: whole numbers from 0 to 65,535 (templates, width), for whoever matches; None: none.
        embedding: hexadecimal identity of what made the vectors, which clients are told; empty: not known.
        released: whether they are released under differential privacy: their cosines are smaller.

    Raises:
        ParameterError: a threshold, a gap or payloads that cannot be.
    """

    name: str
    summary: str
    names: tuple[str, ...]
    vectors: NDArray[Any] = field(repr=False)
    threshold: float
    gap: float
    payloads: NDArray[Any] | None = field(default=None, repr=False)
    embedding: str = ""
    released: bool = False

    def __post_init__(self) -> None:
        _ = self.spec

    @property
    def spec(self) -> DecisionSpec:
        """Of the gallery."""
        width = 0 if self.payloads is None else 2 * self.payloads.shape[1]
        return DecisionSpec(self.vectors.shape[1], self.threshold, self.gap, max(1, len(self.vectors)), width)

    def __call__(self) -> DecisionOffering:
        """Encode the gallery once; workers forked later share it."""
        gallery = PlainDecisionGallery(self.spec)
        carried = None if self.payloads is None else payload_bytes(self.payloads)
        gallery.add(self.names, self.vectors, carried)
        return DecisionOffering(self.name, self.summary, gallery, self.embedding, self.released)


@dataclass(frozen=True, eq=False)
class DecisionOffering:
    """An encoded gallery without keys."""

    name: str
    summary: str
    gallery: PlainDecisionGallery
    embedding: str = ""
    released: bool = False

    @property
    def terms(self) -> Terms:
        """What clients are told."""
        named = sum(len((name or "").encode()) + 4 for name in self.gallery.names)
        # a score: near the threshold it tells the cosine; one, as comparisons are of real parts alone
        answers = answers_words(AnswerKind.SCORE, 1, self.gallery.spec.dimension)
        known = {"embedding": self.embedding, "released": self.released} if self.embedding else {}
        return _terms(self.name, self.summary, self.gallery.spec, named, {"answers": answers}, known)

    def open(self, keys: Path) -> Runner:
        """Load a client's evaluation keys from the bundle at ``keys``, ready to answer queries."""
        content = bundle.read(keys, bundle.KeyKind.EVALUATION, self.gallery.spec.digest)
        return DecisionMatcher.open(self.gallery, content)


@dataclass(frozen=True)
class OfferEncryptedDecisions:
    """Room for encrypted templates, for each client its own, and decisions about them.

    Args:
        name: of the offer.
        summary: of it, in a few words.
        spec: of encrypted templates.

    Raises:
        ParameterError: a specification of templates that are not encrypted.
    """

    name: str
    summary: str
    spec: DecisionSpec

    def __post_init__(self) -> None:
        if not self.spec.encrypted:
            problem = Problem("spec", "templates that are not encrypted", "DecisionSpec(…, encrypted=True)")
            raise ParameterError(problem)

    def __call__(self) -> EncryptedDecisionOffering:
        """Make the offering: no gallery yet, as the templates come later."""
        return EncryptedDecisionOffering(self)


@dataclass(frozen=True)
class EncryptedDecisionOffering:
    """What a client may send its templates to."""

    offer: OfferEncryptedDecisions

    @property
    def terms(self) -> Terms:
        """What clients are told: what it takes when all the room is used."""
        return _terms(self.offer.name, self.offer.summary, self.offer.spec, 0, {})

    def open(self, keys: Path) -> Runner:
        """Load a client's evaluation keys and its templates; ProtocolError for anything else, or for too many."""
        spec = self.offer.spec
        content = bundle.read(keys, bundle.KeyKind.EVALUATION, spec.digest)
        evaluation, *changes = split(content, "evaluation keys and templates")
        if not 1 <= len(changes) <= spec.blocks:
            got, expected = f"{len(changes)} blocks of templates", f"1 to {spec.blocks}"
            raise ProtocolError(Problem("evaluation keys", got, expected, "send fewer templates"))
        gallery = EncryptedDecisionGallery(spec)
        for change in changes:
            gallery.change(change)
        return DecisionMatcher.open(gallery, evaluation)


def payload_bytes(payloads: NDArray[Any]) -> list[bytes]:
    """Rows of whole numbers from 0 to 65,535 as two bytes each; ParameterError for others."""
    found = np.asarray(payloads)
    if found.ndim != 2 or found.dtype.kind not in "iu" or ((found < 0) | (found > 65_535)).any():
        expected = "whole numbers from 0 to 65,535 of shape (templates, width)"
        raise ParameterError(Problem("payloads", f"{found.dtype} values of shape {found.shape}", expected))
    return [row.tobytes() for row in found.astype(">u2")]


def _terms(
    name: str,
    summary: str,
    spec: DecisionSpec,
    named: int,
    more: dict[str, Any],
    known: Mapping[str, Any] = MappingProxyType({}),
) -> Terms:
    cost = decision_cost(spec)
    own = spec.blocks * cost.change if spec.encrypted else 0
    memory = cost.memory + cost.reply + _WORK + (cost.gallery + 2 * own if spec.encrypted else 0)
    seconds = cost.seconds / min(2, cores())
    estimate = Estimate(seconds, cost.keys + own, cost.query, cost.reply + named, memory)
    told = {"dimension": spec.dimension, "threshold": spec.threshold, "gap": spec.gap, "answers": "decisions"}
    room = {"templates": spec.templates} if spec.encrypted else {}
    words = {"gallery": {**told, **room, **known}, **more}
    return Terms(name, summary, spec.digest, spec.to_json(), estimate, words=words)

"""Client of a gallery that decides: keeps the secret key, encrypts queries, decrypts answers to questions.

Templates of an encrypted gallery are the owner's, too: encrypted here, without their names, which stay in the folder:
``names.json``, a list of texts in the order of the templates, without a number; another layout takes another file name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, refuse
from privis.run.he.matching.decision_messages import Ask
from privis.run.he.matching.decision_specification import DecisionSpec
from privis.run.he.owner.decision_owner import DecisionOwner, Decisions
from privis.run.he.wire.framing import join
from privis.serve.client.client import Client, RequestProgress
from privis.serve.client.decision_answers import kind_of_message, matches_of_decisions
from privis.serve.client.gallery_keys import Templates
from privis.serve.client.key_folder import KeyFolder, nothing, require_stated
from privis.serve.offerings.decision_offerings import payload_bytes
from privis.serve.offerings.offering import Terms
from privis.tasks.matches import Matches, joined_matches
from privis.tasks.questions import Claim, Payload, Question

_NAMES = "names.json"


@dataclass(frozen=True, eq=False)
class DecisionKeys:
    """Keys for one gallery of a server, in a `KeyFolder`. The secret key is never sent, printed or pickled.

    Args:
        folder: of the keys.
        terms: of the offer that they are for.
        owner: with the secret key.
    """

    folder: Path
    terms: Terms
    owner: DecisionOwner

    @classmethod
    def generate(
        cls, terms: Terms, folder: Path, templates: Templates | None = None, payloads: NDArray[Any] | None = None
    ) -> DecisionKeys:
        """Make new keys for the gallery that ``terms`` describe.

        Args:
            terms: of an offer of decisions.
            folder: that is made, of mode 0700.
            templates: of an encrypted gallery, and of no other.
            payloads: of them, whole numbers from 0 to 65,535 (templates, width), where the offer has room for some.

        Returns:
            The keys.

        Raises:
            OutputError: the folder exists or cannot be written.
            ProtocolError: the terms are damaged, or not of such a gallery.
            ParameterError: templates that do not fit them.
        """
        spec = _spec(terms)
        refuse(ParameterError, _problems(spec, templates))
        owner = DecisionOwner.generate(spec)
        carried = None if payloads is None else payload_bytes(payloads)

        def make() -> tuple[bytes, bytes]:
            evaluation = owner.evaluation_keys()
            if templates is not None:
                (folder / _NAMES).write_text(json.dumps(templates.names), encoding="utf-8")
                changes = owner.enrolled(range(len(templates.names)), np.asarray(templates.vectors), carried)
                evaluation = join([evaluation, *changes])
            return owner.to_bytes(), evaluation

        KeyFolder(folder).create(terms, make)
        return cls(folder, terms, owner)

    @classmethod
    def load(cls, folder: Path) -> DecisionKeys:
        """Read keys that `generate` made.

        Args:
            folder: of the keys.

        Returns:
            The keys.

        Raises:
            ParameterError, ProtocolError: as `KeyFolder.load`.
        """
        terms, secret = KeyFolder(folder).load()
        spec = _spec(terms)
        return cls(folder, terms, DecisionOwner.from_bytes(spec, secret))

    @property
    def names(self) -> tuple[str, ...] | None:
        """Of the templates of an encrypted gallery, which the server was not told; None for a server's own."""
        if not self.owner.spec.encrypted:
            return None
        return tuple(json.loads((self.folder / _NAMES).read_text(encoding="utf-8")))

    def ask(
        self,
        client: Client,
        question: Question,
        vectors: NDArray[Any],
        claims: Sequence[int] | None = None,
        progress: Callable[[RequestProgress], None] = nothing,
    ) -> Matches:
        """Answer a question about vectors that the server cannot see; keys are sent if it does not have them.

        Args:
            client: of the server.
            question: of the threshold that the server declares, and of a gap that is not narrower.
            vectors: (queries, dimension), finite and not zero; one message each.
            claims: for `Claim`, the template that each query claims: its number, which the server sees.
            progress: told how far each message is.

        Returns:
            The answer, as in the clear, where it is not undecided.

        Raises:
            ParameterError: a question that this gallery does not answer, or vectors that have no direction.
            ServiceError: the server cannot be reached, or refuses.
            ProtocolError: a reply that is none.
        """
        ask = self._ask(question, claims, len(vectors))
        self.owner.spec.unit_rows(np.asarray(vectors))
        parts = []
        for number, vector in enumerate(vectors):
            message = self.owner.query(vector, ask, None if claims is None else int(claims[number]))
            found = self.decisions(client, message, progress)
            parts.append(matches_of_decisions(question, found, self.owner.spec))
        return joined_matches(parts)

    def all_decisions(
        self, client: Client, vector: NDArray[Any], progress: Callable[[RequestProgress], None] = nothing
    ) -> Decisions:
        """Which templates are accepted, and which are undecided one by one.

        Args:
            client: of the server.
            vector: (dimension,), finite and not zero.
            progress: told how far the message is.

        Returns:
            Numbers of templates, and names where the server tells them.

        Raises:
            ParameterError, ServiceError, ProtocolError: as `ask`.
        """
        return self.decisions(client, self.owner.query(vector, Ask.INDEX), progress)

    def decisions(
        self, client: Client, message: bytes, progress: Callable[[RequestProgress], None] = nothing
    ) -> Decisions:
        """The decrypted answer to one message; raises as `ask`."""
        return self.owner.decisions(KeyFolder(self.folder).compute(client, message, progress))

    def _ask(self, question: Question, claims: Sequence[int] | None, queries: int) -> Ask:
        spec, problems = self.owner.spec, []
        ask = kind_of_message(question)
        if ask is None:
            got, remedy = type(question).__name__, "which is most similar takes scores: ask the operator for --scores"
            raise ParameterError(Problem("question", got, "Claim, AnyAbove, Count, AllAbove or Payload", remedy))
        if question.threshold != spec.threshold:
            problems.append(Problem("question.threshold", repr(question.threshold), f"{spec.threshold}, as declared"))
        gap = getattr(question, "gap", 0.0)
        if gap < spec.gap:
            remedy = "inside the declared gap a template may be undecided"
            problems.append(Problem("question.gap", repr(gap), f"at least {spec.gap}, as declared", remedy))
        if isinstance(question, Payload) and not spec.payload:
            problems.append(Problem("question", "Payload", "another: this gallery has none"))
        if (claims is not None) != isinstance(question, Claim) or (claims is not None and len(claims) != queries):
            problems.append(Problem("claims", repr(claims), "a template for each query of the question Claim alone"))
        refuse(ParameterError, problems)
        return ask


def _problems(spec: DecisionSpec, templates: Templates | None) -> list[Problem]:
    if templates is None or not spec.encrypted:
        if spec.encrypted == (templates is not None):
            return []
        if spec.encrypted:
            remedy = "the server computes on them without seeing them"
            return [Problem("templates", "none", "those of your encrypted gallery", remedy)]
        return [Problem("templates", "some", "none: this gallery is the server's own")]
    problems, count = [], len(templates.names)
    if not 1 <= count <= spec.templates:
        expected = f"1 to {spec.templates:,}"
        problems.append(Problem("templates", f"{count:,}", expected, "the operator can make more room"))
    if len({*templates.names}) != count or len(templates.vectors) != count:
        got = f"{count} names, {len({*templates.names})} different, for {len(templates.vectors)} vectors"
        problems.append(Problem("templates", got, "a different name for each vector"))
    return problems


def _spec(terms: Terms) -> DecisionSpec:
    spec = DecisionSpec.from_json(terms.specification)
    require_stated(spec.digest, terms)
    return spec

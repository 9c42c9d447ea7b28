"""Recognition of people by a server's gallery, which sees ciphertexts of probes: identification, and claims.

The people are the server's own, or the client's, encrypted when the keys were made. Threshold and gap are the server's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from privis.errors import ImageError, ParameterError, Problem, refuse
from privis.estimators.faces.face_comparison import FaceComparison, Verification
from privis.estimators.faces.identifier import Identification, undecided_because
from privis.extraction.faces.face_templates import RefusedFace
from privis.run.he.owner.decision_owner import Decisions
from privis.serve.client.client import Client, RequestProgress
from privis.serve.client.decision_answers import best_of_decisions, matches_of_decisions
from privis.serve.client.decision_keys import DecisionKeys
from privis.serve.client.key_folder import nothing
from privis.tasks.matches import Decision
from privis.tasks.questions import AllAbove, Best, Claim


@dataclass(frozen=True, eq=False)
class ServedGallery:
    """A gallery at a server, with a client's keys for it.

    Args:
        keys: of the offer, which must be one of decisions.
        client: of the server.
        comparison: how pictures become vectors, and the false-match rate that is wanted.
        progress: told how far each message is.

    Raises:
        ParameterError: vectors that cannot be compared with the server's, or a threshold of the server's that does not
            meet the false-match rate; all at once.
    """

    keys: DecisionKeys = field(repr=False)
    client: Client = field(repr=False)
    comparison: FaceComparison
    progress: Callable[[RequestProgress], None] = nothing

    def __post_init__(self) -> None:
        spec, told, mine = self.keys.owner.spec, self.keys.terms.words["gallery"], self.comparison
        where, problems = f"offer {self.keys.terms.name}", []
        theirs = told.get("embedding")
        if theirs != mine.embedding.hex():
            got = "templates of an unknown network" if theirs is None else f"templates of a network {str(theirs)[:12]}"
            remedy = "use the network that they were made with; a gallery of privis face enrol says which"
            problems.append(Problem(where, got, f"those of {mine.network} ({mine.embedding.hex()[:12]})", remedy))
        elif bool(told.get("released")) != (mine.release is not None):
            got, expected = (
                ("released templates", "exact ones") if told.get("released") else ("exact templates", "released ones")
            )
            remedy = "name the release that they were made with, as in --release privunit --epsilon 16, or none"
            problems.append(Problem(where, got, expected, remedy))
        else:
            needed = mine.table(spec.dimension).threshold(mine.fmr, spec.gap)
            if spec.threshold < needed:
                got = f"decisions at cosine {spec.threshold:g}"
                expected = f"at {needed:g} or more, for a false-match rate of {mine.fmr:g} with its gap of {spec.gap:g}"
                remedy = "allow a higher rate, or ask the operator for that --threshold"
                problems.append(Problem(where, got, expected, remedy))
        refuse(ParameterError, problems)

    def identify(self, probes: Iterable[Any], *, count: int = 1) -> list[Identification | RefusedFace]:
        """Say who is on each picture; the server learns nothing but that it was asked.

        Args:
            probes: paths, PIL images or uint8 arrays (H, W) or (H, W, 3) RGB, one person in each.
            count: most people that an answer names.

        Returns:
            For each picture who it is, or why it has no template, in order.

        Raises:
            ParameterError: no probes.
            ServiceError: the server cannot be reached, or refuses.
            ProtocolError: a reply that is none.
        """
        spec, found = self.keys.owner.spec, self.comparison.vectors(probes)
        self._require_length(found.rows)
        answers: dict[int, Identification | RefusedFace] = dict(found.refused)
        people = len(self.keys.names or ()) or spec.templates
        for place, row in zip(found.places, found.rows, strict=True):
            decisions = self.keys.all_decisions(self.client, row, self.progress)
            if count == 1:
                matches = best_of_decisions(Best(spec.threshold), decisions)
            else:
                matches = matches_of_decisions(AllAbove(spec.threshold, count, spec.gap), decisions, spec)
            why = undecided_because(matches, 0)
            named = () if why else tuple(self._name(number, decisions) for number in decisions.accepted)
            answers[int(place)] = Identification(named, bool(why), float(self.comparison.fmr), people, why)
        return [answers[place] for place in sorted(answers)]

    def verify(self, claimed: int, probe: Any) -> Verification:
        """Tell whether a picture shows the person whose template is claimed.

        Args:
            claimed: number of the template, which the server sees.
            probe: a path, a PIL image or a uint8 array (H, W) or (H, W, 3) RGB.

        Returns:
            The answer.

        Raises:
            ImageError: the picture cannot be read, or has no face that is good enough.
            ParameterError: a number that cannot be.
            ServiceError: the server cannot be reached, or refuses.
            ProtocolError: a reply that is none.
        """
        spec, found = self.keys.owner.spec, self.comparison.vectors([probe])
        if found.refused:
            raise ImageError(*found.refused[0].problems)
        self._require_length(found.rows)
        asked = Claim(spec.threshold, spec.gap)
        decided = self.keys.ask(self.client, asked, found.rows, [claimed], self.progress).decisions
        assert decided is not None
        state = int(decided[0])
        fmr = float(self.comparison.fmr)
        return Verification(state == Decision.ACCEPTED, state == Decision.UNDECIDED, fmr)

    def _name(self, number: int, decisions: Decisions) -> str:
        names = self.keys.names
        return decisions.names.get(number, str(number)) if names is None else names[number]

    def _require_length(self, rows: np.ndarray) -> None:
        width = self.keys.owner.spec.dimension
        if len(rows) and rows.shape[1] != width:
            where = f"offer {self.keys.terms.name}"
            got = f"templates of {width} components"
            raise ParameterError(Problem(where, got, f"of {rows.shape[1]}, as the probes have"))

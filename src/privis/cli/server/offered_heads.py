"""A head that a server keeps behind a feature: from ``privis serve --head`` to an offer, and back to a feature."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from privis.errors import ParameterError, Problem, UnsupportedError, refuse
from privis.extraction.owner.at_owner import AtOwner
from privis.features.feature import Feature, core_shape
from privis.program import Program, ops
from privis.tasks.decisions import Link
from privis.tasks.linear_head import LinearHead

if TYPE_CHECKING:
    from privis.run.he.compiler.compiler import Options


MOST_ERROR = 0.05
"""Largest error of a score by polynomials, as a share of the largest, with which a head is offered."""


class ExtractedBy(Enum):
    """Who computes the feature in front of a head: the server on ciphertexts, or clients before they encrypt."""

    SERVER = "server"
    CLIENT = "client"


@dataclass(frozen=True)
class HeadOptions:
    """What the command line says of a head.

    Args:
        path: file of the head.
        extracted_by: who computes the feature in front of it.
        public: clients may receive its weights, where normalisation is left to them.
    """

    path: Path
    extracted_by: ExtractedBy = ExtractedBy.SERVER
    public: bool = False

    def behind(self, feature: Feature) -> tuple[Feature, LinearHead, bool]:
        """Read the head and put it behind ``feature``.

        Returns:
            The feature as the owner prepares it, the head, and whether its weights may be told.
        """
        from privis.training.heads import Head, load_head

        head = load_head(self.path)
        before: Feature = AtOwner(feature) if self.extracted_by is ExtractedBy.CLIENT else feature
        scored = before >> head  # refuses a feature that it was not trained on
        return before, scored.head, self.public or isinstance(head, Head)

    def offered(self, feature: Feature, options: Options) -> tuple[Feature, Program, Mapping[str, Any], str]:
        """What is offered.

        Args:
            feature: public, in front of the head.
            options: of the compilation.

        Returns:
            The feature as clients prepare it, the program, the words of the head in an offer, and what the summary
            says of it.

        Raises:
            ParameterError: clients would receive weights that nobody said are public.
            UnsupportedError: no program computes the feature to its end, or polynomials are too far off.
        """
        assert feature.size is not None
        before, head, public = self.behind(feature)
        program = head.program(before, core_shape(before, (*feature.size, 3)))
        normalised = any(isinstance(node.op, ops.Normalise) for node in program.nodes)
        told = normalised and not options.inside
        if told and not public:
            got = f"a program that normalises in front of the head in {self.path.name}"
            remedy = "--inside keeps the weights on the server, --public-head lets clients have them"
            expected = "weights that stay on the server, or are public"
            raise ParameterError(Problem("--head", got, expected, remedy))
        if normalised and options.inside:
            refuse(UnsupportedError, _inaccurate(program, options, self.path.name))
        words = {
            "classes": list(head.classes),
            "scores": len(head.names),
            "link": head.link.value,
            "extracted_by": self.extracted_by.value,
        }
        where = "; clients receive its weights, as they normalise" if told else ""
        return before, program, words, f"head of {len(head.names)} scores behind {feature.name}{where}"


def _inaccurate(program: Program, options: Options, name: str) -> list[Problem]:
    """The problem that polynomials of a division by lengths are too far off to classify by, on made-up images."""
    from privis.readings import cost
    from privis.readings.approximation.predicted_error import largest_error, made_up
    from privis.run.he.compiler.compiler import compile_program

    made = compile_program(program, options)
    found = largest_error(program, made.in_the_clear, made_up(program, cost(program).operations or 0))
    if found <= MOST_ERROR:
        return []
    got, expected = f"scores of {name} off by {found:.0%} of the largest", f"at most {MOST_ERROR:.0%}"
    remedy = "--public-head, or a head that does not divide by lengths, as of a pipeline without Normalizer"
    return [Problem("--inside", got, expected, remedy)]


def head_of(words: Mapping[str, Any], build: Callable[[str, Sequence[str]], Feature], specification: str) -> Feature:
    """The feature that an offer with a head computes, on the owner's side.

    Args:
        words: of the head, from a server: nothing in them is trusted.
        build: makes the feature that they name, or raises ValueError.
        specification: digest of the offer.

    Returns:
        The feature.

    Raises:
        ValueError, TypeError, KeyError: the words say something else.
    """
    from privis.serve.client.remote_model import PrivateHead  # it needs the extra of servers

    feature = build(str(words["feature"]), [str(word) for word in words["parameters"]])
    by = ExtractedBy(words["extracted_by"])
    classes = tuple(str(name) for name in words["classes"])
    before: Feature = AtOwner(feature) if by is ExtractedBy.CLIENT else feature
    return PrivateHead(before, classes, int(words["scores"]), Link(words["link"]), specification)

"""What released vectors are: the feature that a caller, a result or a table's card names, and who computed it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from unicodedata import normalize

from privis.errors import ParameterError, Problem
from privis.extraction.card import described
from privis.extraction.extractor import ExactSource
from privis.features.feature import Feature
from privis.features.postprocessing.steps import Step

_EXACT = " The features are exact"  # where the threat model of an exact result goes on
_UNKNOWN = "The vectors were given as they are: who saw what they were computed from is not known here."
OWN_RECORD = "every vector was computed from its own record alone, by a function that no private record decided"
ONE_FEATURE = "an id names one record, and all vectors that are released without feature= under one key are one feature"


@dataclass(frozen=True)
class Origin:
    """What vectors are.

    ``extracted`` is how `privis.extract` made them, if it did. ``question`` is what noise hangs on beside record,
    release and values: of two features, one record may have equal values, and equal noise on them would show that they
    are equal.
    """

    feature: Mapping[str, Any]
    under: Mapping[str, Any]
    question: tuple[Any, ...]
    programs: tuple[str, ...] = ()
    seen: str = _UNKNOWN
    is_named: bool = True
    extracted: ExactSource | None = None

    @property
    def promises(self) -> tuple[str, ...]:
        """What nobody here can check."""
        return (OWN_RECORD,) if self.is_named else (OWN_RECORD, ONE_FEATURE)


def origin_of(feature: Feature | str | None) -> Origin:
    """What the caller says of vectors.

    Args:
        feature: what computed them: a `Feature`, or words that name it, like a network and its layer; None: nothing.

    Returns:
        Their origin.

    Raises:
        ParameterError: it is neither, or has no words.

    >>> origin_of("network 7, last layer").feature
    {'name': 'network 7, last layer'}
    """
    under = {"class": "Given"}
    if feature is None:
        return Origin({"name": "vectors"}, under, ("unnamed",), is_named=False)
    if isinstance(feature, str) and feature.strip():
        name = normalize("NFC", feature).strip()
        return Origin({"name": name}, under, ("named", name))
    if isinstance(feature, Feature) and not isinstance(feature, type):
        return Origin({"name": feature.name, **described(feature)}, under, ("feature", feature))
    expected = 'a Feature, or words that name what computed the vectors, as in "network 7, last layer"'
    raise ParameterError(Problem("feature", repr(feature), expected))


def with_steps(origin: Origin, steps: tuple[Step, ...]) -> Origin:
    """The origin of vectors that went through public steps since.

    Args:
        origin: of the vectors before.
        steps: each a frozen dataclass, in their order.

    Returns:
        An origin that names them.
    """
    if not steps:
        return origin
    feature = {**origin.feature, "then": [described(step) for step in steps]}
    return replace(origin, feature=feature, question=(*origin.question, steps))


def origin_of_card(card: Mapping[str, Any]) -> Origin:
    """What the card of an exact result or table says.

    Args:
        card: as `privis.extraction.card.Card.to_dict` gives it.

    Returns:
        The origin of its vectors.

    Raises:
        ParameterError: they are released already: noise on noise spends budget and hides nothing more.
    """
    if card.get("release") is not None:
        got = "vectors that are released already, as their card says"
        remedy = "release the exact vectors once; what was released may be used and shared as it is"
        raise ParameterError(Problem("vectors", got, "exact vectors", remedy))
    try:
        feature, under = dict(card["feature"]), dict(card["under"])
        seen = str(card["threat_model"]).partition(_EXACT)[0]
    except (KeyError, TypeError, ValueError) as error:
        got, expected = f"a card that is not whole: {error!r}", "the card that the table was written with"
        raise ParameterError(Problem("vectors", got, expected, "extract the table again")) from None
    return Origin(feature, under, ("computed", feature, under), tuple(card.get("programs", ())), seen)

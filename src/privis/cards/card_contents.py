"""What a signed card says beside what was computed: derived from that, or declared by who signs, and which of both."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from privis.errors import ParameterError, Problem, refuse
from privis.file_formats import FileFormat, misfit

DERIVED, DECLARED = "derived", "declared by the signer"
PUBLIC_NUMBERS = ("clip", "total", "moves")
"""Parameters of releases that bound what noise hides, and have to be public."""
_KEYS = {"site": str, "custody": dict, "provenance": dict, "cost": dict, "limits": list, "registry": dict}
_COSTS = ("predicted", "measured")
_HARDLY = 10.0
_SEEN = {
    "Clear": (("the machine that ran Privis", "the images and the exact features"),),
    "CKKS": (
        ("the owner of the images", "the images and the exact features"),
        ("the server that computed", "ciphertexts, their number and size, and what is computed"),
    ),
    "Paillier": (
        ("the owner of the images", "the images and the exact features"),
        ("the server that computed", "ciphertexts, their number and size, and what is computed"),
    ),
    "MPC": (
        ("the owner of the images", "the images"),
        ("each computing party", "shares that say nothing alone, the images' sizes, and what is computed"),
    ),
}
_LARGEST = 1 << 24


@dataclass(frozen=True)
class Declaration:
    """What only who signs can know.

    Args:
        site: who signs, in words.
        custody: who holds a key, by the key.
        provenance: where a bound or projection comes from, by its name.
        cost: ``predicted`` and ``measured``, each by what is counted.
        limits: further sentences.
        registry: for an entry of the registry of deployments (`privis.cards.registry`); no signed card holds it.
    """

    site: str = ""
    custody: Mapping[str, str] = field(default_factory=dict)
    provenance: Mapping[str, str] = field(default_factory=dict)
    cost: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    limits: tuple[str, ...] = ()
    registry: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> Declaration:
        """Read a declaration.

        Args:
            path: of a TOML file.

        Returns:
            The declaration.

        Raises:
            ParameterError: naming all that does not fit.
        """
        expected = f"a TOML file with some of {', '.join(_KEYS)}"
        words = read_declaration(path, expected)
        refuse(ParameterError, list(_misdeclared(path, words, expected)))
        return cls(**{**words, "limits": tuple(words.get("limits", ()))})


def read_declaration(path: Path, expected: str) -> dict[str, Any]:
    """Read what somebody declares, unchecked.

    Args:
        path: of a TOML file.
        expected: what it may hold, in words.

    Returns:
        Its values by key, at least one.

    Raises:
        ParameterError: it cannot be read, is no TOML, too large or empty.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise ValueError("a file that is too large")
        said = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        reason = (error.strerror or "an error") if isinstance(error, OSError) else str(error)[:200]
        raise ParameterError(misfit(path, FileFormat.TOML, reason, expected)) from None
    if not said:
        raise ParameterError(misfit(path, FileFormat.TOML, "nothing declared", expected))
    return said


def _misdeclared(path: Path, words: Mapping[str, Any], expected: str) -> Iterator[Problem]:
    for key, value in words.items():
        where = f"{path}: {key}"
        if key not in _KEYS:
            yield Problem(where, "an unknown key", expected)
        elif not isinstance(value, _KEYS[key]):
            yield Problem(where, type(value).__name__, {str: "a text", dict: "a table", list: "a list"}[_KEYS[key]])
        elif key in ("custody", "provenance") and not all(isinstance(text, str) for text in value.values()):
            yield Problem(where, "a value that is no text", "texts")
        elif key == "limits" and not all(isinstance(text, str) for text in value):
            yield Problem(where, "an entry that is no text", "sentences")
        elif key == "cost":
            yield from _miscounted(where, value)


def _miscounted(where: str, cost: Mapping[str, Any]) -> Iterator[Problem]:
    for kind, counted in cost.items():
        if kind not in _COSTS or not isinstance(counted, Mapping):
            yield Problem(f"{where}.{kind}", "no cost", f"tables {' and '.join(_COSTS)}")
        elif any(
            isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number)
            for number in counted.values()
        ):
            yield Problem(f"{where}.{kind}", "a value that is no number", "numbers, like seconds = 3.5")


def cost_of(declared: Declaration, found: Mapping[str, Any]) -> dict[str, Any]:
    """Say what the run was predicted to take, and took.

    Args:
        declared: by who signs, which goes before.
        found: in the log of runs: ``predicted`` and ``measured``, where they are known, and ``source``.

    Returns:
        ``predicted``, ``measured`` and, where there is one of them, ``basis``: how each is known.
    """
    kinds = {kind: declared.cost.get(kind) or found.get(kind) for kind in _COSTS}
    basis = {
        kind: DECLARED if declared.cost.get(kind) else str(found.get("source", DERIVED))
        for kind, value in kinds.items()
        if value
    }
    return {**kinds, **({"basis": basis} if basis else {})}


def seen_by(card: Mapping[str, Any], kind: str = "table") -> list[dict[str, str]]:
    """Say who saw what.

    Args:
        card: of format 1.
        kind: what it is of.

    Returns:
        Who and what, one of them per party.
    """
    parties = _SEEN.get(card["under"].get("class", ""), (("see threat_model", card["threat_model"]),))
    exact = card["release"] is None
    if kind == "table":
        received = "exact features" if exact else "features with the noise of the release, and this card"
    else:
        received = (
            f"the {kind}, without noise" if exact else f"the {kind}, with the noise of its release, and this card"
        )
    return [{"who": who, "what": what} for who, what in (*parties, (f"whoever receives the {kind}", received))]


def keys_of(card: Mapping[str, Any], declared: Declaration) -> list[dict[str, str]]:
    """Say which keys there are and who holds them.

    Args:
        card: of format 1.
        declared: by who signs.

    Returns:
        Key, what it opens, who holds it and how that is known.
    """
    opens = {}
    if card["release"] is not None:
        opens["release key"] = "takes the noise away"
    if card["under"].get("class") in ("CKKS", "Paillier"):
        opens["secret key of the encryption"] = "reads the images and the exact features"
    opens["card key"] = "signs cards in the name of the site"
    opens |= {name: "as declared" for name in declared.custody if name not in opens}
    return [
        {
            "key": name, "opens": what, "held_by": declared.custody.get(name, "not stated"),
            "basis": DECLARED if name in declared.custody else DERIVED,
        }
        for name, what in opens.items()
    ]  # fmt: skip


def provenance_of(card: Mapping[str, Any], declared: Declaration) -> list[dict[str, Any]]:
    """Say where every bound and projection comes from.

    Args:
        card: of format 1.
        declared: by who signs.

    Returns:
        Name, value, provenance and how that is known.
    """
    release = card["release"] or {}
    found: dict[str, tuple[Any, str, str]] = {
        name: (release[name], "not stated; it has to be public, and not from the images", DERIVED)
        for name in PUBLIC_NUMBERS
        if release.get(name) is not None
    }
    found |= {name: (value, str(value), DERIVED) for name, value in _sources(card["feature"], "feature")}
    for name, words in declared.provenance.items():
        found[name] = (found[name][0] if name in found else None, words, DECLARED)
    return [
        {"name": name, "value": value, "provenance": words, "basis": basis}
        for name, (value, words, basis) in found.items()
    ]


def _sources(value: Any, name: str) -> Iterator[tuple[str, Any]]:
    """What projections and codebooks inside a feature say of where they come from."""
    if isinstance(value, Mapping):
        if "source" in value:
            yield f"{name}.{value.get('class', 'source')}", value["source"]
        for key, inner in value.items():
            yield from _sources(inner, f"{name}.{key}")
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _sources(inner, f"{name}[{number}]")


def limits_of(
    card: Mapping[str, Any], chain: Mapping[str, Any], attacks: int, declared: Declaration, kind: str = "table"
) -> list[str]:
    """Say in plain words what the card does not show.

    Args:
        card: of format 1.
        chain: ledgers that it is tied to.
        attacks: how many figures of attacks it holds.
        declared: by who signs.
        kind: what the card is of.

    Returns:
        Sentences.
    """
    guarantee, found = card["guarantee"], []
    if card["release"] is None:
        exact = "The features are exact: whoever has the table may recover much of the images."
        found.append(exact if kind == "table" else f"Without noise: whoever has the {kind} may learn of every image.")
        found.append(f"Whoever guesses the whole {kind} can confirm the guess by its digest, as no noise is in it.")
    else:
        whole = guarantee["whole_image_epsilon"]
        if whole is None or whole > _HARDLY:
            shown = "unbounded" if whole is None else f"{whole:,.4g}"
            found.append(f"Whole images are hardly hidden: their epsilon is {shown}.")
        if "budget" not in chain:
            found.append("No ledger: other releases of the same images add to this epsilon, and are not counted here.")
        found.append(f"That the noise was drawn as stated cannot be seen from the {kind}: who signs answers for it.")
    if guarantee.get("promises"):
        found.append(f"Promised by the caller, and not checked: {'; '.join(guarantee['promises'])}.")
    if not attacks:
        found.append(f"No attack was run on this {kind}.")
    found.append("The signature shows who states this and that nothing changed since, not that it is true.")
    return [*found, *declared.limits]

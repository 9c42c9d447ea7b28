"""What a card is of where that is no table: a trained model, or a store of vectors, by a digest of its content."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from privis.extraction.card import FORMAT
from privis.privacy import Guarantee

NOT_KEPT = "not kept"
"""Class of a release whose parameters the file does not hold, so that nobody can recompute its guarantee."""


@dataclass(frozen=True)
class SignedContent:
    """What a card says of anything but a table.

    Args:
        kind: what it is, in one or two words: ``classifier``.
        name: of its file or folder.
        sha256: of its bytes, or of what ``digest_of`` names.
        digest_of: what the digest is of, in words.
        counts: what is counted in it, by what is counted.
        card: what it says of itself, with the keys of a card of format 1.
    """

    kind: str
    name: str
    sha256: str
    digest_of: str
    counts: Mapping[str, int]
    card: Mapping[str, Any]

    key = "content"
    """Of a card, under which it is described."""

    @property
    def components(self) -> int | None:
        """Of the vectors that it is for; None where it does not say."""
        return self.counts.get("components")

    def described(self) -> dict[str, Any]:
        """Give what stands in a card.

        Returns:
            All but what it says of itself.
        """
        values = {"kind": self.kind, "name": self.name, "sha256": self.sha256, "digest_of": self.digest_of}
        return values | {"counts": dict(self.counts)}


def model_card(
    feature: Mapping[str, Any],
    guarantee: Guarantee,
    training: Mapping[str, Any] | None,
    version: str,
) -> dict[str, Any]:
    """Say of a trained model what a card of format 1 says of a table.

    Args:
        feature: that it was trained on, as a card says it.
        guarantee: of the training.
        training: as a card says a release; None or empty where it was not kept.
        version: of Privis, that made the file.

    Returns:
        The keys of a card of format 1.
    """
    private = guarantee.epsilon < float("inf")
    hidden = "The numbers of the model are released under differential privacy; the images are not."
    exact = "The model was trained without noise: whoever has it may learn of every image that it was trained on."
    return {
        "format": FORMAT,
        "version": version,
        "feature": dict(feature),
        "under": {"class": "Clear"},
        "release": (dict(training) if training else {"class": NOT_KEPT}) if private else None,
        "guarantee": guarantee.to_dict(),
        "threat_model": f"The machine that ran the training saw the images. {hidden if private else exact}",
        "programs": [],
        "images": 0,
    }

"""Whoever asks a gallery: keeps the secret key, encrypts vectors, reads cosines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from privis.run.he.matching_secret import MatchingOwner, Scores
from privis.run.he.matching_spec import MatchingSpec
from privis.serve.client import Client, Step
from privis.serve.key_folder import KeyFolder, nothing, require_stated
from privis.serve.offering import Terms


@dataclass(frozen=True, eq=False)
class GalleryKeys:
    """Keys for one gallery of a server, in a `KeyFolder`. The secret key is never sent, printed or pickled."""

    folder: Path
    terms: Terms
    owner: MatchingOwner

    @classmethod
    def generate(cls, terms: Terms, folder: Path) -> GalleryKeys:
        """Make new keys for the gallery that ``terms`` describe, in the new folder ``folder`` (mode 0700).

        Raises OutputError when the folder exists or cannot be written, ProtocolError when the terms are damaged or are
        not of a gallery.
        """
        spec = _spec(terms)
        owner = MatchingOwner.generate(spec)
        KeyFolder(folder).create(terms, lambda: (owner.to_bytes(), owner.evaluation_keys()))
        return cls(folder, terms, owner)

    @classmethod
    def load(cls, folder: Path) -> GalleryKeys:
        """Read keys that `generate` made; raises as `KeyFolder.load`."""
        terms, secret = KeyFolder(folder).load()
        return cls(folder, terms, MatchingOwner.from_bytes(_spec(terms), secret))

    def ask(self, client: Client, vector: NDArray[Any], progress: Callable[[Step], None] = nothing) -> Scores:
        """Cosines of ``vector`` with every template of the server; evaluation keys are sent if it does not have them.

        Never tell the server, or anyone, what comes back: see `privis.run.he.matching_secret`. Raises ServiceError;
        ProtocolError for a reply that is none.
        """
        return self.owner.scores(KeyFolder(self.folder).compute(client, self.owner.query(vector), progress))


def _spec(terms: Terms) -> MatchingSpec:
    spec = MatchingSpec.from_json(terms.specification)
    require_stated(spec.digest, terms)
    return spec

"""Whoever asks a gallery: keeps the secret key, encrypts vectors, reads cosines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from privis.errors import OutputError, Problem, ProtocolError
from privis.run.he import bundle
from privis.run.he.matching_secret import MatchingOwner, Scores
from privis.run.he.matching_spec import MatchingSpec
from privis.serve.client import Client, KeysUnknown, Step
from privis.serve.offering import Terms

SECRET, EVALUATION, PUBLIC = "secret.key", "evaluation.key", "public.key"


@dataclass(frozen=True, eq=False)
class GalleryKeys:
    """Keys for one gallery of a server: a folder of ``secret.key``, ``evaluation.key`` and ``public.key``.

    The secret key is never sent, printed or pickled.
    """

    folder: Path
    terms: Terms
    owner: MatchingOwner

    @classmethod
    def generate(cls, terms: Terms, folder: Path) -> GalleryKeys:
        """Make new keys for the gallery that ``terms`` describe, in the new folder ``folder`` (mode 0700).

        Raises OutputError when the folder exists or cannot be written, ProtocolError when the terms are damaged or are
        not of a gallery.
        """
        owner = MatchingOwner.generate(_spec(terms))
        try:
            folder.mkdir(mode=0o700, parents=True)
        except OSError as error:
            remedy = "keys are never overwritten: choose another folder"
            got = error.strerror or str(error)
            raise OutputError(Problem(str(folder), got, "a new folder for keys", remedy)) from error
        bundle.write(folder / PUBLIC, bundle.Kind.PUBLIC, terms.digest, terms.to_json().encode())
        bundle.write(folder / EVALUATION, bundle.Kind.EVALUATION, terms.digest, owner.evaluation_keys())
        bundle.write(folder / SECRET, bundle.Kind.SECRET, terms.digest, owner.to_bytes())  # last: now they are whole
        return cls(folder, terms, owner)

    @classmethod
    def load(cls, folder: Path) -> GalleryKeys:
        """Read keys that `generate` made.

        Raises ParameterError when a file is missing, or the secret one can be read by others; ProtocolError when one
        is damaged or is not of the same gallery as the others.
        """
        terms = Terms.from_json(bundle.read(folder / PUBLIC, bundle.Kind.PUBLIC))
        secret = bundle.read(folder / SECRET, bundle.Kind.SECRET, terms.digest)
        return cls(folder, terms, MatchingOwner.from_bytes(_spec(terms), secret))

    def ask(self, client: Client, vector: NDArray[Any], progress: Callable[[Step], None] = lambda _: None) -> Scores:
        """Cosines of ``vector`` with every template of the server; evaluation keys are sent if it does not have them.

        Never tell the server, or anyone, what comes back: see `privis.run.he.matching_secret`. Raises ServiceError;
        ProtocolError for a reply that is none.
        """
        message, path = self.owner.query(vector), self.folder / EVALUATION
        keys = bundle.inspect(path).digest
        try:
            reply = client.compute(self.terms.name, keys, message, progress)
        except KeysUnknown:  # never sent, or forgotten meanwhile
            client.send_keys(self.terms.name, path, progress)
            reply = client.compute(self.terms.name, keys, message, progress)
        return self.owner.scores(reply)


def _spec(terms: Terms) -> MatchingSpec:
    spec = MatchingSpec.from_json(terms.specification)
    if spec.digest != terms.digest:
        got = f"a specification of digest {spec.digest[:12]}…"
        raise ProtocolError(Problem("terms", got, f"{terms.digest[:12]}…, as they say", "do not trust this server"))
    return spec

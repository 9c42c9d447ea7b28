"""Client of a gallery: keeps the secret key, encrypts query vectors, decrypts cosines.

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

from privis.errors import ParameterError, Problem, ProtocolError, refuse
from privis.run.he.matching.matching_specification import MatchingSpec
from privis.run.he.owner.matching import MatchingOwner, Scores
from privis.run.he.wire.framing import join
from privis.serve.client.client import Client, RequestProgress
from privis.serve.client.key_folder import KeyFolder, nothing, require_stated
from privis.serve.offerings.offering import Terms

Progress = Callable[[float], None]


def unseen(share: float) -> None:
    """No-op progress callback for encryption."""


@dataclass(frozen=True, eq=False)
class Templates:
    """What an encrypted gallery is made of: ``vectors`` (templates, dimension) with a different name each."""

    names: tuple[str, ...]
    vectors: NDArray[Any]


@dataclass(frozen=True, eq=False)
class GalleryKeys:
    """Keys for one gallery of a server, in a `KeyFolder`. The secret key is never sent, printed or pickled.

    Templates of an encrypted gallery are in ``evaluation.key``, encrypted, and their names in ``names.json``; others
    take new keys.
    """

    folder: Path
    terms: Terms
    owner: MatchingOwner

    @classmethod
    def generate(
        cls, terms: Terms, folder: Path, templates: Templates | None = None, progress: Progress = unseen
    ) -> GalleryKeys:
        """Make new keys for the gallery that ``terms`` describe, in the new folder ``folder`` (mode 0700).

        An encrypted gallery takes ``templates``, and no other does. Raises OutputError when the folder exists or cannot
        be written, ProtocolError when the terms are damaged or are not of a gallery, ParameterError for templates that
        do not fit them.
        """
        spec = _spec(terms)
        refuse(ParameterError, _problems(spec, terms, templates))
        owner = MatchingOwner.generate(spec)

        def make() -> tuple[bytes, bytes]:
            evaluation = owner.evaluation_keys()
            if templates is not None:
                (folder / _NAMES).write_text(json.dumps(templates.names), encoding="utf-8")
                evaluation = join([evaluation, *_blocks(owner, templates, progress)])
            return owner.to_bytes(), evaluation

        KeyFolder(folder).create(terms, make)
        return cls(folder, terms, owner)

    @classmethod
    def load(cls, folder: Path) -> GalleryKeys:
        """Read keys that `generate` made; raises as `KeyFolder.load`."""
        terms, secret = KeyFolder(folder).load()
        return cls(folder, terms, MatchingOwner.from_bytes(_spec(terms), secret))

    def ask(
        self, client: Client, vector: NDArray[Any], progress: Callable[[RequestProgress], None] = nothing
    ) -> Scores:
        """Cosines of ``vector`` with every template of the gallery; keys are sent if the server does not have them.

        Never tell the server, or anyone, what comes back: see `privis.run.he.owner.matching`. Raises ServiceError;
        ProtocolError for a reply that is none.
        """
        found = self.owner.scores(KeyFolder(self.folder).compute(client, self.owner.query(vector), progress))
        return self._named(found) if self.owner.spec.encrypted else found

    def _named(self, found: Scores) -> Scores:
        """With the names that the server was not told."""
        names = json.loads((self.folder / _NAMES).read_text(encoding="utf-8"))
        if found.names != tuple(map(str, range(len(names)))):
            got, expected = f"{len(found.names)} scores", f"those of {len(names)} templates, in their order"
            raise ProtocolError(Problem("reply", got, expected, "do not trust this server"))
        return Scores(tuple(names), found.values)


_NAMES = "names.json"


def _problems(spec: MatchingSpec, terms: Terms, templates: Templates | None) -> list[Problem]:
    if templates is None or not spec.encrypted:
        if spec.encrypted == (templates is not None):
            return []
        if spec.encrypted:
            remedy = "the server computes on them without seeing them"
            return [Problem("templates", "none", "those of your encrypted gallery", remedy)]
        return [Problem("templates", "some", "none: this gallery is the server's own")]
    problems, count = [], len(templates.names)
    most = int(terms.words["gallery"]["templates"])
    if not 1 <= count <= most:
        problems.append(Problem("templates", f"{count:,}", f"1 to {most:,}", "the operator can make more room"))
    if len({*templates.names}) != count or len(templates.vectors) != count:
        got = f"{count} names, {len({*templates.names})} different, for {len(templates.vectors)} vectors"
        problems.append(Problem("templates", got, "a different name for each vector"))
    return problems


def _blocks(owner: MatchingOwner, templates: Templates, progress: Progress) -> Sequence[bytes]:
    """The templates encrypted, named by their numbers."""
    each = owner.spec.block
    starts, blocks = range(0, len(templates.names), each), []
    for done, start in enumerate(starts):
        rows = np.asarray(templates.vectors)[start : start + each]
        names = [str(start + number) for number in range(len(rows))]
        blocks.append(owner.block(names, rows, lambda share, done=done: progress((done + share) / len(starts))))
    return blocks


def _spec(terms: Terms) -> MatchingSpec:
    spec = MatchingSpec.from_json(terms.specification)
    require_stated(spec.digest, terms)
    return spec

"""A gallery as an offering: clients ask with encrypted vectors and learn cosines, the server learns nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from privis.run.he import bundle
from privis.run.he.forks import cores
from privis.run.he.matching import Matcher, PlainGallery
from privis.run.he.matching_cost import predicted
from privis.run.he.matching_spec import BLOCK, MatchingSpec
from privis.serve.offering import Estimate, Runner, Terms

_WORK = 150 << 20  # bytes a worker needs beside its keys: an interpreter's pages as they change, and the answers


@dataclass(frozen=True, eq=False)
class OfferGallery:
    """Encodes templates, ``vectors`` (templates, dimension) with a name each, for a server.

    ``memory`` limits what stays encoded, as of `PlainGallery`. Clients are told the names of all templates with every
    reply, and learn all cosines. Changing the gallery takes a restart. Raises ParameterError as `PlainGallery.add`.
    """

    name: str
    summary: str
    names: tuple[str, ...]
    vectors: NDArray[Any] = field(repr=False)
    memory: int | None = None

    def __call__(self) -> GalleryOffering:
        """Encode; all workers share it."""
        gallery = PlainGallery(MatchingSpec(self.vectors.shape[1]), self.memory)
        gallery.add(self.names, self.vectors)
        return GalleryOffering(self.name, self.summary, gallery)


@dataclass(frozen=True, eq=False)
class GalleryOffering:
    """An encoded gallery without keys."""

    name: str
    summary: str
    gallery: PlainGallery

    @property
    def terms(self) -> Terms:
        """What clients are told: of the templates, how many there are, by the size of a reply."""
        spec, gallery = self.gallery.spec, self.gallery
        blocks = len(gallery.blocks)
        seconds = predicted(spec, blocks * BLOCK, cores(), gallery.memory).seconds or 0.0
        named = sum(len(name.encode()) + 4 for name in gallery.names)
        reply = spec.reply_bytes(blocks) + named
        estimate = Estimate(seconds, spec.key_bytes, spec.query_bytes, reply, 4 * spec.key_bytes + reply + _WORK)
        words = {"gallery": {"dimension": spec.dimension}}
        return Terms(self.name, self.summary, spec.digest, spec.to_json(), estimate, words=words)

    def open(self, keys: Path) -> Runner:
        """Load a client's evaluation keys."""
        return Matcher.open(self.gallery, bundle.read(keys, bundle.Kind.EVALUATION, self.gallery.spec.digest))

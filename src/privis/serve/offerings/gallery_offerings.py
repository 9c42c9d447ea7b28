"""A gallery as an offering: clients ask with encrypted vectors and learn cosines, the server learns nothing.

Its templates are the server's own, or each client's, encrypted by the client and sent with its evaluation keys.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, ProtocolError
from privis.privacy.answers.answer_limits import AnswerKind
from privis.run.he.evaluation.forked_map import cores
from privis.run.he.matching.matcher import EncryptedScoreGallery, Matcher, PlainGallery
from privis.run.he.matching.matching_cost import MatchingTimings, predicted
from privis.run.he.matching.matching_specification import BLOCK, MatchingSpec
from privis.run.he.wire import key_file as bundle
from privis.run.he.wire.framing import split
from privis.serve.offerings.offering import COMPLEX, Estimate, Runner, Terms, answers_words

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
        """Encode the gallery once; workers forked later share it."""
        count, components = self.vectors.shape
        # blocks as small as the gallery where vectors are long; else of one size, so that keys outlive its growth
        spec = MatchingSpec.fitting(components, count) if components > BLOCK else MatchingSpec(components)
        gallery = PlainGallery(spec, self.memory)
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
        machine = MatchingTimings.of_this_machine()
        seconds = predicted(spec, blocks * spec.block, cores(), gallery.memory, machine).seconds or 0.0
        named = sum(len(name.encode()) + 4 for name in gallery.names)
        reply = spec.reply_bytes(blocks) + named
        estimate = Estimate(seconds, spec.key_bytes, spec.query_bytes, reply, 4 * spec.key_bytes + reply + _WORK)
        answers = answers_words(AnswerKind.SCORE, COMPLEX, spec.dimension)
        words = {"gallery": {"dimension": spec.dimension}, "answers": answers}
        return Terms(self.name, self.summary, spec.digest, spec.to_json(), estimate, words=words)

    def open(self, keys: Path) -> Runner:
        """Load a client's evaluation keys from the bundle at ``keys``, ready to answer queries."""
        return Matcher.open(self.gallery, bundle.read(keys, bundle.KeyKind.EVALUATION, self.gallery.spec.digest))


@dataclass(frozen=True)
class OfferEncryptedGallery:
    """Room for up to ``templates`` encrypted templates of ``dimension`` components, for each client its own.

    They come with a client's evaluation keys. The server sees how many blocks of 4,096 there are, and computes cosines
    that the client alone can read. Raises ParameterError for a size that cannot be.
    """

    name: str
    summary: str
    dimension: int
    templates: int

    def __post_init__(self) -> None:
        if not isinstance(self.templates, int) or self.templates < 1:
            raise ParameterError(Problem("templates", repr(self.templates), "at least 1"))
        _ = self.spec

    @property
    def spec(self) -> MatchingSpec:
        """With templates encrypted under the client's key, in small blocks where they are long and few."""
        if self.dimension > BLOCK:
            return MatchingSpec.fitting(self.dimension, self.templates, encrypted=True)
        return MatchingSpec(self.dimension, encrypted=True)

    def __call__(self) -> EncryptedGalleryOffering:
        """Make the offering: no gallery yet, as the templates come later."""
        return EncryptedGalleryOffering(self)


@dataclass(frozen=True)
class EncryptedGalleryOffering:
    """What a client may send its templates to."""

    offer: OfferEncryptedGallery

    @property
    def spec(self) -> MatchingSpec:
        """With templates encrypted under the client's key."""
        return self.offer.spec

    @property
    def terms(self) -> Terms:
        """What clients are told: what it takes when all the room is used."""
        spec, most = self.spec, self.offer.templates
        blocks = -(-most // spec.block)
        keys = spec.key_bytes + blocks * spec.block_bytes
        reply = spec.reply_bytes(blocks)
        memory = 4 * spec.key_bytes + blocks * (spec.resident_bytes + 2 * spec.block_bytes) + reply + _WORK
        machine = MatchingTimings.of_this_machine()
        seconds = predicted(spec, blocks * spec.block, cores(), machine=machine).seconds or 0.0
        estimate = Estimate(seconds, keys, spec.query_bytes, reply, memory)
        words = {"gallery": {"dimension": spec.dimension, "templates": most}}
        return Terms(self.offer.name, self.offer.summary, spec.digest, spec.to_json(), estimate, words=words)

    def open(self, keys: Path) -> Runner:
        """Load a client's evaluation keys and its templates; ProtocolError for anything else, or for too many."""
        spec = self.spec
        most = -(-self.offer.templates // spec.block)
        parts = split(bundle.read(keys, bundle.KeyKind.EVALUATION, spec.digest), "evaluation keys and templates")
        if not 2 <= len(parts) <= 1 + most:
            got, expected = f"{len(parts) - 1} blocks of templates", f"1 to {most} of up to {spec.block:,} each"
            raise ProtocolError(Problem("evaluation keys", got, expected, "send fewer templates"))
        gallery = EncryptedScoreGallery(spec)
        for number, block in enumerate(parts[1:]):
            gallery.put(str(number), block)
        return Matcher.open(gallery, parts[0])

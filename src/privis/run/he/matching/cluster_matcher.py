"""The server's side of encrypted search in parts of an index: each request names a cluster and is scored there alone.

Requests of many clients come in batches through a network that hides who sent them. A key that two requests shared
would link them, so every request brings evaluation keys of its own, and nothing is kept of any. All requests have the
same form, whatever the cluster, and all replies have the same length but for what compression saves on encrypted, hence
random-looking numbers: names are filled up to one public length.

Format of a request: frames (`privis.run.he.wire.framing`) of the number of the cluster (32 bits, big-endian),
evaluation keys and query as ``MatchingOwner`` makes them. Of a reply: what ``Matcher.run`` gives for one block.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, ProtocolError, refuse
from privis.run.he.backends.seal import SealEngine, ring
from privis.run.he.evaluation.forked_map import cores, forked
from privis.run.he.matching.matcher import Matcher, PlainBlock
from privis.run.he.matching.matching_specification import BLOCK, PARAMETERS, MatchingSpec
from privis.run.he.wire.framing import join, overhead, split

_CLUSTER = struct.Struct(">I")
_SLACK = 1.1  # of a request's size over the predicted one: beyond it nothing is read
_ANSWERED, _REFUSED = b"\1", b"\0"


@dataclass(frozen=True)
class ClusterAnswer:
    """What became of one request of a batch.

    Args:
        reply: for the client that sent it; None: it was refused.
        refusal: why; None: it was answered.
    """

    reply: bytes | None = field(repr=False)
    refusal: str | None = None


@dataclass(frozen=True, eq=False)
class _OneBlock:
    """A gallery of one cluster, as ``Matcher`` takes it."""

    spec: MatchingSpec
    blocks: tuple[PlainBlock, ...]


@dataclass(frozen=True, eq=False)
class ClusterMatcher:
    """The clusters of a server's index, each a block of templates in the clear.

    Args:
        spec: of the vectors.
        blocks: by cluster.
        name_bytes: public; what the names in every reply are filled up to.
    """

    spec: MatchingSpec
    blocks: tuple[PlainBlock, ...] = field(repr=False)
    name_bytes: int

    @classmethod
    def of(
        cls, names: Sequence[str], vectors: NDArray[np.floating], members: Sequence[NDArray[np.int64]], encode: int
    ) -> ClusterMatcher:
        """Normalise vectors and keep them by cluster.

        Args:
            names: of the rows, all different.
            vectors: (rows, components), finite and not zero.
            members: by cluster, its rows; 1 to 4,096.
            encode: how many clusters, from the first, are held ready as plaintexts (``spec.resident_bytes`` each); the
                others are encoded at each request, which takes several times as long.

        Returns:
            The matcher.

        Raises:
            ParameterError: names are not different or not one per row, a cluster is empty or too large, or as
                ``MatchingSpec.unit_rows``.
        """
        values = np.asarray(vectors)
        spec = MatchingSpec(values.shape[1] if values.ndim == 2 else 0)
        rows, found, problems = spec.unit_rows(values), [str(name) for name in names], []
        if len(found) != len(rows) or len({*found}) != len(found):
            got = f"{len(found)} names, {len({*found})} different ones, for {len(rows)} vectors"
            problems.append(Problem("ClusterMatcher.names", got, "a name of its own for each vector"))
        sizes = [len(part) for part in members] or [0]
        if not 0 < min(sizes) <= max(sizes) <= BLOCK:
            got = f"clusters of {min(sizes)} to {max(sizes)} rows"
            problems.append(Problem("ClusterMatcher.members", got, f"1 to {BLOCK} rows in each"))
        refuse(ParameterError, problems)
        engine, blocks = SealEngine(ring(PARAMETERS)), []
        for number, part in enumerate(members):
            block = PlainBlock(spec, tuple(found[row] for row in part), rows[part])
            ready = number < encode
            blocks.append(PlainBlock(spec, block.names, block.rows, block.encode(engine)) if ready else block)
        return cls(spec, tuple(blocks), max(len(_names(block)) for block in blocks))

    @property
    def request_limit(self) -> int:
        """Bytes of the longest request that is read."""
        return round(_SLACK * (self.spec.key_bytes + self.spec.query_bytes)) + overhead(3) + _CLUSTER.size

    def answer(self, request: bytes) -> bytes:
        """Score one request against the cluster that it names, on ciphertexts.

        Args:
            request: what `cluster_request` made.

        Returns:
            The reply, for ``MatchingOwner.scores``.

        Raises:
            ProtocolError: it is no request to this index.
        """
        if len(request) > self.request_limit:
            raise ProtocolError(Problem("request", f"{len(request):,} bytes", f"at most {self.request_limit:,}"))
        head, keys, query = split(request, "request", 3)
        cluster = _CLUSTER.unpack(head)[0] if len(head) == _CLUSTER.size else -1
        if not 0 <= cluster < len(self.blocks):
            raise ProtocolError(Problem("request", "no cluster of this index", f"one of {len(self.blocks)}"))
        block = self.blocks[cluster]
        _, scores = split(Matcher.open(_OneBlock(self.spec, (block,)), keys, 1).run(query), "reply", 2)
        return join([_names(block).ljust(self.name_bytes), scores])

    def answers(self, requests: Sequence[bytes], processes: int | None = None) -> list[ClusterAnswer]:
        """Answer a batch, cluster by cluster, so that what a cluster needs is read once for all its requests.

        Args:
            requests: in the order in which they came.
            processes: how many compute at once; None: all processors.

        Returns:
            In the same order; a request that is none is refused and harms no other.
        """
        order = sorted(range(len(requests)), key=lambda place: requests[place][overhead(3) :][: _CLUSTER.size])
        found: list[ClusterAnswer] = [ClusterAnswer(None, "never looked at")] * len(requests)

        def work(place: int) -> bytes:
            try:
                return _ANSWERED + self.answer(requests[place])
            except ProtocolError as error:
                return _REFUSED + str(error).encode()

        for index, data in forked(work, order, processes or cores()):
            kind, rest = data[:1], data[1:]
            found[order[index]] = ClusterAnswer(rest) if kind == _ANSWERED else ClusterAnswer(None, rest.decode())
        return found


def cluster_request(cluster: int, keys: bytes, query: bytes) -> bytes:
    """Address a query to a cluster.

    Args:
        cluster: its number.
        keys: evaluation keys that no other request carries.
        query: encrypted under the same secret key.

    Returns:
        The request.
    """
    return join([_CLUSTER.pack(cluster), keys, query])


def _names(block: PlainBlock) -> bytes:
    return json.dumps([block.names]).encode()

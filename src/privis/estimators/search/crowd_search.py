"""Search for a crowd: a client's query touches a few clusters of the server's index, and a crowd hides which.

After H. Asi and others, "Scalable Private Search with Wally", arXiv:2406.06761. The server learns how many requests
each cluster got in an epoch, fakes of all clients included (`privis.privacy.mechanisms.cover_traffic` says what that
tells about one client), and ciphertexts. It does not learn queries or scores.

What this needs and does not bring: a crowd that takes part at the same time, and a network that hides from the server
who sent a request and that two came from one client (Tor, a mix network, or relays of which one does not help the
server). Each request travels alone, at the instant that `CrowdRequest.instant` says, and its reply comes back the same
way. Somebody who controls the network as well as the server sees which clusters each client asks for, real or fake.

The server is trusted to run the protocol, though not with what it sees: one that answers for some clusters only learns
from who asks again. A server that gives clients different terms tells them apart by them: clients compare
`CrowdTerms.digest`. What is not hidden: that a client takes part; what it does with a result, fetching an image for
instance; and the index's vectors from clients, who see all scores of a cluster and the centres of all.

Evolution of the format of terms: a name with a number; a reader refuses any other, and unknown fields, since clients
that read terms differently could be told apart.
"""

from __future__ import annotations

import hashlib
import json
import math
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, PrivisError, Problem, ProtocolError, refuse
from privis.privacy import CoverTraffic, ReleaseKey
from privis.run.he.matching.cluster_matcher import ClusterAnswer, ClusterMatcher, cluster_request
from privis.run.he.matching.matching_specification import BLOCK, MatchingSpec
from privis.run.he.owner.matching import MatchingOwner
from privis.run.he.wire.framing import join, split
from privis.stores import VectorSpace, VectorStore
from privis.tasks.retrieval import ClusterCentres, VectorClusters
from privis.validation import integer_problem

_FORMAT = "privis crowd search 1"


@dataclass(frozen=True, eq=False)
class CrowdTerms:
    """What all clients of a server know alike: public, and the same for each.

    Args:
        centres: of the clusters.
        cover: how many fakes each client sends.
        space: what made the vectors, so that clients make theirs alike; None: nothing is said.

    Raises:
        ParameterError: a client has to ask for more clusters than there are, or vectors have another length.
    """

    centres: ClusterCentres
    cover: CoverTraffic
    space: VectorSpace | None = None

    def __post_init__(self) -> None:
        most, components = self.centres.directions.shape
        problems = integer_problem("CrowdTerms.cover.requests", self.cover.requests, 1, most)
        if self.space is not None and self.space.components != components:
            got, expected = f"vectors of {self.space.components} components", f"{components}, as the centres"
            problems.append(Problem("CrowdTerms.space", got, expected))
        refuse(ParameterError, problems)

    @property
    def spec(self) -> MatchingSpec:
        """Of the vectors and their encryption."""
        return MatchingSpec(int(self.centres.directions.shape[1]))

    @property
    def digest(self) -> str:
        """SHA-256 of the terms: clients that have equal ones cannot be told apart by them."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def to_bytes(self) -> bytes:
        """Write the terms, for clients.

        Returns:
            What `from_bytes` reads.
        """
        head = {"format": _FORMAT, "clusters": len(self.centres), "components": self.spec.dimension}
        made = self.space and {**asdict(self.space), "identity": self.space.identity.hex()}
        directions = np.ascontiguousarray(self.centres.directions, "<f4").tobytes()
        return join([json.dumps(head | {"cover": asdict(self.cover), "space": made}).encode(), directions])

    @classmethod
    def from_bytes(cls, data: bytes) -> CrowdTerms:
        """Read what `to_bytes` wrote.

        Args:
            data: from the server.

        Returns:
            The terms.

        Raises:
            ProtocolError: they are none.
        """
        head, directions = split(data, "terms", 2)
        try:
            found: Any = json.loads(head)
            if found["format"] != _FORMAT or len(directions) != 4 * found["clusters"] * found["components"]:
                raise ValueError("another format or size")
            values = np.frombuffer(directions, "<f4").reshape(found["clusters"], found["components"])
            made = found["space"] and {**found["space"], "identity": bytes.fromhex(found["space"]["identity"])}
            terms = cls(ClusterCentres(values), CoverTraffic(**found["cover"]), made and VectorSpace(**made))
            if terms.to_bytes() != data:
                raise ValueError("not as they are written")
            return terms
        except (ValueError, KeyError, TypeError, RecursionError, PrivisError) as error:
            got, remedy = f"something else ({error})", "ask the server for its terms again"
            raise ProtocolError(Problem("terms", got, "terms of a search for a crowd", remedy)) from None

    def ask(self, vector: npt.ArrayLike) -> CrowdQuestion:
        """Prepare everything that a client sends in one epoch: its query to the nearest clusters, and fakes.

        Each request has a secret key of its own; those of fakes are forgotten at once. At most once in an epoch: twice
        in one is not hidden by its noise. Asking again in another epoch, be it for a reply that did not come, is one
        more epoch for the guarantee.

        Args:
            vector: (components,), finite and not zero.

        Returns:
            The requests in random order, and what decrypts their replies.

        Raises:
            ParameterError: the vector has no direction.
        """
        spec = self.spec
        (unit,) = spec.unit_rows(np.asarray(vector)[None])
        clusters = [int(near) for near in self.centres.nearest(unit[None], self.cover.requests)[0]]
        stream = ReleaseKey.generate().stream("cover traffic", b"", b"")
        fakes = self.cover.draw(len(self.centres), stream)
        plan = [(cluster, True) for cluster in clusters]
        plan += [(cluster, False) for cluster, number in enumerate(fakes.tolist()) for _ in range(number)]
        random = secrets.SystemRandom()
        random.shuffle(plan)
        requests: list[CrowdRequest] = []
        owners: list[MatchingOwner | None] = []
        for cluster, real in plan:
            owner = MatchingOwner.generate(spec)
            message = cluster_request(cluster, owner.evaluation_keys(), owner.query(unit))
            requests.append(CrowdRequest(message, random.random()))
            owners.append(owner if real else None)
        return CrowdQuestion(tuple(requests), tuple(owners))


@dataclass(frozen=True)
class CrowdRequest:
    """A message that travels alone through a network that hides who sent it.

    Args:
        message: for the server.
        instant: when to send it, from 0 (the epoch begins) to 1 (it ends), independent of everything else.
    """

    message: bytes = field(repr=False)
    instant: float


@dataclass(frozen=True, eq=False, repr=False)
class CrowdQuestion:
    """What a client sends in an epoch and, secret, what it needs to read the replies. Never printed, never pickled.

    Args:
        requests: in random order; nothing but this object tells which are fakes.
        owners: secret keys by request; None: it is a fake.
    """

    requests: tuple[CrowdRequest, ...]
    owners: tuple[MatchingOwner | None, ...]

    def __repr__(self) -> str:
        return f"<CrowdQuestion of {len(self.requests)} requests: secret>"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("secret keys are never pickled")

    @property
    def real(self) -> int:
        """How many requests are no fakes."""
        return sum(owner is not None for owner in self.owners)

    def ranked(self, replies: Sequence[bytes | None], top: int) -> list[tuple[str, float]]:
        """Decrypt the replies to the real requests and merge them; replies to fakes are not looked at.

        Args:
            replies: in the order of the requests; None: it did not come.
            top: how many rows are wanted.

        Returns:
            Names of the index's rows with their cosines, the most similar first.

        Raises:
            ProtocolError: a reply to a real request is missing or damaged.
            ParameterError: there is not one reply per request, or ``top`` is below 1.
        """
        problems = integer_problem("CrowdQuestion.top", top, 1)
        if len(replies) != len(self.requests):
            got, expected = f"{len(replies)} replies", f"{len(self.requests)}, one per request"
            problems.append(Problem("CrowdQuestion.replies", got, expected))
        refuse(ParameterError, problems)
        kept = [(owner, reply) for owner, reply in zip(self.owners, replies, strict=True) if owner is not None]
        missing = sum(reply is None for _, reply in kept)
        if missing:
            got, remedy = f"{missing} of {len(kept)} are missing", "ask again, in another epoch"
            raise ProtocolError(Problem("replies", got, "a reply to every request", remedy))
        found: list[tuple[str, float]] = []
        for owner, reply in kept:
            found += owner.scores(reply or b"").top(top)
        return sorted(found, key=lambda pair: (-pair[1], pair[0]))[:top]


@dataclass(frozen=True, eq=False)
class CrowdServer:
    """A server's index by cluster, which answers the requests of an epoch.

    Args:
        terms: for clients.
        matcher: the index.
        clusters: rows of the index by cluster.

    >>> rows = np.random.default_rng(0).normal(size=(40, 8))
    >>> cover = CoverTraffic(0.5, 0.2, honest_clients=1, requests=2)
    >>> server = CrowdServer.of([f"{row}.png" for row in range(40)], rows, cover, clusters=3)
    >>> question = CrowdTerms.from_bytes(server.terms.to_bytes()).ask(rows[7])
    >>> answers = server.answers([request.message for request in question.requests])
    >>> question.ranked([answer.reply for answer in answers], top=1)[0][0]
    '7.png'
    """

    terms: CrowdTerms
    matcher: ClusterMatcher
    clusters: VectorClusters

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        vectors: npt.ArrayLike,
        cover: CoverTraffic,
        clusters: int | None = None,
        seed: int = 0,
        memory: int | None = None,
    ) -> CrowdServer:
        """Cluster an index.

        Args:
            names: of the rows, all different; clients see them.
            vectors: (rows, components), finite and not zero; normalised.
            cover: of the crowd that will ask.
            clusters: how many at the most; None: as few as hold the rows comfortably, since the fakes grow with them.
            seed: of the clustering.
            memory: bytes for encoded clusters; None: all of them, ``spec.resident_bytes`` each.

        Returns:
            The server.

        Raises:
            ParameterError: names or vectors that are none, or more requests per client than clusters.
        """
        values = np.asarray(vectors)
        grouped = VectorClusters.of(values, BLOCK, clusters, seed)
        terms = CrowdTerms(grouped.centres, cover)
        kept = math.inf if memory is None else memory // terms.spec.resident_bytes
        matcher = ClusterMatcher.of(names, values, grouped.members, int(min(kept, len(grouped))))
        return cls(terms, matcher, grouped)

    @classmethod
    def of_store(
        cls,
        store: VectorStore,
        cover: CoverTraffic,
        clusters: int | None = None,
        seed: int = 0,
        memory: int | None = None,
    ) -> CrowdServer:
        """Cluster what a store holds now; what is added or erased later shows when the server is made anew.

        Args:
            store: whose rows are read; a vector of length 0, which is similar to nothing, is left out.
            cover: as of `of`.
            clusters: as of `of`.
            seed: as of `of`.
            memory: as of `of`.

        Returns:
            The server; clients see the ids of rows.

        Raises:
            ParameterError: the store is empty, or more requests per client than clusters.
        """
        parts = [(np.array(part.ids), part.vectors) for part in store.rows()]
        kept = [(ids[part.any(1)], part[part.any(1)]) for ids, part in parts]
        if not sum(len(ids) for ids, _ in kept):
            raise ParameterError(Problem("CrowdServer.store", "no vectors", "at least one", "add images first"))
        names, vectors = (np.concatenate(column) for column in zip(*kept, strict=True))
        made = cls.of(names.tolist(), vectors, cover, clusters, seed, memory)
        return replace(made, terms=replace(made.terms, space=store.describe().space))

    def answers(self, requests: Sequence[bytes], processes: int | None = None) -> list[ClusterAnswer]:
        """Answer an epoch's requests, whoever sent them.

        Args:
            requests: messages of `CrowdRequest`, of all clients together.
            processes: how many compute at once; None: all processors.

        Returns:
            In the same order; a message that is no request is refused and harms no other.
        """
        return self.matcher.answers(requests, processes)

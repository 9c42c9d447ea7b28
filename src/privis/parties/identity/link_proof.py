"""In-band identity: over the data link itself, every party proves who it is and that it means the same job.

The link's TLS lets in exactly the parties of the session but does not tell which is which. So each pair exchanges
fresh nonces over the link and signs, with the keys of their certificates, the job, the session, both names and ranks,
and the nonce received. Addresses that were mixed up are found here, before anything secret is sent.

Format: what is signed starts with ``privis.link/1``. Any change of what follows raises the number, and signatures over
another number do not verify, so that members of two versions never open a link.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from privis.errors import PartyError, Problem, refuse
from privis.parties.identity.certificates import Identity, is_signed, sign

NONCE_BYTES = 32
Exchange = Callable[[Sequence[bytes]], Sequence[bytes]]


class IdentityError(PartyError):
    """Somebody else is at the other end of the data link."""


@dataclass(frozen=True)
class LinkProof:
    """What one party proves, and what it needs to check the others.

    ``parties`` are names in rank order, ``routes`` the data addresses used for them here, ``certificates`` by name.
    """

    job: str
    session: str
    parties: tuple[str, ...]
    certificates: Mapping[str, bytes]
    routes: tuple[str, ...]

    def run(self, identity: Identity, exchange: Exchange) -> None:
        """Prove and check, collectively; IdentityError says who was met instead of whom, and at which address."""
        mine = self.parties.index(identity.name)
        nonces = [os.urandom(NONCE_BYTES) for _ in self.parties]
        received = exchange(nonces)
        signatures = exchange(
            [
                b"" if rank == mine else sign(identity, self.statement(mine, rank, received[rank]))
                for rank in range(len(self.parties))
            ]
        )
        problems = [
            self._mismatch(mine, rank, nonces, signature)
            for rank, signature in enumerate(signatures)
            if rank != mine and not self._holds(rank, mine, nonces[rank], signature)
        ]
        refuse(IdentityError, problems)

    def statement(self, signer: int, reader: int, nonce: bytes) -> bytes:
        """What the party of rank ``signer`` signs for the one of rank ``reader``."""
        names = [self.parties[signer], self.parties[reader]]
        return json.dumps(["privis.link/1", self.job, self.session, [signer, reader], names, nonce.hex()]).encode()

    def _holds(self, signer: int, reader: int, nonce: bytes, signature: bytes) -> bool:
        return is_signed(self.statement(signer, reader, nonce), signature, self.certificates[self.parties[signer]])

    def _mismatch(self, mine: int, rank: int, nonces: Sequence[bytes], signature: bytes) -> Problem:
        """Find out what the signature does prove, to name the address that is wrong."""
        expected = f"{self.parties[rank]}, of rank {rank}, to prove itself over the data link"
        others = [r for r in range(len(self.parties)) if r != mine]
        for other in others:
            if other != rank and self._holds(rank, mine, nonces[other], signature):
                got = f"{self.parties[rank]} at {self.routes[other]}, which is used for {self.parties[other]}"
                remedy = f"the data addresses of {self.parties[rank]} and {self.parties[other]} are mixed up here"
                return Problem(f"data link of {self.parties[mine]}", got, expected, remedy)
        got = "a proof that does not hold"
        remedy = (
            f"data addresses are mixed up at {self.parties[rank]}, or the parties run different jobs or certificates"
        )
        return Problem(f"data link of {self.parties[mine]}", got, expected, remedy)

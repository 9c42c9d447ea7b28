"""``PreparedOffer``: an offer as a process needs it that is started for one query.

It lies in a folder as one entry of a `privis.run.program_cache.ProgramCache`: compiled, with its weights encoded, and
nothing of any client. The entry is found by the SHA-256 of the offer's file, so that an offer of other weights, another
version of Privis or of its libraries, and another processor find none; a damaged one is deleted. Whoever finds none
compiles the offer. Reading a prepared offer loads neither the compiler nor any feature.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from privis.errors import OutputError, Problem, ProgramError
from privis.extras import optional_import
from privis.run.he.compiler.circuit_cost import CKKSTimings
from privis.run.he.compiler.prepared_program import PreparedProgram
from privis.run.he.evaluation.evaluator import Evaluator
from privis.run.he.evaluation.forked_map import cores
from privis.run.he.evaluation.prepared_weights import PreparedWeights, prepared
from privis.run.he.wire import key_file
from privis.run.he.wire.answer import answered
from privis.run.he.wire.ciphertext_messages import MessageKind, read
from privis.run.program_cache import CacheKey, ProgramCache

with optional_import("he", "homomorphic encryption"):
    import tenseal

LIMIT_BYTES = 2 << 30
"""Of an entry, and of encoded weights in it."""
WORTH_SHARING = 0.5
"""Seconds that key switching of one image takes at least, where processes share it."""


@dataclass(frozen=True, eq=False)
class PreparedOffer:
    """The server's side of encrypted computing without a network, prepared: nothing here decrypts.

    Args:
        program: with encoded weights.
    """

    program: PreparedProgram

    @classmethod
    def write(cls, offer: str | Path, folder: str | Path) -> PreparedOffer:
        """Prepare an offer.

        Args:
            offer: file that `Offer.save` wrote.
            folder: for the server alone, as the file is: what is in it tells the weights; made where there is none
                (mode 0700).

        Returns:
            The prepared offer.

        Raises:
            ParameterError: the file of the offer cannot be read.
            ProtocolError: it is damaged, or anything else.
            OutputError: nothing can be written, or not be trusted where it is: others may write in the folder.
            UnsupportedError: more levels or precision than 128-bit secure parameters give.
        """
        from privis.serve.offerings.offer import Offer
        from privis.serve.offerings.offer_file import offer_content, read_offer

        content = offer_content(Path(offer))
        program = prepared(Offer.of(read_offer(content, Path(offer))).offering.compiled, LIMIT_BYTES // 2)
        if not _cache(folder).store(_key(content), program.to_parts()):
            remedy = "a folder of your own that nobody else may write"
            raise OutputError(Problem(str(folder), "nothing could be kept", "a folder for a prepared offer", remedy))
        return cls(program)

    @classmethod
    def load(cls, offer: str | Path, folder: str | Path) -> PreparedOffer | None:
        """Read what `write` wrote.

        Args:
            offer: file of the offer.
            folder: of prepared offers.

        Returns:
            The prepared offer; None where there is none of this offer that can be trusted: compile it then.
        """
        try:
            key = _key(Path(offer).read_bytes())
        except OSError:
            return None
        content = _cache(folder).load(key)
        if content is None:
            return None
        try:
            return cls(PreparedProgram.from_bytes(content))
        except ProgramError:
            return None

    def evaluate(
        self,
        keys: str | Path,
        query: bytes | str | Path,
        progress: Callable[[float], None] = lambda share: None,
        *,
        at_once: int | None = None,
    ) -> bytes:
        """Compute on an encrypted query, as `Offer.evaluate`.

        Args:
            keys: file of the evaluation keys that `Owner.generate` wrote.
            query: the message of a query, or its file.
            progress: told the share that is done, in [0, 1].
            at_once: processes that share the images of a query; None: one for each core, as far as starting one is
                worth it.

        Returns:
            The encrypted answer, for `Owner.decrypt`: bytes of a file that says which query it answers.

        Raises:
            ParameterError: a file cannot be read.
            ProtocolError: keys or a query of another program, or damaged ones.
        """
        digest = self.program.spec.digest
        message = query if isinstance(query, bytes) else key_file.read_message(Path(query))
        content = key_file.read(Path(keys), key_file.KeyKind.EVALUATION, digest)
        weights = PreparedWeights.of(self.program, LIMIT_BYTES)
        evaluator = Evaluator.open(self.program, content, weights, at_once or self._processes(message))
        answer = answered(message, evaluator.run(message, progress))
        return key_file.packed(key_file.KeyKind.ANSWER, digest, answer)

    def _processes(self, message: bytes) -> int:
        """One for each core; for short images not more than there are images, of which parts would not be worth it."""
        spec, arrangement, machine = self.program.spec, self.program.choice.arrangement, CKKSTimings.of_this_machine()
        levels = [*(level for _, level in arrangement.rotations()), *arrangement.conjugations()]
        levels += arrangement.relinearisations()
        seconds = sum(machine.switching(level, spec.parameters.degree) for level in levels)
        if arrangement.slot_per_image or seconds > WORTH_SHARING:
            return cores()
        images = len(read(MessageKind.QUERY, spec.digest, message)) // max(spec.queried, 1)
        return max(1, min(cores(), images))


def _cache(folder: str | Path) -> ProgramCache:
    return ProgramCache(Path(folder), LIMIT_BYTES)


def _key(offer: bytes) -> CacheKey:
    versions = (
        f"numpy {np.__version__}, tenseal {tenseal.__version__}"  # `importlib.metadata` would take ten times as long
    )
    return CacheKey("ckks prepared offer", hashlib.sha256(offer).hexdigest(), versions)

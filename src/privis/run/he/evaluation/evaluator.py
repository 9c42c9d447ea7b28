"""``Evaluator``: a compiled program with one client's evaluation keys. The server's side: it cannot decrypt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from privis.errors import Problem, ProtocolError
from privis.run.he.backends.seal import SealEngine
from privis.run.he.compiler.compiler import CompiledProgram
from privis.run.he.engine import Ciphertext
from privis.run.he.evaluation.batch_interpreter import BatchInterpreter
from privis.run.he.evaluation.forked_map import forked
from privis.run.he.evaluation.interpreter import CircuitInterpreter, Plaintexts, Progress, no_progress
from privis.run.he.evaluation.kept_weights import for_engine
from privis.run.he.wire import framing as frames
from privis.run.he.wire.ciphertext_messages import MessageKind, read, written

CACHE = 2 << 30  # bytes of encoded weights kept between runs


@dataclass(frozen=True, eq=False)
class Evaluator:
    """Compute on encrypted queries.

    Args:
        compiled: the program, for one set of parameters.
        interpreter: what runs its circuit, with one client's evaluation keys.
        at_once: processes that share the images of a query, or its batches where images share ciphertexts.
    """

    compiled: CompiledProgram
    interpreter: CircuitInterpreter | BatchInterpreter
    at_once: int = 1

    @classmethod
    def open(
        cls, compiled: CompiledProgram, keys: bytes, plaintexts: Plaintexts | None = None, at_once: int = 1
    ) -> Evaluator:
        """Load a client's evaluation keys.

        Args:
            compiled: the program.
            keys: the message that ``SecretKeys.evaluation_keys`` made for ``compiled.spec``.
            plaintexts: cache of encoded weights, which evaluators of one compiled program may share.
            at_once: as in the class.

        Raises:
            ProtocolError: keys for anything else, or damaged ones.
        """
        spec = compiled.spec
        engine = SealEngine.with_keys(spec.parameters, spec.keys, read(MessageKind.KEYS, spec.digest, keys))
        processes = compiled.choice.arrangement.processes
        if compiled.choice.arrangement.slot_per_image:
            return cls(compiled, BatchInterpreter(compiled.choice, engine, processes), at_once)
        weights = for_engine(plaintexts or Plaintexts(CACHE), engine)
        return cls(compiled, CircuitInterpreter(compiled.choice, engine, weights, processes), at_once)

    def run(self, query: bytes, progress: Progress = no_progress) -> bytes:
        """Evaluate an encrypted query of one or more images.

        Args:
            query: the message that ``SecretKeys.encrypt`` made.
            progress: called with the fraction done, in [0, 1]; an exception out of it ends the run.

        Returns:
            The message with the encrypted results, in the order of the images.

        Raises:
            ProtocolError: a query of another program, cut short or damaged, or ciphertexts of other parameters.
        """
        spec = self.compiled.spec
        parts = read(MessageKind.QUERY, spec.digest, query)
        if not parts or len(parts) % spec.queried:
            got, expected = f"{len(parts)} ciphertexts", f"a multiple of {spec.queried}"
            raise ProtocolError(Problem("query", got, expected, "encrypt the images again"))
        count = len(parts) // spec.queried
        images = [parts[k * spec.queried : (k + 1) * spec.queried] for k in range(count)]
        replies: dict[int, list[bytes]] = {}
        if self.at_once > 1 and count > 1:
            if isinstance(self.interpreter, CircuitInterpreter):
                self.interpreter.encode()
            for k, data in forked(lambda own: frames.join(self._image(own, no_progress)), images, self.at_once):
                replies[k] = frames.split(data, "results")
                progress(len(replies) / count)
        else:
            for k, own in enumerate(images):
                replies[k] = self._image(own, lambda share, k=k: progress((k + share) / count))
        return written(MessageKind.REPLY, spec.digest, [part for k in range(count) for part in replies[k]])

    def _image(self, parts: Sequence[bytes], progress: Progress) -> list[bytes]:
        """The encrypted results of one image, or of those that share ciphertexts."""
        own = iter(parts)
        inputs = [
            [self._checked(next(own), slots.level) for _ in range(slots.layout.ciphertexts)]
            for slots in self.compiled.spec.sources
        ]
        outputs = self.interpreter.run(inputs, progress)
        return [self.interpreter.engine.save(x) for output in outputs for x in output]

    def _checked(self, data: bytes, level: int) -> Ciphertext:
        engine = self.interpreter.engine
        x = engine.load(data)
        scale = self.compiled.spec.scale
        if engine.level(x) != level or abs(engine.scale(x) / scale - 1) > 1e-9:
            got = f"a ciphertext at level {engine.level(x)} and scale 2^{engine.scale(x):.3g}"
            raise ProtocolError(Problem("query", got, f"level {level} and scale {scale:.3g}"))
        return x

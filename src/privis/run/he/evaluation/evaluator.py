"""``Evaluator``: a compiled program with one client's evaluation keys. The server's side: it cannot decrypt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from privis.errors import Problem, ProtocolError
from privis.run.he.backends.seal import SealEngine
from privis.run.he.evaluation.batch_interpreter import BatchInterpreter
from privis.run.he.evaluation.circuit_runner import CircuitWork, loading
from privis.run.he.evaluation.forked_map import forked
from privis.run.he.evaluation.interpreter import CircuitInterpreter, Plaintexts, Progress, no_progress
from privis.run.he.evaluation.kept_weights import for_engine
from privis.run.he.evaluation.worker_group import WorkerGroup
from privis.run.he.wire import framing as frames
from privis.run.he.wire.ciphertext_messages import MessageKind, read, written

if TYPE_CHECKING:
    from privis.run.he.compiler.compiler import CompiledProgram
    from privis.run.he.compiler.prepared_program import PreparedProgram

CACHE = 2 << 30  # bytes of encoded weights kept between runs


@dataclass(frozen=True, eq=False)
class Evaluator:
    """Compute on encrypted queries.

    Args:
        compiled: the program, for one set of parameters, or what was prepared of it.
        interpreter: what runs its circuit, with one client's evaluation keys.
        at_once: processes that share the images of a query, or its batches where images share ciphertexts.
    """

    compiled: CompiledProgram | PreparedProgram
    interpreter: CircuitInterpreter | BatchInterpreter
    at_once: int = 1
    _group: WorkerGroup[list[list[bytes]]] | None = field(default=None, repr=False)

    @classmethod
    def open(
        cls,
        compiled: CompiledProgram | PreparedProgram,
        keys: bytes,
        plaintexts: Plaintexts | None = None,
        at_once: int = 1,
    ) -> Evaluator:
        """Load a client's evaluation keys.

        Args:
            compiled: the program, or what was prepared of it.
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
        weights.processes = max(processes, at_once)
        interpreter = CircuitInterpreter(compiled.choice, engine, weights, processes)
        return cls(
            compiled, interpreter, at_once, WorkerGroup(weights.processes, CircuitWork(interpreter, compiled.spec))
        )

    @property
    def workers(self) -> tuple[int, ...]:
        """Process numbers of the workers, which are forked with the first query and stay."""
        return () if self._group is None else self._group.workers

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
        if self._group is not None:
            replies = self._group.run(query, progress)
        else:
            images = [parts[k * spec.queried : (k + 1) * spec.queried] for k in range(count)]
            replies = self._batches(images, progress)
        return written(MessageKind.REPLY, spec.digest, [part for reply in replies for part in reply])

    def _batches(self, images: Sequence[Sequence[bytes]], progress: Progress) -> list[list[bytes]]:
        """The encrypted results of images that have a slot each."""
        if self.at_once == 1 or len(images) == 1:
            count = len(images)
            return [self._batch(own, lambda share, k=k: progress((k + share) / count)) for k, own in enumerate(images)]
        replies: dict[int, list[bytes]] = {}
        for k, data in forked(lambda own: frames.join(self._batch(own, no_progress)), images, self.at_once):
            replies[k] = frames.split(data, "results")
            progress(len(replies) / len(images))
        return [replies[k] for k in range(len(images))]

    def _batch(self, parts: Sequence[bytes], progress: Progress) -> list[bytes]:
        """The encrypted results of images that share ciphertexts, a slot each."""
        engine = self.interpreter.engine
        inputs = [[load() for load in source] for source in loading(self.compiled.spec, engine, parts)]
        assert isinstance(self.interpreter, BatchInterpreter)
        return [engine.save(x) for output in self.interpreter.run(inputs, progress) for x in output]

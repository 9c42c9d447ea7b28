"""A program compiled to CKKS as an offering: the server's side, without anything that decrypts."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from privis.errors import UnsupportedError, refuse
from privis.privacy.answers.answer_limits import AnswerKind
from privis.program import Program, digest
from privis.run.he.compiler.compiled_files import compile_kept
from privis.run.he.compiler.compiler import CompiledProgram, Options
from privis.run.he.compiler.quickest import quickest
from privis.run.he.compiler.samples import PublicSamples
from privis.run.he.wire import key_file as bundle
from privis.serve.offerings.offering import COMPLEX, Runner, Terms, answers_words


@dataclass(frozen=True)
class OfferProgram:
    """Compiles ``program`` for a server; ``private`` says that clients are not told its digest.

    ``words`` are those of `Terms`; ``samples`` are public inputs that tell how large values are. ``images`` chooses the
    way of sharing ciphertexts that is quickest for so many, whatever ``options`` say. Raises what
    `privis.run.he.compiler.compiler` raises when it does not fit.
    """

    name: str
    summary: str
    program: Program
    options: Options = Options()
    private: bool = False
    words: Mapping[str, Any] = field(default_factory=dict)
    samples: PublicSamples | None = None
    images: int | None = None

    def __call__(self) -> ProgramOffering:
        """Compile, in the process that is to run it: the one that speaks HTTP does not even load the engine."""
        from privis.run.he.evaluation.evaluator import CACHE
        from privis.serve.offerings.estimate import estimate

        shown = () if self.samples is None else self.samples.images
        if self.samples is not None:
            refuse(UnsupportedError, self.samples.problems(self.program, "samples"))
        # where images are stretched, the specification tells the program
        options = replace(self.options, stretch=False) if self.private else self.options
        if self.images is None:
            made = compile_kept(self.program, options, shown)
        else:
            made = quickest(self.program, options, shown, self.images, CACHE)
        spec, program = made.spec, "" if self.private else digest(self.program)
        expected = estimate(made)
        words = dict(self.words)
        if self.private:
            inputs = sum(math.prod(given.shape) for given in self.program.inputs)
            words["answers"] = answers_words(AnswerKind.SCORE, COMPLEX * expected.images, inputs, "model")
        terms = Terms(self.name, self.summary, spec.digest, spec.to_json(), expected, program, words)
        return ProgramOffering(terms, made)


@dataclass(frozen=True, eq=False)
class ProgramOffering:
    """A compiled program without keys. Workers share it, but each encodes the weights with its first job."""

    terms: Terms
    compiled: CompiledProgram

    def open(self, keys: Path, at_once: int = 1) -> Runner:
        """Load a client's evaluation keys from the bundle at ``keys``, ready to run jobs.

        ``at_once`` processes share the images of a job.
        """
        from privis.run.he.evaluation.evaluator import CACHE, Evaluator
        from privis.run.he.evaluation.kept_weights import weights_of

        content = bundle.read(keys, bundle.KeyKind.EVALUATION, self.compiled.spec.digest)
        return Evaluator.open(self.compiled, content, weights_of(self.compiled, CACHE), at_once)

"""``Offer``: what a server computes on encrypted images, on files: terms, evaluation, and itself as a file."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from privis.errors import ParameterError, Problem, refuse
from privis.features.cnn import CNN
from privis.features.feature import Feature, core_shape
from privis.features.image_ops import owner_image
from privis.features.preprocessing.scaled_decoding import least_size
from privis.file_formats import FileFormat, format_of
from privis.io.images import decode
from privis.program import Program, load
from privis.program.shapes import Shape
from privis.run.he.compiler.compiler import Options, option_problems
from privis.run.he.compiler.samples import PublicSamples
from privis.run.he.evaluation.forked_map import cores
from privis.run.he.packing.batching import Batching
from privis.run.he.security import DEFAULT_STANDARD, SecurityStandard
from privis.run.he.wire import key_file
from privis.run.he.wire.answer import answered
from privis.serve.offerings.offer_file import load_offer, save_offer
from privis.serve.offerings.offering import Terms
from privis.serve.offerings.program import OfferProgram, ProgramOffering


@dataclass(frozen=True, eq=False)
class Offer:
    """The server's side of encrypted computing without a network: nothing here decrypts.

    It is compiled when it is first asked for its terms, deterministically: the same offer has the same terms in every
    process, and keys are for them. A server is assumed to be semi-honest: it learns nothing of the images, and one that
    computes something else is not noticed.

    Args:
        what: a feature; a program (`privis.program`); or the file of an ONNX network or of a saved program.
        name: what clients call it; by default that of the feature or file.
        samples: public images that tell how large values are, as paths or arrays; for a program its inputs, an array or
            a tuple of arrays for each. A smaller ring may do than with none, which means typical images.
        precision: largest difference of encrypted results from the polynomial form, relative to the largest output.
        signs: number of sign polynomials in a comparison, or their odd degrees, as of `CKKS`.
        inside: normalise vectors in the encrypted domain; else the key owner does so after decryption.
        promised: accept domains that owners check before they encrypt.
        sharing: which images share ciphertexts; None: what is predicted to be quickest for ``images``.
        images: how many a query will be of; read where ``sharing`` is None.
        processes: processes that share the work of one image, 1 or 2.
        standard: table of 128-bit security that ring and modulus meet.
        private: clients are told neither the program nor its digest; None: so it is for networks, programs and files.

    Raises:
        ParameterError: a parameter is none, a file is neither, or a sample cannot be read.

    >>> from privis.program import Input, trace
    >>> offer = Offer(trace(lambda x: x * x, Input((4,), -1.0, 1.0, None)), name="squares", precision=1e-2)
    >>> offer.terms().name
    'squares'
    """

    what: Feature | Program | str | Path
    _: KW_ONLY
    name: str = ""
    samples: PublicSamples | Sequence[Any] | None = field(default=None, repr=False)
    precision: float = 1e-4
    signs: int | tuple[int, ...] = 5
    inside: bool = False
    promised: bool = False
    sharing: Batching | None = Batching.NONE
    images: int = 1
    processes: int = 1
    standard: SecurityStandard = DEFAULT_STANDARD
    private: bool | None = None

    def __post_init__(self) -> None:
        problems = option_problems("Offer", self.precision, self.signs)
        if self.sharing is not None and not isinstance(self.sharing, Batching):
            known = ", ".join(str(one) for one in Batching)
            problems.append(Problem("Offer.sharing", repr(self.sharing), f"None or one of {known}"))
        if not isinstance(self.standard, SecurityStandard):
            known = ", ".join(str(one) for one in SecurityStandard)
            problems.append(Problem("Offer.standard", repr(self.standard), f"one of {known}"))
        for word, value, most in (("images", self.images, 1 << 20), ("processes", self.processes, 2)):
            if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
                problems.append(Problem(f"Offer.{word}", repr(value), f"a whole number from 1 to {most:,}"))
        refuse(ParameterError, problems)

    @classmethod
    def load(cls, path: str | Path) -> Offer:
        """Read an offer that `save` wrote.

        Args:
            path: of the file.

        Returns:
            An offer of the same terms.

        Raises:
            ParameterError: it cannot be read.
            ProtocolError: it is damaged, or anything else.
        """
        return cls.of(load_offer(Path(path)))

    @classmethod
    def of(cls, made: OfferProgram) -> Offer:
        """An offer of what a server offers, as `OfferProgram` words it.

        Args:
            made: program, options and words.

        Returns:
            The offer.
        """
        options = made.options
        offer = cls(
            made.program,
            name=made.name,
            samples=made.samples,
            precision=options.precision,
            signs=options.signs,
            inside=options.inside,
            promised=options.promised,
            sharing=None if made.images is not None else options.batching,
            images=made.images or 1,
            processes=options.processes,
            standard=options.standard,
            private=made.private,
        )
        offer.__dict__["made"] = made  # words that no feature says
        return offer

    @cached_property
    def made(self) -> OfferProgram:
        """What is offered, as a server that speaks HTTP offers it."""
        options = Options(
            self.precision,
            signs=self.signs,
            inside=self.inside,
            promised=self.promised,
            processes=self.processes,
            batching=self.sharing or Batching.NONE,
            standard=self.standard,
        )
        what = _opened(self.what)
        if isinstance(what, Program):
            program, private, feature, words = what, True, None, model_words(what)
        else:
            program, private, feature = _program_of(what), isinstance(what, CNN), what
            words = model_words(program, what.channels.value) if isinstance(what, CNN) else {}
        name = self.name or _name_of(self.what, feature)
        summary = f"{name} of {' and '.join(str(given.shape) for given in program.inputs)}"
        chosen = private if self.private is None else self.private
        shown = None if self.samples is None else _public_samples(self.samples, feature)
        images = self.images if self.sharing is None else None
        return OfferProgram(name, summary, program, options, chosen, words, shown, images)

    @cached_property
    def offering(self) -> ProgramOffering:
        """The compiled program.

        Raises:
            UnsupportedError: more levels or precision than 128-bit secure parameters give, or an op without a
                polynomial form.
            DomainError: a polynomial could be evaluated outside its domain.
        """
        return self.made()

    def terms(self) -> Terms:
        """What owners of images make keys for; it holds no weights.

        Returns:
            The terms; ``to_json`` writes them, `Terms.from_json` reads them.

        Raises:
            UnsupportedError: more levels or precision than 128-bit secure parameters give, or an op without a
                polynomial form.
            DomainError: a polynomial could be evaluated outside its domain.
        """
        return self.offering.terms

    def save(self, path: str | Path) -> None:
        """Write the offer, with its weights: a file for the server alone, whole or not at all.

        Args:
            path: of the file; an earlier one is replaced.

        Raises:
            OutputError: it cannot be written.
        """
        save_offer(Path(path), self.made)

    def evaluate(
        self,
        keys: str | Path,
        query: bytes | str | Path,
        progress: Callable[[float], None] = lambda share: None,
        *,
        at_once: int | None = None,
    ) -> bytes:
        """Compute on an encrypted query.

        Args:
            keys: file of the evaluation keys that `Owner.generate` wrote.
            query: the message of a query, or its file.
            progress: told the share that is done, in [0, 1].
            at_once: processes that share the images of a query; None: one for each core.

        Returns:
            The encrypted answer, for `Owner.decrypt`: bytes of a file that says which query it answers.

        Raises:
            ParameterError: a file cannot be read.
            ProtocolError: keys or a query of another program, or damaged ones.
        """
        message = query if isinstance(query, bytes) else key_file.read_message(Path(query))
        runner = self.offering.open(Path(keys), cores() if at_once is None else at_once)
        answer = answered(message, runner.run(message, progress))
        return key_file.packed(key_file.KeyKind.ANSWER, self.terms().digest, answer)


def _opened(what: Feature | Program | str | Path) -> Feature | Program:
    if isinstance(what, Program) or (not isinstance(what, type | str | Path) and isinstance(what, Feature)):
        return what
    if isinstance(what, str | Path):
        found = format_of(what)
        if found is FileFormat.NETWORK:
            return CNN.from_onnx(what)
        if found is FileFormat.PROGRAM:
            return load(what)
        raise ParameterError(Problem(f"Offer({str(what)!r})", str(found), "an ONNX network or a saved program"))
    got = what.__name__ if isinstance(what, type) else type(what).__name__
    raise ParameterError(Problem("Offer.what", got, "a feature, a program or a file", "pass an object, as in HOG()"))


def _program_of(feature: Feature) -> Program:
    if feature.size is None:
        remedy = "pass size=(height, width): encrypted images have one size"
        raise ParameterError(Problem("Offer.what", f"a {type(feature).__name__} of any size", "one size", remedy))
    return feature.program(core_shape(feature, (*feature.size, 3)))


def model_words(program: Program, channels: str = "rgb") -> Mapping[str, Any]:
    """How clients on the command line prepare an image; empty where the program takes no single image.

    >>> from privis.program import Input, trace
    >>> model_words(trace(lambda x: x * x, Input((4,))))
    {}
    """
    shape = program.inputs[0].shape
    if len(program.inputs) != 1 or not is_image(shape):
        return {}
    outputs = sum(math.prod(each) for each in program.output_shapes)
    return {"model": {"shape": list(shape), "outputs": outputs, "channels": channels}}


def is_image(shape: Shape) -> bool:
    """Whether an input of this shape may be an image: (H, W) or (C, H, W), C 1 or 3.

    >>> is_image((28, 28)), is_image((3, 8, 8)), is_image((784,))
    (True, True, False)
    """
    return len(shape) == 2 or (len(shape) == 3 and shape[0] in (1, 3))


def _name_of(what: Feature | Program | str | Path, feature: Feature | None) -> str:
    if isinstance(what, str | Path):
        return Path(what).stem
    return "program" if feature is None else feature.name


def _public_samples(samples: PublicSamples | Sequence[Any], feature: Feature | None) -> PublicSamples:
    if isinstance(samples, PublicSamples):
        return samples
    shown = list(samples)
    if feature is not None:
        at_least = least_size(feature)
        shown = [feature.before(owner_image(feature, decode.load(image, at_least=at_least))) for image in shown]
    return PublicSamples.of(shown, "Offer.samples")

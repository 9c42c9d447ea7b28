"""From the words of ``privis serve`` to what is offered, and from the words of an offer back to a feature."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from privis.cli.parsing import FEATURES, feature_named, parameter_types
from privis.cli.server.offered_galleries import MatchingAnswers
from privis.cli.server.offered_heads import HeadOptions, head_of
from privis.errors import ParameterError, Problem, ProtocolError, refuse
from privis.features.cnn import CNN, Channels
from privis.features.feature import Feature, NamedTensor, core_shape
from privis.features.image_ops import owner_image
from privis.program import Program
from privis.program.onnx.translate import join
from privis.readings import packed
from privis.serve.client.remote_model import PrivateModel, PrivateProgram

if TYPE_CHECKING:
    from privis.run.he.compiler.compiler import Options
    from privis.run.he.compiler.samples import PublicSamples
    from privis.serve.offerings.offering import MakeOffering, Terms
    from privis.serve.offerings.program import OfferProgram

_MOST_WORDS = 32


@dataclass(frozen=True)
class OfferOptions:
    """What the command line wants to offer: a feature with its ``parameters``, and files."""

    feature: str | None
    parameters: list[str]
    programs: list[Path]
    models: list[Path]
    galleries: list[Path]
    encrypted_galleries: list[str]
    name: str | None
    samples: Sequence[str] = ()
    head: HeadOptions | None = None
    answers: MatchingAnswers = MatchingAnswers()
    prepared: Sequence[OfferProgram] = ()

    def makers(self, options: Options) -> list[MakeOffering]:
        """How to compile each; ParameterError lists everything that does not fit."""
        self._check()
        makers: list[MakeOffering] = []
        if self.feature is not None:
            makers.append(self._of_feature(self.feature, options))
        makers += [self._of_model(path, options) for path in self.models]
        makers += [self._of_program(path, options) for path in self.programs]
        makers += [made if self.name is None else replace(made, name=self.name) for made in self.prepared]
        makers += [self.answers.gallery(path, self._named(path)) for path in self.galleries]
        makers += [self.answers.encrypted(size, self.name) for size in self.encrypted_galleries]
        return makers

    def _check(self) -> None:
        problems: list[Problem] = []
        files = len(self.programs) + len(self.models) + len(self.galleries) + len(self.encrypted_galleries)
        count = (self.feature is not None) + files + len(self.prepared)
        if not count:
            expected = "-f, --model, --program, --offer, --gallery or --encrypted-gallery"
            problems.append(Problem("privis serve", "nothing to compute", expected))
        if self.feature == "cnn":
            problems.append(Problem("-f cnn", "a network", "--model FILE.onnx", "its weights stay on the server"))
        if self.parameters and (self.feature is None) != (len(self.models) == 1):
            problems.append(Problem("-p", "parameters", "one -f or one --model that they are for"))
        if self.head is not None and self.feature is None:
            problems.append(Problem("--head", "no feature", "-f, whose vectors it was trained on"))
        if self.name is not None and count > 1:
            problems.append(Problem("--name", f"{count} offers", "one", "without it they are called after their files"))
        if self.samples and not (self.feature or self.models or self.programs):
            problems.append(Problem("--samples", "with galleries alone", "-f, --model or --program that they are for"))
        problems += self.answers.problems(len(self.galleries) + len(self.encrypted_galleries))
        refuse(ParameterError, problems)

    def _of_feature(self, name: str, options: Options) -> MakeOffering:
        from privis.serve.offerings.program import OfferProgram

        feature = feature_named(name, self.parameters)
        if feature.size is None:
            raise ParameterError(Problem(f"-f {name}", "no size", "-p size=HxW", "encrypted images have one size"))
        shape = core_shape(feature, (*feature.size, 3))
        words = {"feature": name, "parameters": self.parameters}
        summary = f"{name} of {feature.size[0]}x{feature.size[1]} pixels"
        if self.head is not None:
            before, program, told, said = self.head.offered(feature, options)
            shown = self._shown(before)
            summary = f"{said}, {summary}"
            offer = self.name or f"{name}-head"
            return OfferProgram(offer, summary, program, options, True, {"head": {**words, **told}}, shown)
        program = feature.program(shape)
        return OfferProgram(self.name or name, summary, program, options, words=words, samples=self._shown(feature))

    def _of_model(self, path: Path, options: Options) -> MakeOffering:
        network = feature_named("cnn", [f"path={path}", *([] if self.feature else self.parameters)])
        assert isinstance(network, CNN)
        program, channels = network.program(network.shape), network.channels
        layout = network.tensors(network.shape)
        return self._private(path, program, layout, f"network {path.name}", channels, options)

    def _of_program(self, path: Path, options: Options) -> MakeOffering:
        from privis.program import load

        program = load(path)
        layout = tuple(NamedTensor(f"output_{n}", shape) for n, shape in enumerate(program.output_shapes))
        return self._private(path, program, layout, f"program {path.name}", Channels.RGB, options)

    def _named(self, path: Path) -> str:
        return self.name or re.sub(r"[^A-Za-z0-9._-]", "-", path.stem)

    def _private(
        self,
        path: Path,
        program: Program,
        layout: tuple[NamedTensor, ...],
        summary: str,
        channels: Channels,
        options: Options,
    ) -> MakeOffering:
        from privis.serve.offerings.offer import is_image
        from privis.serve.offerings.program import OfferProgram

        outputs = sum(math.prod(tensor.shape) for tensor in layout)
        named = [[tensor.name, list(tensor.shape)] for tensor in layout]
        shapes = tuple(given.shape for given in program.inputs)
        client: Feature | None = None
        words: dict[str, Any] = {}
        if not all(map(is_image, shapes)):
            if self.samples:
                raise ParameterError(Problem("--samples", f"images for {path}", "a program that takes images"))
        elif len(shapes) > 1:
            client, program = PrivateProgram(shapes, layout, channels), packed(program)
            words = {"program": {"shapes": list(map(list, shapes)), "outputs": named, "channels": channels.value}}
        else:
            client = PrivateModel(shapes[0], outputs, channels)
            words = {"model": {"shape": list(shapes[0]), "outputs": outputs, "channels": channels.value}}
            if len(layout) > 1:
                words["model"]["tensors"] = named
                program = join(program) if len(program.outputs) > 1 else program
        shown = None if client is None else self._shown(client)
        return OfferProgram(self._named(path), summary, program, options, private=True, words=words, samples=shown)

    def _shown(self, feature: Feature) -> PublicSamples | None:
        """The public images as a program takes them."""
        if not self.samples:
            return None
        from privis.features.preprocessing.scaled_decoding import least_size
        from privis.io.images.decode import load
        from privis.io.images.sources import find
        from privis.run.he.compiler.samples import MOST_SAMPLES, PublicSamples

        paths = find(self.samples)[:MOST_SAMPLES]
        shown = [load(path, at_least=least_size(feature)) for path in paths]
        return PublicSamples.of([feature.before(owner_image(feature, image)) for image in shown], "--samples")


def feature_of(terms: Terms) -> Feature:
    """The feature that an offer computes, rebuilt on the owner's side.

    The words come from a server: they name a feature of the list and plain values, never a file of this machine.
    Raises ProtocolError for anything else.
    """
    try:
        return _feature_of(terms.words, terms.digest)
    except (ParameterError, ValueError, TypeError, KeyError) as error:
        got, remedy = f"{str(dict(terms.words))[:200]} ({error})", "update Privis, or ask the server's operator"
        raise ProtocolError(Problem(f"offer {terms.name}", got, "a feature of this version", remedy)) from None


def _feature_of(words: Any, specification: str) -> Feature:
    match words:
        case {"head": {"feature": _, "parameters": [*_]} as head}:
            return head_of(head, _public_feature, specification)
        case {"feature": str(name), "parameters": [*parameters]}:
            return _public_feature(name, [str(word) for word in parameters])
        case {"model": {"shape": [*shape], "outputs": int(outputs), "channels": str(channels), **more}}:
            layout = _layout(more.get("tensors", ()))
            return PrivateModel(tuple(int(each) for each in shape), outputs, Channels(channels), specification, layout)
        case {"program": {"shapes": [*shapes], "outputs": [*outputs], "channels": str(channels)}}:
            taken = tuple(tuple(int(each) for each in shape) for shape in shapes[:_MOST_WORDS])
            return PrivateProgram(taken, _layout(outputs), Channels(channels), specification)
    raise ValueError("no such words")


def _layout(words: Sequence[Any]) -> tuple[NamedTensor, ...]:
    """Names and shapes of outputs, as a server says them."""
    return tuple(NamedTensor(str(name), tuple(int(each) for each in shape)) for name, shape in words)


def _public_feature(name: str, parameters: Sequence[str]) -> Feature:
    """A feature of the list, of plain values: ValueError where a server names a file of this machine."""
    if name not in FEATURES or len(parameters) > _MOST_WORDS:
        raise ValueError("no such feature")
    kinds = parameter_types(FEATURES[name].load())
    files = {key for key, kind in kinds.items() if "Path" in repr(kind) or "bytes" in repr(kind)}
    named = {word.partition("=")[0] for word in parameters}
    if files & named:
        raise ValueError(f"a file for {', '.join(files & named)}")
    return feature_named(name, parameters)

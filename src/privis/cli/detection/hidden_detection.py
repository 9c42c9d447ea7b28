"""From the words of ``--under`` to a detector that is asked about pictures it does not see."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from privis.cli.console import err
from privis.cli.extraction.hidden_options import CLEAR, PROTECTIONS, ExtractingSide, predicted_line
from privis.errors import ImageError, ParameterError, Problem, refuse

if TYPE_CHECKING:
    from privis.estimators.detection.detector import FindsBoxes
    from privis.io.images.decode import Decoding

SIGNS = 4
"""Polynomials of a comparison under ckks: as few as leave a person's windows on their side of the threshold."""
ShowModel = Annotated[
    bool,
    typer.Option(
        "--show-model",
        help="Under ckks: the pictures' owner gets the model, and the server extracts the public feature of encrypted "
        "pixels. Without it add --extracted-by owner: the server then scores that feature with a model it keeps.",
    ),
]


@dataclass(frozen=True)
class HiddenDetection:
    """What was typed.

    Args:
        under: who computes.
        extracted_by: who computes the public feature in front of a linear model.
        show_model: whether the pictures' owner gets the model.
    """

    under: str = CLEAR
    extracted_by: ExtractingSide = ExtractingSide.SERVER
    show_model: bool = False

    @property
    def hides(self) -> bool:
        """Whether anything is hidden from whoever computes."""
        return self.under != CLEAR

    def check(self) -> None:
        """Refuse words that do not fit each other, before any model is opened.

        Raises:
            ParameterError: naming all.
        """
        problems = []
        if self.under not in PROTECTIONS:
            problems.append(Problem("--under", repr(self.under), f"one of {', '.join(PROTECTIONS)}"))
        elif self.under == CLEAR:
            given = {"--show-model": self.show_model}
            given["--extracted-by owner"] = self.extracted_by is ExtractingSide.OWNER
            expected = "--under ckks, aby3 or cheetah, which hide something"
            problems += [Problem(option, "with --under clear", expected) for option, value in given.items() if value]
        refuse(ParameterError, problems)

    @contextlib.contextmanager
    def opened(self, finder: FindsBoxes, sources: Sequence[str], decoding: Decoding) -> Iterator[FindsBoxes]:
        """Ask a detector as the words say; what it will take, and who learns what, is told first.

        Args:
            finder: in the clear.
            sources: paths of pictures.
            decoding: how files become pixels.

        Yields:
            What finds boxes; parties end with it.

        Raises:
            ParameterError, UnsupportedError: it cannot be asked so.
            ImageError: no picture can be read.
        """
        if self.under == CLEAR:
            yield finder
            return
        from privis.estimators.detection.detector import Detector
        from privis.estimators.detection.hidden_detector import HiddenDetector
        from privis.estimators.detection.networks.kept_labels import KeptLabels

        if isinstance(finder, KeptLabels):  # of the boxes, which their owner has
            with self.opened(finder.finder, sources, decoding) as asked:
                yield replace(finder, finder=asked)
            return
        if not isinstance(finder, Detector):
            refuse(ParameterError, [self._not_a_program(finder)])
        by_owner = self.extracted_by is ExtractingSide.OWNER
        hidden = HiddenDetector(finder, self._executor(), by_owner, self.show_model)
        try:
            shape = _shape(sources, decoding)
            cost = hidden.check(shape)
            for line in (*hidden.told(shape), predicted_line(self.under, cost, len(sources))):
                err.print(f"privis: {line}", markup=False, soft_wrap=True)
            yield hidden
        finally:
            hidden.close()

    def _not_a_program(self, finder: FindsBoxes) -> Problem:
        from privis.estimators.detection.networks.onnxruntime_detector import OnnxruntimeDetector

        if isinstance(finder, OnnxruntimeDetector):
            got = "a network that only onnxruntime runs: of open size, or with what no program has, as suppression"
            remedy = "export it without suppression, and say --size HEIGHTxWIDTH where the size is open"
            return Problem("--model", got, f"with --under {self.under} a network that runs as one program", remedy)
        got, expected = f"{self.under} with {finder.labels[0]}s", "people, or another detector that runs as one program"
        return Problem("--under", got, expected, "leave --under out, or name a network: --model FILE.onnx")

    def _executor(self) -> Any:
        from privis.cli.parsing import executor_named

        if self.under == "ckks":
            from privis.run.he.executor import CKKS

            return CKKS(signs=SIGNS)
        return executor_named(self.under)


def _shape(sources: Sequence[str], decoding: Decoding) -> tuple[int, ...]:
    """That of the first picture that can be read."""
    for path in sources:
        with contextlib.suppress(ImageError):
            return tuple(decoding(path).shape)
    raise ImageError(Problem("images", "none that can be read", "at least one"))

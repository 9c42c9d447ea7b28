"""A detector on pictures that whoever computes does not see: what is hidden, from whom, and what it takes.

Several parties compute on shares of the picture and of the model, and the picture's owner learns the windows above the
threshold, or what a network says. Or a server scores the windows of an encrypted public feature with a linear model
that it keeps, and the picture's owner learns all scores. Or a server extracts the feature of encrypted pixels, and the
picture's owner, who then has the model, does the rest. On one machine this shows boxes, seconds and bytes; what is
hidden from whom takes machines of different owners.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy.typing as npt

from privis.errors import ParameterError, Problem, UnsupportedError, refuse
from privis.estimators.detection.detector import Detector
from privis.estimators.hidden_cost import HiddenCost
from privis.identity import UNIDENTIFIED
from privis.io.images.decode import load
from privis.program import Program
from privis.readings import alternative, promised, secret_weights
from privis.readings.transform.folded_gradients import with_distance_votes
from privis.run.clear import Clear
from privis.run.he.executor import CKKS
from privis.run.mpc.executor import MPC
from privis.tasks.detection.boxes import DetectedBoxes
from privis.tasks.detection.detection_model import PictureView
from privis.tasks.detection.hidden_windows import HiddenWindows, in_whole_view, reached
from privis.tasks.detection.trained_window import TrainedWindowModel
from privis.tasks.detection.window_model import WindowModel
from privis.tasks.detection.window_tiles import WindowTiles

MOST_SHAPES, MOST_WITH_KEYS = 4, 1
"""Of pictures whose programs are kept ready: parties keep some megabytes of each, keys are hundreds."""
TOTAL = 2.0**19
"""What any ReLU of a network lets through of a picture, promised: the largest with which YuNet fits a 64-bit ring, four
times what its widest layer lets through of photographs of 320 x 320 pixels."""
Values = npt.NDArray[Any]
Run = Callable[[Sequence[Values]], Sequence[Values]]
Windows = WindowModel | TrainedWindowModel
LEVELS = "normalised gradients and their scores take 38 levels of the 29 there are"


@dataclass(frozen=True, eq=False)
class HiddenDetector:
    """A detector that is asked without showing it the pictures, and without being shown.

    Programs are made ready once for pictures of one size, and the last ones are kept. All levels of a picture's pyramid
    run in one program, whose steps are taken for all of them together.

    Args:
        detector: that is asked, as it is in the clear.
        under: who computes: parties, or under CKKS a server.
        extracted_by_owner: the picture's owner extracts the public feature, and the linear model alone is computed on
            hidden values.
        model_shown: the picture's owner gets the model: under CKKS a server then extracts the public feature of
            encrypted pixels, and normalisation, scores and suppression are the owner's. Where it is not shown, CKKS
            needs `extracted_by_owner`.

    Raises:
        ParameterError: naming everything that does not fit.
    """

    identifier: ClassVar[str] = "privis.hidden-detector/1"

    detector: Detector
    under: MPC | CKKS
    extracted_by_owner: bool = False
    model_shown: bool = False
    _ready: dict[tuple[PictureView, ...], Run] = field(
        default_factory=dict, init=False, repr=False, metadata=UNIDENTIFIED
    )
    _keyed: dict[tuple[int, int], Callable[..., Values]] = field(
        default_factory=dict, init=False, repr=False, metadata=UNIDENTIFIED
    )

    def __post_init__(self) -> None:
        problems, windows = [], isinstance(self.detector.model, Windows)
        if not isinstance(self.under, MPC | CKKS):
            problems.append(Problem("HiddenDetector.under", repr(self.under), "MPC or CKKS", "Detector in the clear"))
        if not isinstance(self.detector.under, Clear):
            expected = "a detector in the clear: who computes is said here"
            problems.append(Problem("HiddenDetector.detector", repr(self.detector.under), expected))
        if isinstance(self.detector.model, TrainedWindowModel) and not self._scores_on_ciphertexts:
            got = "a trained detector, which moves boxes and knows their sizes"
            expected = "weights of a window, or a network"
            remedy = (
                "let a server score what the pictures' owner extracts (--under ckks --extracted-by owner), detect with "
                "it in the clear, or give a file of weights"
            )
            problems.append(Problem("HiddenDetector.detector", got, expected, remedy))
        if self.extracted_by_owner and not windows:
            got = "a network, of which nothing is public"
            problems.append(Problem("HiddenDetector.extracted_by_owner", got, "a linear model behind a public feature"))
        if isinstance(self.under, CKKS):
            problems += self._ckks_problems(windows)
        elif self.model_shown:
            expected = "CKKS: parties hide the model"
            problems.append(Problem("HiddenDetector.model_shown", "parties", expected, "leave it out"))
        refuse(ParameterError, problems)

    def _ckks_problems(self, windows: bool) -> list[Problem]:
        parties = "let parties compute, from whom both are hidden (--under aby3 or cheetah)"
        if not windows:
            got = "a network under CKKS, whose comparisons take more levels than there are"
            return [Problem("HiddenDetector.under", got, "a linear model of windows, or parties", parties)]
        problems = []
        if not self.model_shown and not self.extracted_by_owner:
            got = f"a private model under CKKS from pixels: {LEVELS}"
            expected = "a feature that its owner extracts, a model that is shown, or parties"
            own = (
                "let the pictures' owner extract the public feature, and the server score it with the model that it "
                "keeps (--extracted-by owner): its owner decrypts the score of every window, from enough of which the "
                "weights follow"
            )
            shown = "or let the pictures' owner have the model, and the server extract the feature alone (--show-model)"
            problems.append(Problem("HiddenDetector.model_shown", got, expected, f"{own}; {parties}; {shown}"))
        if self.extracted_by_owner and self.model_shown:
            got = "a model that is shown, of which the server does nothing but extract the feature"
            remedy = "detect in the clear, or do not show the model"
            problems.append(Problem("HiddenDetector.extracted_by_owner", got, "a model that is not shown", remedy))
        return problems

    @property
    def _scores_on_ciphertexts(self) -> bool:
        """Whether a server computes the scores with a model that it keeps."""
        return isinstance(self.under, CKKS) and self.extracted_by_owner and not self.model_shown

    @property
    def labels(self) -> tuple[str, ...]:
        """What it can find."""
        return self.detector.labels

    def programs(self, shape: Sequence[int]) -> tuple[Program, ...]:
        """Give what runs on hidden values for a picture.

        Args:
            shape: of the picture, (height, width) or (height, width, 3) in pixels.

        Returns:
            One program for all windows under MPC, or for each tile of them where a server scores; else one for each
            shape of views; none where a picture is too small.
        """
        views = self.detector.model.views(tuple(map(int, shape)))
        if not views:
            return ()
        if isinstance(self.detector.model, Windows) and self._scores_on_ciphertexts:
            return (WindowTiles(self.detector.model, views).program,)
        if isinstance(self.detector.model, WindowModel) and isinstance(self.under, MPC):
            return (HiddenWindows(self.detector.model, views, self.extracted_by_owner).program,)
        return tuple(self._view_program(view_shape) for view_shape in self._shapes(views))

    def _shapes(self, views: tuple[PictureView, ...]) -> tuple[tuple[int, ...], ...]:
        """Shapes of what is hidden of views, each once: of windows the part that they reach."""
        model = self.detector.model
        if isinstance(model, WindowModel):
            return tuple({reached(view, model.window): None for view in views})
        return tuple({view.shape: None for view in views})

    def _view_program(self, shape: tuple[int, ...]) -> Program:
        model = self.detector.model
        if isinstance(model, WindowModel):
            return alternative(with_distance_votes(model.feature.program(shape)))
        return promised(secret_weights(model.program(shape)).program, TOTAL)

    def check(self, shape: Sequence[int]) -> HiddenCost:
        """Refuse what cannot run; else say what a picture takes.

        Args:
            shape: of the picture, in pixels.

        Returns:
            The cost.

        Raises:
            UnsupportedError: naming all reasons.
        """
        programs, under = self.programs(shape), self.under
        refuse(UnsupportedError, [problem for program in programs for problem in under.supports(program)])
        times = 1
        if isinstance(self.detector.model, Windows) and isinstance(under, CKKS) and self._scores_on_ciphertexts:
            refuse(UnsupportedError, [_left_to_owner() for program in programs if under.compiled(program).spec.tail])
            times = WindowTiles(self.detector.model, self.detector.model.views(tuple(shape))).count
        found = [under.cost(program) for program in programs] * times
        keys = sum(under.predicted(program).keys for program in programs) if isinstance(under, CKKS) else 0
        seconds = [each.seconds for each in found]
        sent, rounds = [each.sent for each in found], [each.rounds for each in found[: len(programs)]]
        return HiddenCost(
            None if None in seconds else sum(one for one in seconds if one is not None),
            None if None in sent else sum(one for one in sent if one is not None),
            keys,
            None if None in rounds else sum(one for one in rounds if one is not None),
        )

    def detect(self, image: Any) -> DetectedBoxes:
        """Find the things in one picture.

        Args:
            image: a path, a PIL image or a uint8 array (H, W) or (H, W, 3) RGB.

        Returns:
            What was found, by falling score, in pixels of the upright picture and cut at its sides.

        Raises:
            ImageError: the picture cannot be read.
            UnsupportedError: it cannot be computed so.
            DomainError: a layer of a network lets through more than is promised.
            PartyError: a party failed.
        """
        pixels, model = load(image), self.detector.model
        views = model.views(pixels.shape)
        if not views:
            return DetectedBoxes.none()
        if views not in self._ready:
            keys = isinstance(self.under, CKKS) and not self._scores_on_ciphertexts
            most = MOST_WITH_KEYS if keys else MOST_SHAPES
            while len(self._ready) >= most:
                del self._ready[next(iter(self._ready))]
            self._ready[views] = self._prepared(views)
        values = self._ready[views]([model.before(pixels, view) for view in views])
        found = [model.decode(each, view) for each, view in zip(values, views, strict=True)]
        kept = DetectedBoxes.joined(found).suppressed(self.detector.overlap, self.detector.most)
        return kept.within(pixels.shape)

    def _prepared(self, views: tuple[PictureView, ...]) -> Run:
        """Make what runs for pictures of one size ready."""
        model, under = self.detector.model, self.under
        if isinstance(model, Windows) and self._scores_on_ciphertexts:
            return self._of_tiles(WindowTiles(model, views))
        if isinstance(model, WindowModel):
            return self._on_ciphertexts(model, views) if isinstance(under, CKKS) else self._on_shares(model, views)
        runs = {}
        for shape in self._shapes(views):
            weights = secret_weights(model.program(shape)).weights
            runs[shape] = under.prepare(self._view_program(shape)), weights

        def run(arrays: Sequence[Values]) -> Sequence[Values]:
            parts = [(*runs[view.shape], array) for view, array in zip(views, arrays, strict=True)]
            return [joint(array, *weights) for joint, weights, array in parts]

        return run

    def _on_shares(self, model: WindowModel, views: tuple[PictureView, ...]) -> Run:
        """All windows in one program between parties."""
        hidden = HiddenWindows(model, views, self.extracted_by_owner)
        joint, weights = self.under.prepare(hidden.program), hidden.weights
        extract = [Clear().prepare(model.feature.program(shape)) for shape in hidden.shapes]

        def run(arrays: Sequence[Values]) -> Sequence[Values]:
            arrays = [array[: shape[0], : shape[1]] for array, shape in zip(arrays, hidden.shapes, strict=True)]
            if self.extracted_by_owner:
                arrays = [own(array) for own, array in zip(extract, arrays, strict=True)]
            return hidden.opened(joint(hidden.pixels(arrays), *weights))

        return run

    def _on_ciphertexts(self, model: WindowModel, views: tuple[PictureView, ...]) -> Run:
        """The feature on ciphertexts, up to its normalisation; the rest at the owner of the key."""
        extract, score = {}, {}
        for shape in self._shapes(views):
            feature = self._view_program(shape)
            extract[shape] = self.under.prepare(feature)
            score[shape] = Clear().prepare(model.scores(feature.output_shapes[0]))

        def one(view: PictureView, array: Values) -> Values:
            shape = reached(view, model.window)
            scores = score[shape](extract[shape](array[: shape[0], : shape[1]]))
            return in_whole_view(scores, view, model.window)

        return lambda arrays: [one(view, array) for view, array in zip(views, arrays, strict=True)]

    def _of_tiles(self, tiles: WindowTiles) -> Run:
        """The feature at the owner of the picture, the scores on ciphertexts, with one pair of keys for all sizes."""
        extract = {shape: Clear().prepare(tiles.windows.feature.program(shape)) for shape in tiles.shapes}
        if tiles.side not in self._keyed:
            self._keyed.clear()
            self._keyed[tiles.side] = self.under.prepare(tiles.program)
        score = self._keyed[tiles.side]

        def run(arrays: Sequence[Values]) -> Sequence[Values]:
            blocks = [
                extract[shape](array[: shape[0], : shape[1]]) for shape, array in zip(tiles.shapes, arrays, strict=True)
            ]
            return tiles.joined([score(tile) for tile in tiles.cut(blocks)])

        return run

    def told(self, shape: Sequence[int] | None = None) -> tuple[str, ...]:
        """Say who learns what.

        Args:
            shape: of a picture, in pixels; None: what depends on it is left out.

        Returns:
            Sentences.
        """
        here = "Here both sides are this machine: what is hidden from whom takes machines of two owners."
        model = self.detector.model
        if isinstance(model, Windows) and self._scores_on_ciphertexts:
            who = "The server computes on ciphertexts: it learns how many pictures there are and their sizes."
            return self._scores_told(model, shape), who, here
        if isinstance(self.under, CKKS):
            shown = (
                "The pictures' owner has the model: what is won over extracting the public feature at home is the work."
            )
            who = "The server computes on ciphertexts: it learns how many pictures there are and their sizes."
            return shown, who, here
        if isinstance(model, WindowModel):
            first = (
                f"The pictures' owner learns where windows score above {model.least:g}, and their scores, and of other "
                f"windows nothing more; it does not see the model, but from {model.weights.size + 1:,} such scores the "
                "linear model can be worked out."
            )
            public = "the feature, the window, the threshold"
            first += " The feature is public: the owner extracts it." if self.extracted_by_owner else ""
        else:
            first = (
                "The pictures' owner learns the outputs of the network, below the threshold, too; it does not see the "
                "network."
            )
            public = "the network's layers"
        known = f" Parties know {public}, and shapes and the largest power of two of weights."
        who = (
            f"The parties compute on shares ({self.under.preset.model}): each learns how many pictures there are and "
            "their sizes."
        )
        return first + known, who, here

    def _scores_told(self, model: Windows, shape: Sequence[int] | None) -> str:
        """What the owner of the key learns of a model that scores on ciphertexts."""
        weights = (model.windows if isinstance(model, TrainedWindowModel) else model).weights
        told = (
            "The pictures' owner extracts the public feature and learns what the model says of all windows, below the "
            "threshold, too; it does not see the weights, and knows the window and how scores become boxes. From "
            f"{weights.size + 1:,} such scores the linear model can be worked out"
        )
        views = () if shape is None else model.views(tuple(shape))
        return f"{told}: a picture of this size has {WindowTiles(model, views).scores:,}." if views else f"{told}."

    def __reduce__(self) -> tuple[type[HiddenDetector], tuple[Any, ...]]:
        return HiddenDetector, (self.detector, self.under, self.extracted_by_owner, self.model_shown)

    def close(self) -> None:
        """Stop the processes of parties, and forget keys."""
        self._ready.clear()
        self._keyed.clear()
        if isinstance(self.under, MPC):
            self.under.close()


def _left_to_owner() -> Problem:
    got = "scores whose end, the model's weights in it, is left to whoever holds the key"
    return Problem("ckks", got, "weights that stay with the model's owner", "let parties compute (--under aby3)")


__all__ = ["HiddenCost", "HiddenDetector"]

"""From videos on the command line to clips: pictures of frames below each other, whose feature is of motion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any

import typer

from privis.cli.console import err, working
from privis.errors import ParameterError, Problem, refuse
from privis.features.motion.clip_motion import ClipMotion
from privis.io.images.file_parts import file_part
from privis.io.images.sources import find
from privis.io.images.videos.busiest_frames import busiest_frames
from privis.io.images.videos.frame_parts import frames_of_all
from privis.io.images.videos.video_files import is_video
from privis.io.video.frame_choice import FrameChoice

if TYPE_CHECKING:
    from privis.estimators.classification.trained_classifier import TrainedClassifier

FEATURE = "clip-motion"
Clips = Annotated[
    list[str], typer.Argument(metavar="CLIPS…", help="Videos, folders or globs of them; - for a list on stdin.")
]


@dataclass(frozen=True)
class Clip:
    """A part of a video.

    Args:
        path: of the video.
        start: seconds at which its first frame is shown.
        end: seconds at which its last frame is shown.
    """

    path: str
    start: float
    end: float

    @classmethod
    def named(cls, name: str) -> Clip:
        """Take the name of a picture of frames apart.

        Args:
            name: of the picture.

        Returns:
            The clip; of a video that gave no frame one of no length.

        >>> Clip.named("a.mp4#time=1,1.5,2")
        Clip(path='a.mp4', start=1.0, end=2.0)
        """
        part = file_part(name)
        times = part.numbers or (0,)
        return cls(part.path, times[0] / 1e6, times[-1] / 1e6)

    def to_dict(self) -> dict[str, Any]:
        """Give it for JSON."""
        return {"path": self.path, "start": self.start, "end": self.end}


def clip_names(
    inputs: Sequence[str], feature: ClipMotion, max_pixels: int, throughout: bool = False
) -> tuple[str, ...]:
    """Find videos, and name the clip of each in which most moves.

    Args:
        inputs: videos, folders, globs or ``-``; what a folder or glob holds beside videos is passed over.
        feature: whose frames are taken.
        max_pixels: most pixels of a frame.
        throughout: all clips of each video, one after another, in the place of the busiest one.

    Returns:
        Names that stand wherever a path does.

    Raises:
        ParameterError: files that are no videos, or none at all.
        MissingExtraError: PyAV is not installed.
    """
    import sys

    found = find(inputs, sys.stdin, videos=True)
    named = set(inputs)
    videos = [path for path in found if is_video(path)]
    refuse(
        ParameterError,
        [
            Problem(path, "no video", "a video", "leave it out")
            for path in found
            if path in named and path not in videos
        ],
    )
    if not videos:
        raise ParameterError(Problem("CLIPS", f"{len(found)} files, none of them a video", "videos"))
    if throughout:
        choice = FrameChoice(every=Fraction(1, feature.rate))
        return frames_of_all(videos, choice, stack=feature.frames, max_pixels=max_pixels)[0]
    with working("privis video behaviour: where most moves") as show:
        names = []
        for number, path in enumerate(videos):
            names.append(busiest_frames(path, feature.frames, feature.rate, max_pixels=max_pixels))
            show((number + 1) / len(videos))
    for name in names:
        if len(set(file_part(name).numbers or (0, 1))) == 1:
            path = file_part(name).path
            told = (
                f"privis: {path} has one frame at {feature.rate} a second, in which nothing moves: its class is a guess"
            )
            err.print(told, markup=False, soft_wrap=True)
    return tuple(names)


def clip_feature(model: TrainedClassifier) -> ClipMotion:
    """Say what a classifier of clips reads.

    Args:
        model: that `privis video behaviour train` made.

    Returns:
        Its feature.

    Raises:
        ParameterError: it is a classifier of images.
    """
    if not isinstance(model.feature, ClipMotion):
        got, remedy = f"a classifier of images ({model.feature.name})", "privis classify predict asks it"
        raise ParameterError(Problem("--model", got, "one that `privis video behaviour train` made", remedy))
    return model.feature

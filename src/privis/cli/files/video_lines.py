"""What a video is, in sentences."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from privis.io.video.video_facts import VideoFacts, video_facts


def lines_of_video(path: Path) -> Iterator[str]:
    """Look at a video and say what it is; what its metadata say is not shown.

    Args:
        path: of the file.

    Yields:
        Sentences.

    Raises:
        ImageError: no video, or one without a frame that can be read.
        MissingExtraError: PyAV is not installed.
    """
    yield from video_lines(video_facts(path))


def video_lines(found: VideoFacts) -> Iterator[str]:
    """Say what a video is.

    Args:
        found: of it.

    Yields:
        Sentences.
    """
    notes = [note for note, said in (("turned", found.is_turned), ("interlaced", found.is_interlaced)) if said]
    stored = f"{found.codec} ({found.pixel_format}) in {found.container}"
    yield f"{found.width} x {found.height} pixels{', stored ' + ' and '.join(notes) if notes else ''}; {stored}"
    shown = f"{found.frames:,} frames, shown from {found.first:g} s to {found.last:g} s"
    if found.rate is not None:
        even = f"{found.shortest * 1000:g} to {found.longest * 1000:g} ms apart" if found.is_variable else "even"
        shown += f", {found.rate:.4g} a second, {even}"
    yield shown
    if found.sounds:
        yield "sound, which is never read"
    if found.tags:
        yield f"metadata, which no result carries: {', '.join(found.tags)}"
    yield from (f"warning: {fault}" for fault in found.faults)

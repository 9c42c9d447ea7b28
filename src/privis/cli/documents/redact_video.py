"""One video of `privis redact`: painted, written, and what its line of the log and of the result say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from privis.cli.documents.redact_review import write_review
from privis.extraction.redaction.redacted_video import VideoRedaction, VideoRules, redact_video
from privis.extraction.redaction.redactor import Redactor
from privis.tasks.redaction.regions import ImageRegion


def painted_video(
    redactor: Redactor,
    rules: VideoRules,
    source: str,
    name: str,
    output: Path,
    given: Mapping[int | None, Sequence[ImageRegion]],
    review: Path | None,
    before: Callable[[dict[str, Any], Path], None],
    on_progress: Callable[[float], None],
) -> tuple[dict[str, Any], list[str]]:
    """Paint one video: what the log says of it, and why it was held back, if it was."""

    def look(number: int, pixels: Any, redacted: Any) -> None:
        if review is not None:
            write_review(review, name, number, pixels, redacted)

    def finished(done: VideoRedaction, path: Path) -> None:
        before(video_entry(done), path)

    done = redact_video(
        redactor, source, output, rules, given,
        look=None if review is None else look, before=finished, on_progress=on_progress,
    )  # fmt: skip
    held = [f"no {kind}" for kind in done.missing]
    if done.unsettled:
        at = ", ".join(f"{float(seconds):.2f} s" for seconds in done.unsettled[:_LISTED])
        more = " …" if len(done.unsettled) > _LISTED else ""
        held.append(f"detectors found something new in the last look, at {at}{more}")
    return video_entry(done), held


_LISTED = 5


def video_entry(done: VideoRedaction) -> dict[str, Any]:
    """What a line of the log says of a video: regions with the number of their frame, from 1, and its seconds."""
    regions = [
        {
            "kind": str(region.kind),
            "frame": number,
            "seconds": round(float(frame.seconds), 6),
            "corners": [[round(value, 1) for value in corner] for corner in region.corners.tolist()],
            "score": round(region.score, 3),
        }
        for number, frame in enumerate(done.frames, 1)
        for region in frame.regions
    ]
    share = sum(frame.share for frame in done.frames) / len(done.frames)
    kinds = {str(kind): count for kind, count in sorted(done.tracks.items())}
    return {
        "regions": regions,
        "kinds": kinds,
        "frames": len(done.frames),
        "size": list(done.size),
        "passes": done.passes,
        "share": round(share, 4),
    }

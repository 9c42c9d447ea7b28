"""`redacted_video`: a painted video or nothing; of the original nothing but unpainted pixels, however it is read."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from privis.errors import ImageError
from privis.extraction.redaction.redacted_video import VideoRules, redact_video
from privis.extraction.redaction.redactor import Redactor
from privis.io.video.encoded_video import TimedFrame, form_of, write_video
from privis.io.video.frame_reading import VideoWarning, video_frames
from privis.tasks.redaction import FaceVerdict, ImageRegion, RegionHold, RegionKind
from tests.io.video.video_files import B_FRAMES, cut, edited, turned, write

av = pytest.importorskip("av")

HEIGHT, WIDTH, SIDE = 96, 160, 16


class WhiteSquares:
    """Finds bright squares, as a detector finds faces; not in frames whose first pixels say that it fails there."""

    def find(self, image: np.ndarray) -> tuple[ImageRegion, ...]:
        if image[:4, :4, 0].mean() > 90:
            return ()
        _, _, stats, _ = cv2.connectedComponentsWithStats((image.min(axis=2) > 170).astype(np.uint8))
        boxes = [tuple(map(int, row[:4])) for row in stats[1:] if row[4] >= 60]
        return tuple(ImageRegion.of_box(RegionKind.FACE, *box, score=0.9) for box in boxes)


class Never:
    def find(self, image: np.ndarray) -> tuple[ImageRegion, ...]:
        return ()


def scene(number: int, x: float | None, blind: bool = False, y: int = 40) -> np.ndarray:
    """A street with a white square at x, and a mark that makes the detector blind."""
    pixels = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
    pixels[60:, ::8] = 80 + number % 3
    if blind:
        pixels[:6, :6] = 130
    if x is not None:
        pixels[y : y + SIDE, round(x) : round(x) + SIDE] = 235
    return pixels


def filmed(path: Path, frames: list[np.ndarray], times: list[int] | None = None, **more: object) -> Path:
    stamps = times or [40 * n for n in range(len(frames))]
    return write(path, stamps, frames=frames, size=(HEIGHT, WIDTH), **{"options": B_FRAMES, **more})


def raw(path: Path, stream: int = 0) -> Iterator[np.ndarray]:
    """Every frame that any decoder can get out of a file: also those that players skip."""
    with av.open(str(path), options={"ignore_editlist": "1"}) as file:
        video = file.streams.video[stream]
        video.codec_context.flags2 |= av.codec.context.Flags2.show_all
        for frame in file.decode(video):
            yield frame.to_ndarray(format="rgb24")


def white(pixels: np.ndarray) -> int:
    return int((pixels.min(axis=2) > 150).sum())


PASSING = [scene(n, 20 + 3 * n, blind=n in (5, 6, 7, 8, 20)) for n in range(30)]
"""A square that walks through the picture, and is not seen in five frames."""


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov", ".avi"])
def test_no_frame_shows_it_whoever_reads_the_file(tmp_path: Path, suffix: str) -> None:
    source = tmp_path / f"in{suffix}"
    if suffix == ".avi":  # it has no times for frames out of order
        timed = [TimedFrame(Fraction(n, 25), pixels) for n, pixels in enumerate(PASSING)]
        write_video(timed, source, form_of(source.name), Fraction(25))
    else:
        filmed(source, PASSING)
    assert all(white(frame) > 200 for frame in raw(source))
    seen = []
    done = redact_video(
        Redactor((WhiteSquares(),)), source, tmp_path / f"out{suffix}",
        look=lambda number, pixels, made: seen.append((number, white(pixels) > 200, white(made.pixels))),
        on_progress=lambda share: None,
    )  # fmt: skip
    assert done.written and done.tracks == {RegionKind.FACE: 1} and len(done.frames) == 30 and done.painted == 1
    assert sum(bool(frame.regions) for frame in done.frames) == 25 and done.passes == 2
    assert [white(frame) for frame in raw(tmp_path / f"out{suffix}")] == [0] * 30
    assert seen == [(0, True, 0)] and sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [f"in{suffix}", f"out{suffix}"]
    )
    before, after = ([frame.time for frame in video_frames(each)] for each in (source, tmp_path / f"out{suffix}"))
    assert after == pytest.approx(before, abs=0.0011)


def test_one_frame_a_hard_cut_and_the_first_and_last_frame(tmp_path: Path) -> None:
    frames = [scene(n, None) for n in range(24)]
    frames[0], frames[11], frames[23] = scene(0, 10), scene(11, 100), scene(23, 50)
    frames[12:16] = [255 - scene(n, None) for n in range(4)]  # another scene
    frames[14] = np.full_like(frames[14], 60)
    frames[14][20:36, 70:86] = 235
    source = filmed(tmp_path / "in.mp4", frames)
    done = redact_video(Redactor((WhiteSquares(),)), source, tmp_path / "out.mp4", VideoRules(RegionHold(0.1)))
    assert done.written
    shown = list(raw(tmp_path / "out.mp4"))
    assert white(shown[0]) == white(shown[11]) == white(shown[23]) == white(shown[14]) == 0 and len(shown) == 24


def test_what_a_file_hides_stays_behind(tmp_path: Path) -> None:
    """Frames before an edit, a cover, subtitles, names and places in metadata, and sound."""
    frames = [scene(n, 100 if n < 8 else None) for n in range(25)]
    source = edited(filmed(tmp_path / "whole.mp4", frames, sound=True), "in.mp4", 320)
    visible = [white(frame.pixels) for frame in video_frames(source)]
    assert max(visible) == 0 and max(white(frame) for frame in raw(source)) > 200
    done = redact_video(Redactor((Never(),)), source, tmp_path / "out.mp4")
    assert done.written and max(white(frame) for frame in raw(tmp_path / "out.mp4")) == 0
    assert b"elst" not in (tmp_path / "out.mp4").read_bytes() or len(list(raw(tmp_path / "out.mp4"))) == len(visible)
    loaded = tmp_path / "loaded.mkv"
    with av.open(str(source)) as given, av.open(str(loaded), "w") as file:
        file.metadata.update(title="Ann at home", location="+52.5+013.4/", comment="SECRETWORD")
        copied = {each: file.add_stream_from_template(each) for each in given.streams}
        file.add_attachment("cover.jpg", "image/jpeg", cv2.imencode(".jpg", scene(0, 50))[1].tobytes())
        for packet in given.demux():
            if packet.dts is not None:
                packet.stream = copied[packet.stream]
                file.mux(packet)
    redact_video(Redactor((Never(),)), loaded, tmp_path / "out.mkv")
    with av.open(str(tmp_path / "out.mkv")) as file:
        assert [stream.type for stream in file.streams] == ["video"] and "title" not in {*map(str.lower, file.metadata)}
    content = (tmp_path / "out.mkv").read_bytes()
    assert not any(word in content for word in (b"Ann", b"SECRETWORD", b"52.5", b"\xff\xd8\xff", b"cover"))
    redact_video(Redactor((Never(),)), loaded, tmp_path / "heard.mkv", VideoRules(keep_sound=True))
    with av.open(str(tmp_path / "heard.mkv")) as file:
        assert [stream.type for stream in file.streams] == ["video", "audio"]
    assert b"SECRETWORD" not in (tmp_path / "heard.mkv").read_bytes()


def test_a_turned_video_with_uneven_times_is_written_upright(tmp_path: Path) -> None:
    times = [0, 40, 80, 300, 333, 700, 760, 1500]
    source = turned(
        filmed(tmp_path / "lying.mp4", [scene(n, 20 + 3 * n) for n in range(8)], times), "in.mp4", 0, 1, -1, 0
    )
    done = redact_video(Redactor((WhiteSquares(),)), source, tmp_path / "out.mp4")
    assert done.written and done.size == (WIDTH, HEIGHT)
    read = list(video_frames(tmp_path / "out.mp4"))
    assert [round(1000 * frame.time) for frame in read] == times and read[0].pixels.shape[:2] == (WIDTH, HEIGHT)
    assert all(white(frame.pixels) == 0 for frame in read)
    assert abs(int(read[0].pixels[2, 2, 0]) - 80) < 30 or abs(int(read[0].pixels[2, -2, 0]) - 60) < 12
    with av.open(str(tmp_path / "out.mp4")) as file:
        assert next(file.decode(video=0)).rotation == 0


def test_a_video_that_was_cut_off_gives_the_frames_it_has(tmp_path: Path) -> None:
    source = cut(filmed(tmp_path / "whole.mkv", PASSING), 0.7, "in.mkv")
    with pytest.warns(VideoWarning):
        count = len(list(video_frames(source)))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        done = redact_video(Redactor((WhiteSquares(),)), source, tmp_path / "out.mkv")
    assert done.written and len(done.frames) == count > 5 and max(map(white, raw(tmp_path / "out.mkv"))) == 0
    assert [each.category for each in caught] == [VideoWarning], "once, not in every pass"


def test_own_regions_of_all_frames_and_of_some(tmp_path: Path) -> None:
    source = filmed(tmp_path / "in.mp4", [scene(n, 100) for n in range(20)])
    corner = ImageRegion.of_box(RegionKind.GIVEN, 96, 36, 24, 24)
    redact_video(Redactor(()), source, tmp_path / "all.mp4", given={None: [corner]})
    assert max(map(white, raw(tmp_path / "all.mp4"))) == 0
    rules = VideoRules(RegionHold(0.0, 1))
    done = redact_video(Redactor(()), source, tmp_path / "some.mp4", rules, given={10: [corner]})
    assert [number for number, frame in enumerate(raw(tmp_path / "some.mp4")) if not white(frame)] == [9, 10, 11]
    assert done.frames[10].regions and done.frames[10].seconds == Fraction(2, 5)
    with pytest.raises(ImageError, match="regions of frame 31"):
        redact_video(Redactor(()), source, tmp_path / "no.mp4", given={30: [corner]})
    with pytest.raises(ImageError, match=r"frame 1.*outside of 160 x 96"):
        far = ImageRegion.of_box(RegionKind.GIVEN, 900, 0, 9, 9)
        redact_video(Redactor(()), source, tmp_path / "no.mp4", given={0: [far]})
    assert not (tmp_path / "no.mp4").exists()


class Always:
    """Finds something new in every look."""

    count = 0

    def find(self, image: np.ndarray) -> tuple[ImageRegion, ...]:
        self.count += 1
        return (ImageRegion.of_box(RegionKind.FACE, self.count % 150, 3 * self.count % 90, 2, 2),)


def test_what_is_not_settled_lacks_something_or_is_interrupted_is_not_written(tmp_path: Path) -> None:
    source = filmed(tmp_path / "in.mp4", PASSING[:4])
    held = redact_video(Redactor((Always(),), passes=3), source, tmp_path / "out.mp4", VideoRules(RegionHold(0.0, 1)))
    assert not held.written and held.unsettled and held.passes == 3
    held = redact_video(Redactor((WhiteSquares(),), passes=1), source, tmp_path / "out.mp4")
    assert not held.written and not held.settled, "nobody has looked at what is written"
    rules = VideoRules(required=frozenset({RegionKind.PLATE}))
    assert redact_video(Redactor((WhiteSquares(),)), source, tmp_path / "out.mp4", rules).missing == (RegionKind.PLATE,)
    (tmp_path / "out.mp4").write_bytes(b"earlier")
    for moment in range(1, 9):

        class Stops(WhiteSquares):
            left = moment

            def find(self, image: np.ndarray) -> tuple[ImageRegion, ...]:
                self.left -= 1
                if not self.left:
                    raise KeyboardInterrupt
                return super().find(image)

        with pytest.raises(KeyboardInterrupt):
            redact_video(Redactor((Stops(),)), source, tmp_path / "out.mp4")
        assert (tmp_path / "out.mp4").read_bytes() == b"earlier"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mp4", "out.mp4"]


def test_what_is_no_video_and_what_cannot_be_read_twice(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(ImageError, match=r"text\.mp4"):
        redact_video(Redactor(()), tmp_path / "text.mp4", tmp_path / "out.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["text.mp4"]


class LeavesTheUpper:
    """Leaves squares in the upper half, and cannot decide in every third frame."""

    count = 0

    def judge(self, image: np.ndarray, regions: list[ImageRegion]) -> list[FaceVerdict]:
        self.count += 1
        upper = [region.box[1] < 30 for region in regions]
        sure = self.count % 3 != 1
        return [FaceVerdict.LEAVE if up and sure else FaceVerdict.UNSURE if up else FaceVerdict.PAINT for up in upper]


def test_selected_faces_stay_through_frames_that_do_not_decide(tmp_path: Path) -> None:
    frames = []
    for n in range(12):
        pixels = scene(n, 30 + 2 * n, y=8)
        pixels[60:76, 100:116] = 235
        frames.append(pixels)
    source = filmed(tmp_path / "in.mp4", frames)
    done = redact_video(Redactor((WhiteSquares(),), judge=LeavesTheUpper()), source, tmp_path / "out.mp4")
    assert done.written and done.tracks == {RegionKind.FACE: 1}
    for frame in raw(tmp_path / "out.mp4"):
        assert white(frame[:40]) > 200 and not white(frame[40:])

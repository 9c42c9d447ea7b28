"""Bad input gives what can be read and a sentence, and never hangs.

Answers for `privis.io.video.frame_reading`, `privis.io.video.timed_stream` and `privis.io.video.opened_video`.
"""

from __future__ import annotations

import os
import socket
import threading
import time
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest

from privis.errors import ImageError
from privis.io.video.frame_choice import FrameChoice
from privis.io.video.frame_reading import VideoWarning, video_frames
from privis.io.video.timed_stream import TimedStream
from tests.io.video.video_files import B_FRAMES, changed, cut, number_of, with_cover, write, write_sound

pytest.importorskip("av")


def read(path: Path | str, **more: float) -> tuple[list[int], str]:
    """Numbers of the frames that can be read, and what was said."""
    found = []
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        try:
            for frame in video_frames(path, **more):  # type: ignore[arg-type]
                found.append(number_of(frame.pixels))
        except ImageError as error:
            return found, str(error)
    assert all(issubclass(each.category, VideoWarning) for each in said)
    return found, "".join(str(each.message) for each in said)


def test_sound_alone(tmp_path: Path) -> None:
    import io

    from PIL import Image

    found, said = read(write_sound(tmp_path / "a.m4a"))
    assert not found and "got sound alone, expected a video" in said
    import av

    with av.open(str(tmp_path / "a.mp3"), "w") as file:
        stream = file.add_stream("libmp3lame", rate=16000)
        frame = av.AudioFrame(format="s16p", layout="stereo", samples=4000)
        frame.sample_rate, frame.pts = 16000, 0
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            file.mux(packet)
    buffer = io.BytesIO()
    Image.new("RGB", (32, 32), (200, 30, 40)).save(buffer, "JPEG")
    found, said = read(with_cover(tmp_path / "a.mp3", "b.mp3", buffer.getvalue()))
    assert not found and "got sound alone with a still picture as its cover" in said


def test_no_frame_and_one_frame(tmp_path: Path) -> None:
    found, said = read(write(tmp_path / "none.mkv", ()))
    assert not found and said.endswith("got a video of 0 frames, expected at least one frame")
    assert read(write(tmp_path / "one.mp4", (0,))) == ([0], "")
    with pytest.raises(ImageError, match=r"no frame from 5 s on, expected a frame there"):
        list(video_frames(tmp_path / "one.mp4", FrameChoice.named(start="5s")))


@pytest.mark.parametrize("suffix", [".mkv", ".avi", ".flv", ".mp4"])
def test_what_a_cut_off_file_still_has_is_given(tmp_path: Path, suffix: str) -> None:
    container = {"movflags": "faststart"} if suffix == ".mp4" else {}
    path = write(tmp_path / f"a{suffix}", options={**B_FRAMES, "bf": "0"}, container=container, noise=12)
    found, said = read(cut(path, 0.6))
    assert 4 < len(found) < 20 and found == list(range(len(found)))
    assert "it was cut off" in said and "of 2.00 s" in said


def test_an_mp4_without_its_table_says_so(tmp_path: Path) -> None:
    found, said = read(cut(write(tmp_path / "a.mp4", noise=12), 0.6))
    assert not found and "a damaged video" in said and "its table of frames" in said


def test_damage_in_the_middle_costs_no_more_than_it_hits(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", codec="ffv1", options={"slicecrc": "1", "level": "3"}, pixel_format="yuv420p")
    data = bytearray(path.read_bytes())
    for at in range(len(data) // 2, len(data) // 2 + 40):
        data[at] ^= 0x5A
    (tmp_path / "b.mkv").write_bytes(data)
    found, _ = read(tmp_path / "b.mkv")
    assert len(found) >= 15 and found[:5] == list(range(5))


def test_a_broken_index_is_not_believed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.avi", tuple(range(0, 2400, 100)), options={**B_FRAMES, "bf": "0"})
    data = path.read_bytes()
    at = data.rindex(b"idx1") + 8
    (tmp_path / "b.avi").write_bytes(data[:at] + os.urandom(len(data) - at))
    assert read(tmp_path / "b.avi")[0] == list(range(24))
    whole = [(frame.time, number_of(frame.pixels)) for frame in video_frames(path)]
    for start in ("0.7s", "1.5s", "2.3s"):
        choice = FrameChoice.named(start=start)
        later = [(frame.time, number_of(frame.pixels)) for frame in video_frames(tmp_path / "b.avi", choice)]
        assert later == [each for each in whole if round(each[0] * 10) >= choice.start * 10]


def test_huge_frames_are_refused_from_the_header_and_in_the_middle(tmp_path: Path) -> None:
    path = write(tmp_path / "a.ts", options={**B_FRAMES, "bf": "0"})
    found, said = read(path, max_pixels=3000)
    assert not found and "frames of 64 x 48 pixels" in said and "at most 3,000 pixels" in said
    larger = write(tmp_path / "b.ts", size=(96, 128), options={**B_FRAMES, "bf": "0"})
    (tmp_path / "c.ts").write_bytes(path.read_bytes() + larger.read_bytes())
    found, said = read(tmp_path / "c.ts", max_pixels=3072)
    assert 10 < len(found) <= 20, said


def test_lists_of_other_files_are_no_videos(tmp_path: Path) -> None:
    other = write(tmp_path / "other.mp4")
    lists = {
        "a.m3u8": f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{other}\n#EXT-X-ENDLIST\n",
        "a.ffconcat": f"ffconcat version 1.0\nfile {other.name}\n",
        "a.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n",
    }
    for name, text in lists.items():
        (tmp_path / name).write_text(text)
        found, said = read(tmp_path / name)
        assert not found and "of another kind" in said, name


@pytest.mark.parametrize("what", ["missing", "folder", "empty", "text", "picture"])
def test_what_is_no_video_is_named(tmp_path: Path, what: str) -> None:
    from PIL import Image

    path = tmp_path / f"{what}.mp4"
    if what == "folder":
        path.mkdir()
    elif what == "empty":
        path.touch()
    elif what == "text":
        path.write_text("nothing to see " * 99)
    elif what == "picture":
        Image.new("RGB", (9, 9)).save(path, "PNG")
    found, said = read(path)
    told = {"missing": "no such file", "folder": "a folder", "empty": "an empty file", "picture": "a video"}
    assert not found and told.get(what, "of another kind") in said and str(path) in said


@pytest.fixture
def silent_pipe(tmp_path: Path) -> Iterator[Path]:
    """Somebody writes the first part of a video into it, and then neither writes nor closes it."""
    data = write(tmp_path / "a.ts", tuple(range(0, 3000, 100))).read_bytes()
    path, done = tmp_path / "pipe", threading.Event()
    os.mkfifo(path)

    def send() -> None:
        with open(path, "wb") as pipe:
            pipe.write(data[: len(data) * 2 // 3])
            pipe.flush()
            done.wait(20)

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    yield path
    done.set()
    thread.join(5)


def test_a_pipe_that_falls_silent_ends_and_keeps_what_it_gave(silent_pipe: Path) -> None:
    begun = time.monotonic()
    found, said = read(silent_pipe, silence=0.4)
    assert len(found) >= 10 and found == list(range(len(found)))
    assert "it gave nothing for 0.4 s" in said and time.monotonic() - begun < 10


def test_a_pipe_into_which_nobody_writes(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    begun = time.monotonic()
    found, said = read(tmp_path / "pipe", silence=0.3)
    assert not found and "got nothing for 0.3 s" in said and time.monotonic() - begun < 10


@pytest.mark.parametrize("share", [0.0, 0.7])
def test_a_camera_that_stops(tmp_path: Path, share: float) -> None:
    data = write(tmp_path / "a.ts", tuple(range(0, 3000, 100))).read_bytes()
    server = socket.create_server(("127.0.0.1", 0))
    held = []

    def serve() -> None:
        connection, _ = server.accept()
        held.append(connection)
        connection.sendall(data[: int(len(data) * share)])

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    begun = time.monotonic()
    found, said = read(f"tcp://127.0.0.1:{server.getsockname()[1]}", silence=0.6)
    assert "nothing for 0.6 s" in said and time.monotonic() - begun < 20
    assert (len(found) >= 10) is bool(share) and found == list(range(len(found)))
    server.close()
    thread.join(5)
    for connection in held:
        connection.close()


def test_no_message_holds_a_password(tmp_path: Path) -> None:
    data = write(tmp_path / "a.ts").read_bytes()
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = server.accept()
        with connection:
            connection.sendall(data)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    port = server.getsockname()[1]
    with pytest.raises(ImageError, match="no frame from 100 s on") as caught:
        list(video_frames(f"tcp://me:secret@127.0.0.1:{port}?key=hidden", FrameChoice.named(start="100s")))
    thread.join(5)
    server.close()
    for address in (f"tcp://me:secret@127.0.0.1:{port}?key=hidden", f"rtsp://me:secret@127.0.0.1:{port}/hidden?a"):
        with pytest.raises(ImageError, match=r"no video|nothing for") as refused:
            list(video_frames(address, silence=0.5))
        assert "secret" not in str(refused.value)
    assert "secret" not in str(caught.value) and "hidden" not in str(caught.value)


def test_a_stream_that_is_closed_ends_without_a_complaint(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"abc")
    os.close(writing)
    stream = TimedStream(reading, 5.0)
    assert stream.read(10) == b"abc" and stream.read(10) == b"" and not stream.fell_silent
    stream.close()
    os.close(reading)


def test_a_header_that_lies_about_its_codec(tmp_path: Path) -> None:
    path = changed(write(tmp_path / "a.mkv"), "b.mkv", b"V_MPEG4/ISO/AVC", b"V_MPEG4/ISO/XYZ")
    found, said = read(path)
    assert not found and ("codec" in said or "damaged" in said)

"""People followed through videos: drawn ones, damaged ones, pipes.

Answers for `privis.estimators.video.people_tracking`, `privis.estimators.video.background_ahead`,
`privis.estimators.video.track_table` and `privis.estimators.video.track_pictures`.
"""

from __future__ import annotations

import csv
import os
import threading
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from privis.errors import ImageError, ParameterError
from privis.estimators.video.background_ahead import frames_with_background
from privis.estimators.video.people_tracking import PeopleTracking
from privis.estimators.video.track_pictures import TrackPictures, boxes_drawn, colour_of
from privis.estimators.video.track_table import track_table
from privis.io.video.frame_choice import FrameChoice
from privis.io.video.frame_reading import VideoWarning
from privis.tasks.detection.boxes import DetectedBoxes
from privis.tasks.tracking import (
    BackgroundPlan,
    CountingLine,
    PersonScale,
    PolygonZone,
    Tracks,
    tracking_quality,
)
from tests.io.video.video_files import cut, write
from tests.tasks.tracking.walking import SHAPE, boxes_at, drawn, scene, truth

pytest.importorskip("av")
WALKERS = ((0.0, 25.0, 100.0), (180.0, -22.0, 110.0))
FRAMES, RATE = 70, 10
TRACKING = PeopleTracking(scale=PersonScale(0.0, 40.0, 0.4))


def walkers(path: Path, frames: int = FRAMES, form: str | None = None) -> Path:
    ground = scene(np.random.default_rng(2))
    pictures = [drawn(ground, boxes_at(n / RATE, WALKERS)) for n in range(frames)]
    return write(path, tuple(range(0, frames * 100, 100)), size=SHAPE, frames=pictures, form=form)


def followed(path: Path | str, tracking: PeopleTracking = TRACKING, choice: FrameChoice | None = None) -> Tracks:
    return Tracks.joined(each.decided for each in tracking.follow(path, choice))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return walkers(tmp_path_factory.mktemp("walkers") / "a.mp4")


def test_two_who_cross_are_two_and_where_they_are(clip: Path) -> None:
    quality = tracking_quality(truth(FRAMES, RATE, WALKERS), followed(clip))
    assert (quality.people, quality.switches) == (2, 0)
    assert quality.mota > 0.9 and quality.idf1 > 0.95


def test_the_height_of_people_is_learned_from_the_clip(clip: Path) -> None:
    quality = tracking_quality(truth(FRAMES, RATE, WALKERS), followed(clip, PeopleTracking()))
    assert quality.mota > 0.85 and quality.people == 2


def test_larger_videos_give_tracks_in_their_own_pixels(clip: Path) -> None:
    small = followed(clip, PeopleTracking(scale=TRACKING.scale, side=100))
    quality = tracking_quality(truth(FRAMES, RATE, WALKERS), small)
    assert quality.mota > 0.8


def test_a_pipe_gives_what_the_file_gives(clip: Path, tmp_path: Path) -> None:
    from_file = followed(walkers(tmp_path / "a.ts", form="mpegts"))
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    data = (tmp_path / "a.ts").read_bytes()
    writer = threading.Thread(target=lambda: pipe.write_bytes(data))
    writer.start()
    from_pipe = followed(str(pipe))
    writer.join()
    assert (from_file.boxes == from_pipe.boxes).all() and (from_file.ids == from_pipe.ids).all()


def test_a_cut_off_video_keeps_what_it_has_and_says_so_once(clip: Path) -> None:
    whole = walkers(clip.with_name("b.mkv"))
    with pytest.warns(VideoWarning) as told:
        found = followed(cut(whole, 0.6))
    assert len(told) == 1
    assert found.people.tolist() == [1, 2] and 20 < found.frames[-1] < FRAMES


def test_whoever_stops_keeps_what_was_read(clip: Path) -> None:
    seen = 0

    def stop() -> bool:
        return seen >= 40

    parts = []
    for each in TRACKING.follow(clip, stop=stop):
        seen += each.time is not None
        parts.append(each.decided)
    assert Tracks.joined(parts).frames[-1] == 40


def test_periods_of_a_video_have_its_times(clip: Path) -> None:
    found = followed(clip, choice=FrameChoice(None, Fraction(2), Fraction(6)))
    assert found.frames[0] == 1 and 2.0 <= found.times[0] < 2.2 and found.times[-1] == pytest.approx(5.9)


def test_still_videos_short_ones_and_none(tmp_path: Path) -> None:
    ground = scene(np.random.default_rng(2))
    still = write(tmp_path / "still.mp4", tuple(range(0, 1000, 100)), size=SHAPE, frames=[ground] * 10)
    assert len(followed(still, PeopleTracking())) == 0
    single = write(tmp_path / "one.mp4", (0,), size=SHAPE, frames=[ground])
    assert len(followed(single, PeopleTracking())) == 0
    (tmp_path / "no.mp4").write_bytes(b"")
    with pytest.raises(ImageError):
        followed(tmp_path / "no.mp4")


def test_whatever_moves_is_followed_as_it_is(clip: Path) -> None:
    found = followed(clip, PeopleTracking(whatever_moves=True))
    assert len(found.people) >= 2 and np.median(found.boxes[:, 3]) > 30


def test_samples_of_long_videos_are_thinned_out_and_bounded(clip: Path) -> None:
    plan = BackgroundPlan(span=6.0, samples=12)
    frames = list(frames_with_background(clip, plan=plan))
    assert max(len(frame.samples) for frame in frames) <= 12
    assert frames[0].background is not None  # of what comes later
    assert frames[-1].background is not frames[0].background


def test_a_table_has_the_columns_of_the_challenge_and_appears_whole(tmp_path: Path) -> None:
    path, tracks = tmp_path / "a.csv", truth(3, RATE, WALKERS)
    with track_table(path) as table:
        table.add(tracks[:2])
        table.add(tracks[2:])
        assert not path.exists()
    with open(path, newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["frame", "id", "x", "y", "w", "h", "score"]
    assert rows[1] == ["1", "1", "0.00", "60.00", "16.00", "40.00", "1.000"] and len(rows) == 7
    with pytest.raises(ParameterError, match=r"\.csv"), track_table(tmp_path / "a.parquet"):
        pass


def test_pictures_show_ways_and_no_people(clip: Path) -> None:
    ground = scene(np.random.default_rng(2))
    pictures = TrackPictures(SHAPE)
    tracks = truth(FRAMES, RATE, WALKERS)
    for part in (tracks[:40], tracks[40:]):
        pictures.add(part)
    ways, heat, line = pictures.ways(ground), pictures.heat_map(ground), pictures.timeline(7.0)
    assert np.ptp(ways[100].astype(int), axis=1).max() > 100 > 10 > np.ptp(ways[20].astype(int), axis=1).max()
    assert heat[100, 60].sum() > heat[20, 60].sum()
    assert [int((line == colour_of(n)).all(axis=2).sum()) > 1000 for n in (1, 2, 3)] == [True, True, False]
    boxes = boxes_drawn(
        ground,
        tracks[:2],
        [PolygonZone("door", [[5, 5], [30, 5], [30, 30]])],
        [CountingLine("gate", (0, 50), (90, 50))],
    )
    assert (boxes[100, 4:12] == colour_of(1)).all() and (boxes[50, 50] > 200).all()
    assert (ground == scene(np.random.default_rng(2))).all()


def test_a_camera_that_moves_is_said_and_gives_nobody(tmp_path: Path) -> None:
    random = np.random.default_rng(4)
    ground = random.integers(0, 255, (120, 320, 3), np.uint8)
    ground = np.repeat(np.repeat(ground[::8, ::8], 8, axis=0), 8, axis=1)
    frames = [np.ascontiguousarray(ground[:, n : n + 200]) for n in range(0, 100, 4)]
    path = write(tmp_path / "a.mp4", tuple(range(0, 2500, 100)), size=SHAPE, frames=frames)
    with pytest.warns(VideoWarning, match="the camera moves"):
        assert len(followed(path).people) <= 1


def test_boxes_of_another_detector_are_followed_before_a_moving_camera(tmp_path: Path) -> None:
    ground = np.random.default_rng(4).integers(0, 60, (120, 320, 3), np.uint8)
    shift = [round(30 * abs(np.sin(n / 10))) for n in range(50)]
    frames = [
        drawn(np.ascontiguousarray(ground[:, s : s + 200]), boxes_at(n / 10, WALKERS[:1])) for n, s in enumerate(shift)
    ]
    path = write(tmp_path / "a.mp4", tuple(range(0, 5000, 100)), size=SHAPE, frames=frames)

    def red(pixels: np.ndarray) -> DetectedBoxes:
        rows, columns = np.nonzero((pixels[..., 0] > 150) & (pixels[..., 1] < 100))
        if not len(rows):
            return DetectedBoxes.none()
        box = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
        return DetectedBoxes(np.array([box]), np.array([-3.0]), ("red",))

    parts = list(PeopleTracking(detector=red).follow(path))
    quality = tracking_quality(truth(50, RATE, WALKERS[:1]), Tracks.joined(each.decided for each in parts))
    assert quality.mota > 0.9 and quality.people == 1
    assert len(np.unique(parts[20].ground)) == 1  # nobody is on it

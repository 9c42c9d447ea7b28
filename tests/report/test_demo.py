"""The demo: computes every number it shows, keeps to norms that hold for all images, and needs no download.

Answers for `privis.demo.hidden`, `privis.demo.parties` and `privis.report.chart`.
"""

from __future__ import annotations

import importlib.util
import resource

import numpy as np
import pytest

pytest.importorskip("skimage")

from privis import demo
from privis.demo import encrypted
from privis.errors import MissingExtraError, OutputError, ParameterError
from privis.extraction.images import extract
from privis.features.image_ops import colour
from privis.io.images.decode import load
from privis.report import Line
from privis.report.elements import EXACT


def processor_seconds() -> float:
    """Of this process and of those it waited for."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in usage)


def test_a_small_demo(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(encrypted, "MOST_SECONDS", 0.0)  # the second feature of the server is left out
    before = processor_seconds()
    steps: list[str] = []
    made = demo.run(tmp_path / "new" / "demo", steps.append, photographs=2, keys=1)
    assert made.report == tmp_path / "new" / "demo" / "report.html"
    # of processors: a busy machine does not make the demo slow
    assert made.seconds > 0 and processor_seconds() - before < 60
    assert len(steps) > 8
    small = [row for row in made.rows if row.feature.endswith("64 × 64")]
    alone = [row for row in made.rows if row not in small]
    groups = [alone[start : start + 4] for start in range(0, len(alone), 4)]
    assert len(groups) >= 7
    for clear, weak, whole, feature in groups:
        assert len({row.feature for row in (clear, weak, whole, feature)}) == 1
        assert (clear.difference, clear.promise.epsilon) == (0.0, float("inf"))
        assert clear.cosine == pytest.approx(1.0)
        assert weak.promise.whole_image_epsilon > 100 * weak.promise.epsilon
        for row in (whole, feature):
            assert row.promise.epsilon == row.promise.whole_image_epsilon == demo.EPSILON
        assert min(row.difference for row in (weak, whole, feature)) > 0.1
        assert feature.difference > 0.5  # at this epsilon noise is as large as the feature
        assert all(row.seconds > 0 for row in (clear, weak, whole, feature))
    with_spu = importlib.util.find_spec("spu") is not None
    with_server = all(map(importlib.util.find_spec, ("tenseal", "uvicorn", "httpx")))
    joint, hidden = (small[:6], small[6:]) if with_spu else ([], small)
    assert (len(joint), len(hidden)) == (6 * with_spu, 2 * with_server)
    for clear, row in zip(hidden[::2], hidden[1::2], strict=True):
        assert clear.feature == row.feature
        assert row.difference == 0.0 < clear.another  # the owner rounds counts to whole numbers
        assert "the server got ciphertexts" in row.saw and row.guarantee == EXACT
    for clear, parties in zip(joint[::2], joint[1::2], strict=True):
        assert clear.feature == parties.feature
        assert parties.difference < 1e-3 < clear.another
        assert "random shares" in parties.saw and parties.guarantee == EXACT
    page = made.report.read_text(encoding="utf-8")
    assert page.count("<figure>") == 12 + 5 * with_spu + 4 * with_server
    assert ("HOG through the server would take" in page) == with_server
    assert page.count("<polyline") == 4
    assert "http://" not in page
    assert "https://" not in page


def test_without_a_library_the_server_is_left_out(monkeypatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert encrypted.computed({}, lambda step: None) == ([], [], encrypted.MISSING)


def test_norms_hold_for_every_image() -> None:
    folder = demo.sample_folder()
    generator = np.random.default_rng(0)
    checks = 255 * (np.indices((demo.SIDE, demo.SIDE)).sum(0) % 2).astype(np.uint8)
    stripes = 255 * (np.indices((demo.SIDE, demo.SIDE))[1] // 2 % 2).astype(np.uint8)
    noise = generator.integers(0, 256, (demo.SIDE, demo.SIDE, 3), np.uint8)
    photograph = demo.middle_square(load(next(demo.sample_paths(folder, demo.SHOWN))[1]))
    for subject in demo.subjects(folder):
        vectors = extract(subject.feature, [checks, stripes, noise, np.zeros_like(noise), photograph]).features
        order = 1 if subject.noise.norm == "L1" else 2
        norms = np.linalg.norm(vectors.astype(np.float64), order, axis=1)
        assert norms.max() <= subject.clip * (1 + 1e-5), subject.title
        assert norms.max() > 0, subject.title


def test_search_is_perfect_for_equal_and_chance_for_random_vectors() -> None:
    owners = np.repeat(np.arange(10), 4)
    exact = np.eye(10, dtype=np.float32)[owners]
    assert demo.found(exact, exact, owners) == 1.0
    assert demo.found(np.roll(exact, 4, 0), exact, owners) == 0.0
    random = np.random.default_rng(1).normal(size=(2, 40, 30)).astype(np.float32)
    assert demo.found(random[0], random[1], owners) < 0.35  # 3 of 39 by chance


@pytest.mark.long
def test_less_noise_finds_more() -> None:
    folder = demo.sample_folder()
    photographs = {name: colour(load(path)) for name, path in demo.sample_paths(folder, demo.SHOWN[:4])}
    chart = demo.search_chart(photographs, keys=4)
    assert len(chart.lines) == 4
    for line in chart.lines:
        assert line.points[-1][1] > line.points[0][1] + 0.2
        assert list(line.points) == sorted(line.points, key=lambda point: point[0])
    feature, every_pixel = chart.lines[0], chart.lines[-1]
    half = (chart.levels[0].y + chart.levels[1].y) / 2
    assert 100 * demo.crossing(feature, half) < demo.crossing(every_pixel, half)
    assert chart.levels[1].y == pytest.approx(4 / 19)


def test_where_a_line_crosses() -> None:
    assert demo.crossing(Line("", ((1.0, 0.2), (10.0, 0.4), (1000.0, 0.8))), 0.6) == pytest.approx(100.0)
    assert demo.crossing(Line("", ((1.0, 0.2), (10.0, 0.4))), 0.6) is None


def test_what_cannot_work_is_refused(tmp_path, monkeypatch) -> None:
    with pytest.raises(ParameterError, match=r"photographs.*\n.*keys"):
        demo.run(tmp_path, lambda step: None, photographs=1, keys=0)
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        demo.run(tmp_path / "file", lambda step: None, photographs=2, keys=1)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"privis\[demo\]"):
        demo.run(tmp_path / "demo", lambda step: None)
    assert not (tmp_path / "demo").exists()

"""The benchmark of the releases runs, tiny, so that it cannot rot; its bars are judged where it is run."""

from __future__ import annotations

from benchmarks.privacy import releases


def test_every_release_is_measured(capsys) -> None:
    measured = releases.run(vectors=10, dimension=32, pixels=10_000, repeats=1)
    assert len(measured) == 7 and min(measured.values()) >= 0
    assert all(any(name.startswith(start) for name in measured) for start in releases.BARS)
    releases.report({"PrivUnit, 10,000 x 512": 3.0, "Laplace on pixels, per megapixel": 0.01, "other": 9.0})
    slow, quick, other = capsys.readouterr().out.splitlines()[1:]
    assert "TOO SLOW" in slow and "ok" in quick and other.endswith("9.000")

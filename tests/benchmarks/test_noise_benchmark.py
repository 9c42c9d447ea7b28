"""The benchmark of the noise runs, tiny, so that it cannot rot; its bar is judged where it is run."""

from __future__ import annotations

from benchmarks.privacy import noise


def test_every_sampler_is_measured(capsys) -> None:
    measured = noise.run(pixels=3000, repeats=1)
    ours = [milliseconds for name, milliseconds in measured.items() if "reference" not in name]
    assert len(ours) == 8 and min(ours) > 0
    noise.report({"slow": 1000.0, "quick": 1.0})
    slow, quick = capsys.readouterr().out.splitlines()[1:]
    assert "TOO SLOW" in slow and "ok" in quick


def test_two_checkouts_take_turns() -> None:
    found = noise.compared([noise.ROOT, noise.ROOT], pixels=2000, vectors=8, repeats=1)
    assert len(found) == 9 and all(seconds > 0 and ratio > 0 for seconds, ratio in found.values())

"""Noise of sums and counts where a person comes or goes, beside a person who is replaced: ``python -m
benchmarks.presence``.

Scales are those that the releases state for a person with up to three images at epsilon 1; the tests prove the
sensitivities on all small corpora. The last line attacks the worst neighbours of a count: what an attacker proves of
epsilon, with 97.5 % confidence twice, must stay below it and come near.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator

import numpy as np
from scipy import stats

from privis import AddOrRemovePerson, CorpusHistogramRelease, Gaussian, Laplace, MeanRelease, Person, SumRelease
from privis.privacy import ReleaseKey

IMAGES, TRIES = 3, 50_000
NOISES = (Laplace(1.0), Gaussian(1.0, 1e-6))
BAR = 0.5
"""Largest share of a replaced person's noise that counts and sums may need."""


def shares() -> Iterator[tuple[str, float, float | None]]:
    """What is released, its noise over that for a replaced person, and the bar where there is one."""
    for noise in NOISES:
        added, replaced = AddOrRemovePerson(IMAGES), Person(IMAGES)
        for name, make, length, bar in (
            ("count", lambda unit, noise=noise: SumRelease(noise, 1.0, unit), 1, BAR),
            ("sum of 128 components", lambda unit, noise=noise: SumRelease(noise, 1.0, unit), 128, BAR),
            (
                "histogram of 10 bins",
                lambda unit, noise=noise: CorpusHistogramRelease(noise, tuple(map(float, range(9))), unit),
                1,
                BAR if noise.norm == "L1" else None,
            ),
            ("mean of 64 components", lambda unit, noise=noise: MeanRelease(noise, 1.0, unit), 64, None),
        ):
            one, other = (make(unit).guarantee((length,)).scale for unit in (added, replaced))
            yield f"{noise.name}, {name}", one / other, bar


def proved(tries: int = TRIES) -> float:
    """Epsilon that an attacker proves who must tell a count with a person's three images from one without."""
    release = SumRelease(Laplace(1.0), 1.0, AddOrRemovePerson(IMAGES))
    rows = np.ones((IMAGES + 2, 1))
    people = ["bob", "eve", *["ann"] * IMAGES]
    parts = [release.partial(rows, people), release.partial(rows[:2], people[:2])]
    key = ReleaseKey(bytes(range(32)))  # fixed, so that figures repeat
    cut = float(IMAGES + 2)  # of the larger one: nearly all of epsilon shows there
    above = [
        sum(release.release(part, key.stream(f"{side} {number}", b"", b""))[0] >= cut for number in range(tries))
        for side, part in enumerate(parts)
    ]
    at_least = stats.beta.ppf(0.025, above[0], tries - above[0] + 1)
    return math.log(at_least / stats.beta.ppf(0.975, above[1] + 1, tries - above[1]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--tries", type=int, default=TRIES)
    options = parser.parse_args()
    start, spent = time.perf_counter(), time.process_time()
    print(f"noise for AddOrRemovePerson({IMAGES}) over noise for Person({IMAGES}), epsilon 1")
    for name, share, bar in shares():
        verdict = "" if bar is None else f" (bar: {bar}, {'kept' if share <= bar * (1 + 1e-9) else 'missed'})"
        print(f"  {name}: {share:.4f}{verdict}")
    print(f"an attacker proves epsilon {proved(options.tries):.3f} of 1 ({options.tries:,} tries a side)")
    print(f"{time.process_time() - spent:.1f} s of processor, {time.perf_counter() - start:.1f} s of wall clock")


if __name__ == "__main__":
    main()

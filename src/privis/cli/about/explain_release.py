"""``privis explain``."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from privis.cli.console import explained, out
from privis.cli.extract import (
    At,
    Block,
    Clip,
    Delta,
    Epsilon,
    FeatureName,
    Moves,
    Parameters,
    Post,
    ReleaseName,
    Total,
    UnitName,
    chosen_feature,
)
from privis.cli.parsing import UNDER, executor_named
from privis.cli.releases import ReleaseWords, image_size, instead, mention_place, placed_release


def explain(
    feature: FeatureName,
    shape: Annotated[str, typer.Option(help="Image size, HEIGHTxWIDTH.")] = "256x256",
    parameter: Parameters = None,
    release: ReleaseName = None,
    at: At = None,
    unit: UnitName = "image",
    epsilon: Epsilon = None,
    delta: Delta = None,
    clip: Clip = None,
    block: Block = None,
    moves: Moves = None,
    total: Total = None,
    post: Post = None,
    images_per_person: Annotated[int, typer.Option(help="How many images of one person are released.")] = 1,
    under: Annotated[str | None, typer.Option(help=f"Also say how exact it is under {', '.join(UNDER)}.")] = None,
) -> None:
    """Say what a release would guarantee, what it would cost and what it leaves, before any image is touched."""
    with explained():
        from privis.extraction.explain import explain as explanation_of

        words = ReleaseWords(release, at, unit, epsilon, delta, clip, block, moves, total)
        chosen, size = chosen_feature(feature, parameter or [], post), image_size(shape)
        noise = placed_release(words, chosen, [size])
        mention_place(words, noise)
        runs = None if under is None else executor_named(under)
        told = explanation_of(chosen, size, release=noise, images_per_person=images_per_person, under=runs)
        for line in told.lines:
            out.print(line, markup=False)
        if noise is not None and told.noise is not None and told.noise.leaves_nothing:
            out.print(f"For that, {instead(chosen, noise, [size], sys.argv[1:])}", markup=False, soft_wrap=True)

"""The command and the Python on the page do what the page did."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import privis
from privis.cli.parsing import FEATURES, feature_named
from privis.cli.releases import ReleaseWords, placed_release
from privis.cli.studio.views.same_elsewhere import expression, extract_command, python_of
from privis.features.feature import Feature
from privis.privacy import Release

RELEASES = {
    "none": ReleaseWords(),
    "pixels": ReleaseWords("laplace", at="pixels", unit="pixels:16", epsilon=15.0, block=4),
    "best": ReleaseWords("gaussian", epsilon=4.0, delta=1e-6),
    "feature": ReleaseWords("laplace", at="feature", epsilon=1e5),
    "direction": ReleaseWords("privunit", epsilon=8.0),
}


@pytest.mark.parametrize("name", [name for name, choice in FEATURES.items() if not choice.needs])
@pytest.mark.parametrize("kind", RELEASES)
def test_the_python_makes_equal_objects(name: str, kind: str) -> None:
    feature = feature_named(name, [])
    shape = (*feature.size, 3) if feature.size else (64, 64, 3)
    try:
        release = placed_release(RELEASES[kind], feature, [shape])
    except privis.PrivisError:
        pytest.skip("no such release of this feature")
    found: list[tuple[Feature, Release | None]] = []
    lines = python_of("a b.png", feature, release, "clear").replace("privis.extract", "took").split("\n")
    names: dict[str, object] = {}

    def took(feature: Feature, images: list[str], release: Release | None = None) -> None:
        assert images == ["a b.png"]
        found.append((feature, release))

    exec("\n".join(lines[:-1]), {**names, "took": took})
    assert found == [(feature, release)]


def test_the_command_makes_the_same_table(tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from privis.cli.main import app

    path = tmp_path / "a b.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)).save(path)
    words = RELEASES["pixels"]
    feature = feature_named("colour", ["bins=4"])
    release = placed_release(words, feature, [(64, 64, 3)])
    line = shlex.split(extract_command(str(path), "colour", ["bins=4"], words, release, "clear"))
    output = str(tmp_path / "table.parquet")
    done = CliRunner().invoke(app, [*line[1:-1], output, "--yes", "--json"])
    assert done.exit_code == 0, done.output
    assert '"noise": {"class": "Laplace", "epsilon": 15.0' in done.output.replace("\n", "")


@pytest.mark.parametrize("under", ["ckks", "aby3", "cheetah"])
def test_who_computes_is_named(under: str) -> None:
    feature = feature_named("lbp", [])
    assert f"--under {under}" in extract_command("a.png", "lbp", [], ReleaseWords(), None, under)
    compile(python_of("a.png", feature, None, under), "page", "exec")
    assert ("CKKS()" if under == "ckks" else f"MPCProtocol({under!r})") in python_of("a.png", feature, None, under)


def test_a_name_cannot_become_an_option_or_another_command() -> None:
    words = shlex.split(extract_command("-o; rm x", "lbp", [], ReleaseWords(), None, "clear"))
    assert words[2] == "./-o; rm x"


def test_enumerations_and_tuples_are_written_out() -> None:
    imports: set[str] = set()
    assert expression(privis.Patterns.UNIFORM, imports) == "Patterns.UNIFORM"
    assert expression((1,), imports) == "(1,)"
    assert imports == {"from privis.features.lbp import Patterns"}

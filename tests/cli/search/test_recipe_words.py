"""Words of recipes and conditions; answers for `privis.cli.search.recipe_words` and `privis.cli.search.where_words`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from privis.cli.search.recipe_words import PARTS, RecipeWords, recipe_of
from privis.cli.search.where_words import MetadataFile, conditions
from privis.errors import ParameterError
from privis.extraction.recipes.recipe_parts import part_of
from privis.extraction.recipes.search_recipe import colour_and_texture
from privis.features import HOG, Codebook
from privis.identity import identity
from privis.stores import Relation
from privis.tasks.retrieval import Similarity


def test_names_are_recipes_parts_and_features(tmp_path: Path):
    assert list(recipe_of(RecipeWords()).parts) == list(colour_and_texture().parts)
    for name in PARTS:
        assert list(recipe_of(RecipeWords(name)).parts) == [name]
    assert list(recipe_of(RecipeWords("colour+visual-words")).parts) == ["colour", "visual-words"]
    hog = recipe_of(RecipeWords("hog", ("cell=4",)))
    assert hog.name == "hog" and hog.parts["hog"].similarity is Similarity.COSINE
    assert recipe_of(RecipeWords("colour", ("bins=4",))).parts["colour"].feature.bins == 4  # type: ignore[attr-defined]
    Codebook(np.eye(3, 128, dtype=np.float32), "three words").save(tmp_path / "words.npz")
    words = RecipeWords("visual-words", codebook=tmp_path / "words.npz")
    assert len(recipe_of(words).parts["visual-words"].feature.codebook.centres) == 3  # type: ignore[attr-defined]
    default = recipe_of(RecipeWords(codebook=tmp_path / "words.npz"))
    assert list(default.parts) == list(colour_and_texture().parts) and default.name == "colour-and-texture"


def test_words_that_an_index_keeps_make_the_same_recipe(tmp_path: Path):
    for words in (RecipeWords("lbp", ("grid=2x2",)), RecipeWords("colour+texture")):
        again = RecipeWords.kept(words.to_dict(), tmp_path)
        assert again == words and identity(tuple(recipe_of(again).parts.values())) == identity(
            tuple(recipe_of(words).parts.values())
        )
    with_model = RecipeWords("network", layer="a", model=tmp_path / "m.onnx")
    assert RecipeWords.kept(with_model.to_dict(), tmp_path).model == tmp_path / "network.onnx"
    assert with_model.files == {"network.onnx": tmp_path / "m.onnx"}
    assert RecipeWords.of(None, None) is None and RecipeWords.of(None, None, model=tmp_path).name == "network"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("words", "problems"),
    [
        (RecipeWords("colours"), 1),
        (RecipeWords("network"), 1),
        (RecipeWords("colour", model=Path("a")), 1),
        (RecipeWords("texture", ("a=b",), "layer", Path("a"), Path("b")), 4),
        (RecipeWords("colour+lbp"), 1),
        (RecipeWords("colour", codebook=Path("b")), 1),
    ],
)
def test_what_does_not_fit_is_said_at_once(words: RecipeWords, problems: int):
    with pytest.raises(ParameterError) as caught:
        recipe_of(words)
    assert len(caught.value.problems) == problems


def test_spreads_are_constants_of_the_recipe():
    recipe = colour_and_texture()
    fusion = recipe.fusion({"colour": 512, "texture": 256, "patches": 4096})
    assert [part.spread for part in fusion.parts] == [0.1705, 0.0426, 0.1397]
    assert part_of(HOG()).spread == 1.0
    with pytest.raises(ParameterError, match="nothing is fitted"):
        type(recipe)("s", {"s": type(part_of(HOG()))(HOG(), Similarity.STANDARDISED)}).fusion({"s": 4})


def test_conditions_have_the_types_of_their_columns():
    columns = {"year": "int", "share": "float", "ward": "str", "open": "bool"}
    found = conditions(["year >= 2024", "share<0.5", "ward=='a b'", "open=yes", "id!=x>=y", 'ward=""'], columns)
    assert [each.value for each in found] == [2024, 0.5, "a b", True, "x>=y", ""]
    assert [each.relation for each in found][:3] == [Relation.AT_LEAST, Relation.LESS, Relation.EQUAL]
    with pytest.raises(ParameterError) as caught:
        conditions(["year=2024.5", "open=perhaps", "nothing", "none=1", "share=a"], columns)
    assert len(caught.value.problems) == 5


def test_columns_of_a_file(tmp_path: Path):
    path = tmp_path / "m.csv"
    path.write_text("path,year,share,code,open,note\na.png,2024,0.5,007,true,x\nb.png,,1,08,false,\n", "utf-8")
    paths = [str(tmp_path / name) for name in ("b.png", "a.png", "c.png")]
    found = MetadataFile.read(path).of(paths, {})
    assert found == {
        "year": (None, 2024, None), "share": (1.0, 0.5, None), "code": ("08", "007", None),
        "open": (False, True, None), "note": (None, "x", None),
    }  # fmt: skip
    assert MetadataFile.read(path).of(paths, {"year": "float"})["year"] == (None, 2024.0, None)
    with pytest.raises(ParameterError, match="type int"):
        MetadataFile.read(path).of(paths, {"note": "int"})
    for text, said in (
        ("year\n1\n", "column path"),
        ("path\na.png\n", "column path and others"),
        ("path,a,a\na.png,1,2\n", "names of their own"),
        ("path,a\n,1\na.png,1\na.png,2\n", "no path"),
    ):
        path.write_text(text)
        with pytest.raises(ParameterError, match=said):
            MetadataFile.read(path)

from __future__ import annotations

import json
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.main import get_command
from typer.testing import CliRunner

from privis.choose.job_description import ENTRIES
from privis.choose.precedents import precedents
from privis.cli.choose import choose_command, choose_options
from privis.cli.choose.choose_words import job_from, unit_named, vocabulary
from privis.cli.main import app
from privis.errors import ParameterError
from privis.privacy import Dataset, PersonDay, WholeImage


def run(*words: str, code: int = 0) -> str:
    found = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert found.exit_code == code, found.output
    return found.stdout


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for label in ("dark", "light"):
        (tmp_path / "known" / label).mkdir(parents=True)
        for number in range(6):
            pixels = random.integers(0, 128, (32, 32, 3)) + 127 * (label == "light")
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "known" / label / f"{number}.png")
    return tmp_path


def chosen(folder: Path, *words: str, code: int = 0) -> dict:
    images = ("--images", str(folder / "known" / "*" / "*"), "--output", str(folder))
    return json.loads(run("choose", *images, *words, "--no-probe", "--json", code=code))


def typed(line: str) -> None:
    for command in line.split(" && "):
        _, *words = shlex.split(command)
        run(*words, *(("--workers", "1") if words[0] in ("extract", "classify") else ()))  # started in no other process


JOBS = {
    "privunit": ("--task", "extract", "--features", "hog:size=32x32", "--hide", "person", "--epsilon", "20",
                 "--result", "rows"),
    "mean": ("--task", "extract", "--features", "colour", "--hide", "person", "--error", "20%"),
    "mean of a dataset": ("--task", "extract", "--features", "lbp:patterns=uniform,density=yes", "--epsilon", "2",
                          "--unit", "dataset"),
    "pixels": ("--task", "extract", "--features", "lbp:patterns=uniform", "--epsilon", "9", "--unit", "pixels:4"),
    "clear": ("--task", "extract", "--features", "lbp"),
}  # fmt: skip


SMALL = "lbp:patterns=uniform,density=yes,size=32x32"
SHORT = ("privunit", "mean")


@pytest.mark.parametrize(
    "words",
    [pytest.param(words, marks=[] if name in SHORT else pytest.mark.long, id=name) for name, words in JOBS.items()],
)
def test_recommended_commands_run(pictures: Path, words: tuple[str, ...]) -> None:
    found = chosen(pictures, *words)["recommended"]
    typed(found["command"])
    table = shlex.split(found["command"])[-1]
    assert (Path(table).is_file()) and (found["epsilon"] is None) == (
        "--epsilon" not in words and "--error" not in words
    )


def test_a_recommended_classifier_is_trained_and_asked(pictures: Path) -> None:
    words = (
        "--task",
        "classify",
        "--labelled",
        str(pictures / "known"),
        "--features",
        "lbp:patterns=uniform,density=yes,size=32x32",
    )
    found = chosen(pictures, *words)["recommended"]
    for line in (*found["before"], found["command"]):
        typed(line)
    assert (pictures / "classes.csv").read_text().count("\n") == 13


@pytest.mark.long
def test_a_hidden_classifier_runs(pictures: Path) -> None:
    roles = ("--owner", "a", "--model-owner", "b", "--computes", "b", "--hide", "pixels,features,model")
    words = (
        "--task",
        "classify",
        "--labelled",
        str(pictures / "known"),
        "--features",
        SMALL,
        *roles,
        "--operators",
        "3",
    )
    found = chosen(pictures, *words)["recommended"]
    assert found["under"] in ("aby3", "cheetah", "ckks")
    for line in (*found["before"], found["command"]):
        typed(line)


def test_a_job_file_and_options_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "job.toml"
    path.write_text('task = "extract"\nfeatures = ["lbp"]\nimages = { path = "in", number = 5, size = "32x32" }\n')
    found = json.loads(run("choose", "--job", str(path), "--features", "colour", "--no-probe", "--json"))
    assert found["recommended"]["feature"] == "colour" and "alternatives" in found
    told = run("choose", "--job", str(path), "--no-probe")
    assert "privis extract in -f lbp" in told and "excluded" in told


def test_all_problems_of_a_job_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "job.toml"
    path.write_text('task = "paint"\ncolour = "red"\nimages = { number = 0, path = "in" }\n')
    found = CliRunner().invoke(app, ["choose", "--job", str(path)])
    assert found.exit_code == 2
    for word in ("paint", "colour", "images.number", "images.size"):
        assert word in found.output


def test_nothing_admissible_leaves_with_no(tmp_path: Path) -> None:
    words = ("--task", "detect", "--number", "2", "--size", "64x64", "--hide", "person", "--epsilon", "1")
    assert chosen(tmp_path, *words, code=8)["recommended"] is None


def test_precedents() -> None:
    found = json.loads(run("choose", "--precedents", "--json"))
    assert found["commit"] == precedents().commit and len(found["deployments"]) == 41
    told = run("choose", "--precedents", "--sector", "finance")
    assert "Nationwide" in told and "2026-07-15" in told
    assert CliRunner().invoke(app, ["choose", "--precedents", "--sector", "fishing"]).exit_code == 2


def test_an_error_is_solved_for() -> None:
    found = json.loads(run("choose", "--error", "5%", "--of", "count", "--people", "400", "--json"))
    assert found["epsilon"] == pytest.approx(0.1, rel=0.01) and found["error"] <= 0.05
    assert "epsilon" in run(
        "choose", "--error", "5%", "--of", "mean", "--people", "400", "--components", "64", "--delta", "1e-6"
    )
    wrong = CliRunner().invoke(app, ["choose", "--error", "5", "--of", "sum"])
    assert wrong.exit_code == 2 and all(word in wrong.output for word in ("--of", "--people", "--error"))


def test_questions_are_asked_until_they_are_answered() -> None:
    answers = {"What is to be done": "extract", "File, folder": "in", "HEIGHT": "32x32", "How many images": "7"}
    asked: list[str] = []

    def ask(question: str) -> str:
        asked.append(question)
        if question.startswith("How many") and not any("is none" in one for one in asked):
            return "many"
        if "is none" in question:
            return "7"
        return next((answer for start, answer in answers.items() if question.startswith(start)), "")

    job = job_from(None, {"roles.images": "clinic"}, ask)
    assert (job.number, job.owner) == (7, "clinic")
    assert not any("known picture" in question or "owns the images" in question for question in asked)


def test_images_that_are_there_are_counted_and_measured(pictures: Path) -> None:
    job = job_from(None, {"task": "extract", "images.path": str(pictures / "known")}, None)
    assert (job.number, job.size) == (12, (32, 32))
    with pytest.raises(ParameterError, match=r"images\.number"):
        job_from(None, {"task": "extract", "images.path": str(pictures / "nowhere")}, None)


def test_every_entry_of_a_job_is_an_option() -> None:
    named = {parameter.name for parameter in get_command(app).commands["choose"].params}  # type: ignore[attr-defined]
    assert {entry.option.removeprefix("--").replace("-", "_") for entry in ENTRIES} <= named
    assert Path(choose_options.__file__).name == "choose_options.py" and callable(choose_command.choose)


def test_units_by_name() -> None:
    assert unit_named("dataset") == Dataset() and unit_named("image") == WholeImage()
    assert unit_named("person-day:4") == PersonDay(4)
    assert vocabulary().unit("dataset") == Dataset()

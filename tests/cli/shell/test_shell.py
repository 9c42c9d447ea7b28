"""What every command does alike: an option that is no list is given once, help and version have short names.

Answers for `privis.cli.shell.once` and `privis.cli.shell.completion`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from privis.cli.main import app
from privis.cli.parsing import FEATURES
from privis.cli.shell import completion
from privis.features.lbp import Patterns
from privis.version import VERSION


def commands(command: Any = None, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command of the program with the words that name it, groups included."""
    command = command or typer.main.get_command(app)
    yield words, command
    for name, sub in getattr(command, "commands", {}).items():
        yield from commands(sub, (*words, name))


OPTIONS = [
    pytest.param(words, option, id=" ".join((*words, max(option.opts, key=len))))
    for words, command in commands()
    for option in command.params
    if option.param_type_name == "option" and not option.is_eager
]


def typed(*words: str) -> Any:
    return CliRunner().invoke(app, [*map(str, words)])


def spellings(option: Any) -> list[str]:
    return [*option.opts, *option.secondary_opts]


@pytest.mark.parametrize(("words", "option"), OPTIONS)
def test_an_option_that_is_no_list_is_given_once(words, option):
    names = spellings(option)
    for first, second in {(names[0], names[0]), (names[0], names[-1]), (names[-1], names[0])}:
        given = [first, second] if option.is_flag else [first, "1", second, "2"]
        done = typed(*words, *given)
        said = " ".join(done.output.replace("│", " ").split())
        assert done.exit_code == 2
        assert ("twice, expected it once" in said) is not option.multiple, done.output
        if not option.multiple:
            assert max(option.opts, key=len) in said


def test_there_are_options_to_walk_over():
    """The walk reaches groups in groups, lists and flags; with no list at all the test above would say little."""
    lists = [option for words, option in (each.values for each in OPTIONS) if option.multiple]
    assert len(OPTIONS) > 100 and len(lists) > 8
    assert ("mpc", "run") in dict(commands()) and ("ledger", "show") in dict(commands())


def test_a_value_in_one_word_counts_as_given():
    done = typed("ledger", "init", "x", "--epsilon=1", "--epsilon", "2", "--delta", "1e-6")
    assert done.exit_code == 2 and "--epsilon twice" in done.output


def test_a_parameter_of_a_feature_is_given_once(tmp_path):
    done = typed("explain", "-f", "colour", "-p", "bins=4", "-p", "bins=8")
    assert done.exit_code == 2 and "-p bins: got 2 values, expected one" in done.stderr


@pytest.mark.parametrize("words", [words for words, _ in commands()], ids=" ".join)
def test_help_has_a_short_name_and_a_command(words):
    for asked in ((*words, "-h"), (*words, "--help"), ("help", *words)):
        done = typed(*asked)
        assert done.exit_code == 0 and "Usage" in done.output, asked


def test_an_unknown_command_has_no_help():
    assert typed("help", "extrakt").exit_code == 2


def test_the_version_has_a_short_name():
    assert typed("-V").output.strip() == typed("--version").output.strip() == VERSION


def completed(*words: str) -> list[str]:
    line = " ".join(("privis", *words))
    place = {"_PRIVIS_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words))}
    command = [sys.executable, "-m", "privis"]
    done = subprocess.run(command, env={**os.environ, **place}, capture_output=True, text=True, timeout=120)
    return done.stdout.split()


def test_a_shell_completes_features_and_their_parameters():
    assert completed("extract", "-f", "ho") == ["hog", "hog-opencv"]
    patterns = [f"patterns={each.value}" for each in Patterns]
    assert completed("explain", "-f", "lbp", "-p", "pat") == patterns
    assert completed("extract", "x", "--under", "c") == ["clear", "cheetah", "ckks"]
    assert completed("extract", "x", "--release", "ga") == ["gaussian"]


def test_completions_fit_what_was_typed_before():
    typed_before = SimpleNamespace(params={"feature": ["lbp", "colour"]})
    words = completion.parameters(typed_before, "lbp.pat")
    assert words and all(word.startswith("lbp.patterns=") for word in words)
    assert [name for name, _ in completion.features("")] == list(FEATURES)

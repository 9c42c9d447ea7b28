"""Every benchmark is started as ``python -m benchmarks.NAME``, whichever folder its module lies in."""

import importlib.util
import re
from pathlib import Path

import benchmarks
from benchmarks.__main__ import BENCHMARKS
from benchmarks.commands import COMMANDS

ROOT = Path(__file__).resolve().parents[2]


def runs(name: str) -> Path:
    """The file that ``python -m benchmarks.NAME`` runs."""
    found = importlib.util.find_spec(f"{benchmarks.__name__}.{name}")
    assert found is not None and found.origin is not None, name
    if found.submodule_search_locations is None:
        return Path(found.origin)
    return runs(f"{name}.__main__")


def test_every_command_runs_a_module_that_does_something():
    pages = [*(ROOT / "docs").glob("*.md"), *(ROOT / "src").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py")]
    named = {
        name for page in pages for name in re.findall(r"python -m benchmarks\.([a-z]\w*)", page.read_text("utf-8"))
    }
    assert {"extraction", "he", "he_plans", "mpc", "utility"} < named, "the control: documented commands"
    for name in {*COMMANDS, *named, *(name for name, _, _ in BENCHMARKS)}:
        assert 'if __name__ == "__main__":' in runs(name).read_text(encoding="utf-8"), name


def test_what_is_no_command_is_not_found():
    assert importlib.util.find_spec("benchmarks.other") is None

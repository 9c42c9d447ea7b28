"""What the command loads before it knows what it is asked for.

Answers for `privis.cli.main`, `privis.cli.about.demonstration`, `privis.cli.about.explain_release`,
`privis.cli.about.feature_list`, `privis.cli.about.help_words` and `privis.cli.about.machine_check`.
"""

import subprocess
import sys

import pytest

from privis.cli.main import COMMANDS
from privis.cli.shell.command_table import CommandTable

HEAVY = {"cv2", "numba", "scipy", "sklearn", "pandas", "pyarrow", "PIL", "onnx", "onnxruntime", "tenseal", "jax"}


def test_the_command_starts_without_the_libraries_that_only_some_of_its_work_needs():
    code = "import sys, privis.cli.main; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & HEAVY == set()


def test_a_command_starts_without_the_others():
    loaded = "print(*sorted(name for name in sys.modules if name.startswith('privis.')))"
    code = f"import sys; from privis.cli.main import COMMANDS; {loaded}; COMMANDS['search'].command('search'); {loaded}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    first, second = (set(line.split()) for line in done.stdout.splitlines())
    assert "privis.features" not in first and "privis.cli.search.search_group" not in first
    assert "privis.cli.search.search_group" in second
    assert not {"privis.cli.attack", "privis.cli.joint", "privis.cli.video", "privis.serve"} & second


def test_every_command_is_in_its_place():
    for name, place in COMMANDS.items():
        command = place.command(name)
        assert command.name == name and (command.help or command.callback)


def test_a_table_of_commands_is_a_mapping():
    table = CommandTable({"info": COMMANDS["info"]})
    assert list(table) == ["info"] and "info" in table and len(table) == 1 and "other" not in table
    table["other"] = table["info"]
    assert list(table) == ["info", "other"] and table.get("third") is None
    del table["info"]
    assert list(table) == ["other"]
    with pytest.raises(KeyError):
        del table["info"]

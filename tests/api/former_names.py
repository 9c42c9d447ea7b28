"""privis.former_names: what earlier versions called it is importable for one version more."""

import importlib
import importlib.util
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from privis.former_names import former_names
from privis.former_table import MOVED, RENAMED

FORMER = dict(line.split(": ") for line in (Path(__file__).parent / "former_names.txt").read_text().splitlines())
"""Names that every module defined before modules moved into packages, of those that are not where they were."""

NOT_HERE = {"privis.run.he.openfhe", "privis.run.he.openfhe_secret"}  # its wheel does not import on this interpreter
HIDDEN = {"privis.run.mpc.lowering.lower"}  # the name of a module of that package now, not of its function


def present(module: str, name: str) -> object:
    """Give the object that has this former name, from where it is defined now."""
    short = module.removeprefix("privis.")
    homes = MOVED[short].split()
    for new_name in (RENAMED.get(short, {}).get(name, name), name):
        for found in (vars(importlib.import_module(f"privis.{home}")) for home in homes):
            if new_name in found:
                return found[new_name]
    raise AssertionError(f"{module}.{name} is in none of {homes}: add its new name to RENAMED in privis.former_table")


@pytest.mark.parametrize("module", sorted(set(FORMER) - NOT_HERE))
def test_every_former_name_is_the_same_object_with_a_warning(module):
    former = importlib.import_module(module)
    for name in FORMER[module].split():
        if f"{module}.{name}" in HIDDEN:
            continue
        expected = present(module, name)
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            assert getattr(former, name) is expected, name
        if name not in vars(former).get("__all__", ()):  # what a package of that name exports is no former name
            assert [warning.category for warning in heard] == [DeprecationWarning], name
            assert heard[0].filename == __file__, name


def test_a_former_module_leaves_a_function_of_its_name_callable():
    from privis import readings
    from privis.program import Input, trace

    program = trace(lambda x: x * 2.0, Input((2,)))
    counted = readings.cost(program)
    importlib.import_module("privis.readings.cost")
    assert readings.cost(program) == counted


def test_a_former_name_of_a_module_that_stayed():
    with pytest.warns(DeprecationWarning, match="RingRequirement"):
        from privis.run.mpc.fixed_point import Demand
    assert Demand.__name__ == "RingRequirement"
    with pytest.warns(DeprecationWarning, match="JointCodebook"):
        from privis.joint.statistics import Codebook
    assert Codebook.__name__ == "JointCodebook"


def test_a_module_of_a_package_is_no_former_name_of_it():
    code = "from privis.joint.training import network_programs; print(network_programs.__name__)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["privis.joint.training.network_programs"]


def test_unknown_names_are_unknown():
    for module in ("privis.nothing_of_the_kind", "privis.run.nothing_of_the_kind"):
        with pytest.raises(ModuleNotFoundError):
            importlib.import_module(module)
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        importlib.import_module("privis.plan").nothing_of_the_kind  # noqa: B018
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        former_names("privis.privacy.ledger")("nothing_of_the_kind")
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        importlib.import_module("privis.joint.statistics").nothing_of_the_kind  # noqa: B018


def test_pickles_of_earlier_versions_load():
    stored = b"cprivis.features.lbp\nLBP\n."
    assert pickle.loads(stored.replace(b"lbp", b"sift").replace(b"LBP", b"SIFT")).__name__ == "SIFT"


def test_a_former_module_leads_to_modules_that_are_there():
    for homes in MOVED.values():
        for home in homes.split():
            assert importlib.util.find_spec(f"privis.{home}") is not None, home

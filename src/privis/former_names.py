"""Names of earlier versions, importable for one version more with a DeprecationWarning.

A module that moved is found by a finder, last in ``sys.meta_path``: it is asked for what nothing else finds, and knows
the modules of one table. Where a former module's name is a package today, or the module is there and a name left it,
that module's ``__getattr__`` asks the same table.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from privis.former_table import MOVED, RENAMED

if TYPE_CHECKING:  # the import takes as long as all that `import privis` does
    from importlib.abc import Loader

PACKAGE = "privis."


def former_names(module: str, present: Callable[[str], Any] | None = None) -> Callable[[str], Any]:
    """Give the ``__getattr__`` of ``module``: its present lazy names, then its former names.

    Args:
        module: full name of the module that the names are asked of.
        present: the module's own lazy ``__getattr__``, asked first.

    >>> from privis.privacy.releases.histogram import HistogramRelease
    >>> former_names("privis.privacy.counts")("HistogramRelease") is HistogramRelease
    True
    """

    def attribute(name: str) -> Any:
        none = name.startswith("__") or _is_submodule(module, name)
        homes = [] if none else _homes(module.removeprefix(PACKAGE), name)
        if present is not None:
            try:
                return present(name)
            except AttributeError:
                if not homes:
                    raise
        for home, new_name in homes:
            found = vars(importlib.import_module(PACKAGE + home))
            if new_name in found:
                message = (
                    f"{module}.{name} is {PACKAGE}{home}.{new_name} now; the former name ends with the next version"
                )
                warnings.warn(message, DeprecationWarning, stacklevel=2)
                return found[new_name]
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return attribute


def install() -> None:
    """Have former modules found, once per process."""
    if _FormerModules not in sys.meta_path:
        sys.meta_path.append(_FormerModules)


def _homes(module: str, name: str) -> list[tuple[str, str]]:
    homes, renamed = MOVED.get(module, "").split(), RENAMED.get(module, {}).get(name)
    return [(home, new_name) for new_name in (renamed, name) if new_name is not None for home in homes]


def _is_submodule(module: str, name: str) -> bool:
    """Whether a package is asked for a module of its own that is not imported yet: homes may import that themselves."""
    places = vars(sys.modules.get(module, sys)).get("__path__")
    return places is not None and PathFinder.find_spec(f"{module}.{name}", places) is not None


class _FormerModules:
    """Finds modules of earlier versions: empty ones, whose names are looked up where they are now."""

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Give the spec of a former module of Privis; None for every other."""
        if not fullname.startswith(PACKAGE) or fullname.removeprefix(PACKAGE) not in MOVED:
            return None
        return ModuleSpec(fullname, cast("Loader", cls()), is_package=True)  # as some were

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """Make a module that can be called where its package has a function of that name; leave all others alone."""
        package, _, name = spec.name.rpartition(".")
        function = vars(sys.modules[package]).get(name)
        if not callable(function) or isinstance(function, ModuleType):
            return None
        return type("CallableModule", (ModuleType,), {"__call__": staticmethod(function)})(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Let the empty module look its names up."""
        setattr(module, "__getattr__", former_names(module.__name__))  # noqa: B010 (no attribute that types know)

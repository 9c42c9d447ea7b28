"""An entry of the registry as YAML, in the form that the registry's own checks ask for.

They refuse folded text, and a file whose name has other signs than small letters, digits and underscores.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from privis.cards.registry.entry_schema import PINNED, REPOSITORY
from privis.extras import optional_import

_NAME = re.compile(r"[a-z0-9_]+\.yaml")


def entry_bytes(entry: Mapping[str, Any]) -> bytes:
    """Write an entry.

    Args:
        entry: by the names of the registry.

    Returns:
        YAML in UTF-8; several lines of text stand as they are.

    Raises:
        MissingExtraError: PyYAML is not installed.
    """
    with optional_import("registry", "an entry of the registry"):
        import yaml

    class Dumper(yaml.SafeDumper):
        pass

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        style = "|" if "\n" in value else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    # at the end: the registry's own script finds the slug in the first line only
    said = f"# Fields of {REPOSITORY} at {PINNED}, written by privis card --format dp-registry.\n"
    written = yaml.dump(entry, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=float("inf"), indent=2)
    return (written + said).encode()


def name_fits(path: Path) -> bool:
    """Whether the registry takes a file of this name.

    Args:
        path: of the file.

    Returns:
        Whether it does.

    >>> name_fits(Path("ward_7_gait_2026.yaml")), name_fits(Path("Ward 7.yml"))
    (True, False)
    """
    return _NAME.fullmatch(path.name) is not None

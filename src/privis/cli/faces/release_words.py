"""From words to a release of stored templates."""

from __future__ import annotations

from pathlib import Path

from privis.errors import ParameterError, Problem
from privis.estimators.faces.template_protection import TemplateRelease


def release_named(
    name: str | None, epsilon: float | None, key: Path | None, ledger: Path | None
) -> TemplateRelease | None:
    """How stored templates are released; None: exactly; else ParameterError."""
    if name is None:
        given = {"--epsilon": epsilon, "--key": key, "--ledger": ledger}
        extra = [option for option, value in given.items() if value is not None]
        if extra:
            raise ParameterError(Problem(" ".join(extra), "no --release", "--release, which it is for"))
        return None
    raise ParameterError(Problem("--release", repr(name), "nothing: templates are exact"))

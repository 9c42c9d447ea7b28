"""From the path of a key to a renewable transform."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from privis.estimators.faces.template_protection import TemplateTransform


def transform_at(path: Path | None) -> TemplateTransform | None:
    """What templates go through; None: nothing."""
    if path is None:
        return None
    from privis.estimators.faces.renewable_templates import RenewableTemplates
    from privis.privacy.renewable.template_key import TemplateKey

    return RenewableTemplates(TemplateKey.load(path))

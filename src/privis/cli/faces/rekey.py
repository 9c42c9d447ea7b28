"""``privis face rekey``: a gallery that leaked is put under another key, from what is stored."""

from __future__ import annotations

import json
import os
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from privis.cli.console import explained
from privis.cli.faces.face_options import AsJson, GalleryFile
from privis.errors import ParameterError, Problem

if TYPE_CHECKING:
    from privis.privacy.renewable.template_key import TemplateKey

OldKey = Annotated[
    Path | None, typer.Option("--template-key", help="Key that the gallery is under; left out, it is under none yet.")
]
NewKey = Annotated[
    Path, typer.Option("--new-key", help="Key that it will be under; the file is made if it is not there.")
]
WITH_THE_OLD_KEY = (
    "whoever has the earlier key turns every copy of the earlier file back into templates: destroy that key"
)
WITHOUT_A_KEY = "copies of the earlier file hold templates as the network made them"
ANGLES = "whoever has both files, and no key, sees that they hold the same people, by the angles between templates"


def rekey(gallery: GalleryFile, new_key: NewKey, template_key: OldKey = None, as_json: AsJson = False) -> None:
    """Put a gallery under another key without new photographs, and print a receipt as JSON.

    The file is replaced as a whole: a kill leaves the earlier one, under the earlier key, or the new one, under the new
    key; the same command again finishes it. No key is deleted.

    privis face rekey gate --template-key gate.key --new-key gate-2.key
    """
    with explained():
        from privis.estimators.faces.renewable_templates import rekeyed
        from privis.io.atomic import check_writable
        from privis.io.face_gallery import FaceGallery
        from privis.io.gallery_writer import changing
        from privis.privacy.renewable.template_key import TemplateKey

        before = FaceGallery.load(gallery)
        old = None if template_key is None else TemplateKey.load(template_key)
        made = not os.path.lexists(new_key)
        if made:
            check_writable(new_key)
        new = TemplateKey.generate() if made else TemplateKey.load(new_key)
        _require_another(old, new, new_key)
        rekeyed(before, old, new, str(gallery))  # what does not fit is said before a key is made
        if made:
            new.save(new_key)  # on the disk before the gallery that needs it
        with changing(gallery) as file:
            held = file.read()
            if held is None:
                raise ParameterError(Problem(str(gallery), "no such file", "the gallery", "it was removed meanwhile"))
            after = rekeyed(held, old, new, str(gallery))
            if after is not held:
                file.write(after)
            left = FaceGallery.load(file.path)
        assert left.protection is not None
        receipt = {
            "status": "unchanged" if after is held else "rekeyed", "people": len(left.people),
            "date": date.today().isoformat(), "gallery": str(gallery), "scheme": left.protection.scheme,
            "from_key": None if old is None else old.fingerprint, "to_key": left.protection.key,
            "key_file": str(new_key), "key_made": made,
            "remains": [WITHOUT_A_KEY if old is None else WITH_THE_OLD_KEY, ANGLES],
        }  # fmt: skip
        print(json.dumps(receipt, ensure_ascii=False))


def _require_another(old: TemplateKey | None, new: TemplateKey, path: Path) -> None:
    if old is not None and old.fingerprint == new.fingerprint:
        remedy = "name a file that is not there: a key is made in it"
        raise ParameterError(Problem("--new-key", f"{path}, the key that the gallery is under", "another one", remedy))

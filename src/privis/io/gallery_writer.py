"""Changes of a gallery's file: one writer at a time, whole or not at all.

A change writes a new file and renames it, under a lock; what was removed is in no byte of it. Copies, snapshots and the
blocks of a disk that freed them are out of its reach.
"""

from __future__ import annotations

import contextlib
import glob
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from privis.io.atomic import check_writable, replacing
from privis.io.face_gallery import FaceGallery
from privis.io.writer_lock import WAIT_SECONDS, one_writer


@dataclass
class GalleryFile:
    """A gallery's file while this process alone may write it.

    Args:
        path: of the file.
    """

    path: Path

    def read(self) -> FaceGallery | None:
        """Read what is there.

        Returns:
            The gallery; None where there is no file yet.

        Raises:
            ParameterError: the file is damaged, or something else.
        """
        return FaceGallery.load(self.path) if os.path.lexists(self.path) else None

    def write(self, gallery: FaceGallery) -> None:
        """Put ``gallery`` in the place of what is there; what earlier writers left when they were killed goes, too.

        Args:
            gallery: the new content.

        Raises:
            OutputError: it cannot be written; the earlier file is untouched.
        """
        for left in glob.glob(f"{glob.escape(str(self.path.parent / ('.' + self.path.name)))}.*.unfinished"):
            with contextlib.suppress(OSError):
                os.unlink(left)
        with replacing(self.path) as temporary:
            temporary.touch(mode=0o600)
            temporary.write_bytes(gallery.to_bytes())


@contextlib.contextmanager
def changing(path: str | Path, wait: float = WAIT_SECONDS) -> Iterator[GalleryFile]:
    """Hold the gallery at ``path`` for a change: others wait until it is done.

    Args:
        path: of the file, which need not be there.
        wait: seconds after which a waiting writer gives up.

    Yields:
        The file.

    Raises:
        OutputError: it cannot be written, or another writer holds it for longer.
    """
    place = Path(os.path.realpath(path))  # a link stays one, and two names of a file have one lock
    check_writable(place)
    with one_writer(place.parent, wait, str(path)):
        yield GalleryFile(place)

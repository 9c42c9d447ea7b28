"""What the tests of folder runs share: pictures on the disk, and what a run has left there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from privis.io.resumable.run import FolderJob


def pictures(folder: Path, count: int, size: tuple[int, int] = (8, 8)) -> list[str]:
    folder.mkdir(exist_ok=True)
    generator = np.random.default_rng(3)
    contents: list[bytes] = []
    paths = [folder / f"{index:05}.png" for index in range(count)]
    for index, path in enumerate(paths):
        if index < 10:
            Image.fromarray(generator.integers(0, 256, (*size, 3), dtype=np.uint8)).save(path)
            contents.append(path.read_bytes())
        else:
            path.write_bytes(contents[index % 10])
    return list(map(str, paths))


def left(job: FolderJob) -> set[str]:
    return {path.name for path in job.output.parent.iterdir()} - {"in"}

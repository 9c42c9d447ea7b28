"""A folder of images to a Parquet table, and the table back again."""

import json
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from privis import HOG, extract_folder
from privis.io.images.sources import find
from privis.io.tables import read


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for index in range(4):
            wave = 127 + 120 * np.sin(np.arange(96) / (2 + index))
            Image.fromarray(np.tile(wave, (80, 1)).astype(np.uint8)).save(folder / f"wave{index}.png")
        (folder / "broken.png").write_bytes(b"no image")

        result = extract_folder(HOG(size=(64, 64)), find([str(folder)]), folder / "hog.parquet")
        assert [Path(failure.path).name for failure in result.outcome.failures] == ["broken.png"]

        table = read(folder / "hog.parquet")
        assert table.features.shape == (4, 2916)
        assert json.loads(table.metadata["privis.card"])["feature"]["name"] == "hog"


if __name__ == "__main__":
    main()

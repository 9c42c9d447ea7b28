"""A feature as a column of a Daft frame: noise that is equal in two columns and charged once, and a card beside it."""

import io
import os
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

os.environ["DO_NOT_TRACK"] = "1"  # before Daft is imported
import daft

import privis


def picture(number: int) -> bytes:
    file = io.BytesIO()
    wave = 127 + 120 * np.sin(np.arange(96) / (2 + number))
    Image.fromarray(np.tile(wave, (80, 1)).astype(np.uint8)).save(file, "PNG")
    return file.getvalue()


def main() -> None:
    feature, release = privis.LBP(size=(64, 64)), privis.FeatureRelease(privis.Laplace(1.0), clip=4096.0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        privis.ReleaseKey.generate().save(folder / "release.key")
        ledger = privis.FileLedger.create(folder / "ledger", privis.Budget(1.0, 1e-6))
        frame = daft.from_pydict({"id": ["a", "b", "c"], "bytes": [picture(0), picture(1), b"no image"]})
        made = privis.on_daft(
            frame["bytes"], feature, record=frame["id"],
            release=release, ledger=ledger, key=folder / "release.key", concurrency=1,
        )  # fmt: skip
        rows = frame.select(frame["id"], made.alias("made"), made.alias("again")).to_pylist()
        assert rows[0]["made"] == rows[0]["again"], "evaluated twice, equal"
        assert rows[2]["made"]["error"].startswith("got bytes of no known image format")
        assert len(list(ledger.charges())) == 2, "each image once"
        card = privis.pipeline_card(feature, images=2, release=release)
        (folder / "vectors.card.json").write_text(card.to_json())
        print(card.guarantee)


if __name__ == "__main__":
    main()

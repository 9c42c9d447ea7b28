"""A feature as a step of Ray Data: files in, vectors and errors out, whatever worker computes them."""

import os
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
import ray

import privis


def main() -> None:
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "photos")
        folder.mkdir()
        for index in range(4):
            wave = 127 + 120 * np.sin(np.arange(96) / (2 + index))
            Image.fromarray(np.tile(wave, (80, 1)).astype(np.uint8)).save(folder / f"wave{index}.png")
        (folder / "broken.png").write_bytes(b"no image")

        photos = ray.data.read_binary_files(str(folder), include_paths=True)
        made = privis.on_ray(photos, privis.LBP(size=(64, 64)), record="path").materialize()
        errors = {Path(row["path"]).name: row["error"] for row in made.iter_rows()}
        assert [name for name, error in errors.items() if error] == ["broken.png"]
        card = privis.pipeline_card(privis.LBP(size=(64, 64)), images=4)
        made.write_parquet(str(Path(name, "vectors")))
        Path(name, "vectors.card.json").write_text(card.to_json())
    ray.shutdown()


if __name__ == "__main__":
    main()

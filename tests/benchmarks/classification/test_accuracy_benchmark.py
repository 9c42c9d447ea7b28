"""The benchmark of classification runs on a few images, so that it cannot rot."""

from pathlib import Path

from benchmarks.classification import accuracy


def test_a_few_images(shared: Path, tmp_path: Path):
    found = accuracy.chest(shared, divisor=10, folds=3)
    assert found["images"] == 18 and 0.4 < found["accuracy"] <= 1
    assert "bar 78 %" in accuracy.line("chest", found, 78)
    archive = shared / "medical" / "medical_mnist" / "medical_mnist_test_1200.zip"
    place = accuracy.unpacked(archive, tmp_path, divisor=200)
    assert sorted(path.parent.name for path in place.rglob("*.jpeg")) == [
        "AbdomenCT", "BreastMRI", "CXR", "ChestCT", "Hand", "HeadCT"
    ]  # fmt: skip

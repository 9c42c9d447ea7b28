"""The classic convolutional network, trained on digits so that none of them can be found in it.

32 filters of 3 x 3, pooling, 128 hidden units, Adam, every image's gradient clipped to length 1: DP-SGD with an epsilon
that is chosen, and the noise that follows from it. The result is saved as ONNX and read as a feature.
"""

import tempfile
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn

import privis
from privis.privacy import Dataset, Gaussian, ReleaseKey
from privis.training import NetworkTraining, save_onnx, train_network, trained_numbers


def main() -> None:
    digits, classes = load_digits(return_X_y=True)  # 1,797 images of 8 x 8 pixels, 17 grey levels
    images = (digits.reshape(-1, 1, 8, 8) / 16).astype(np.float32)
    labels = classes.astype(str)

    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(1, 32, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 3 * 3, 128),
        nn.ReLU(),
        nn.Linear(128, 10),
    )
    plan = NetworkTraining(
        parameters=trained_numbers(network),
        size=1400,
        noise=Gaussian(epsilon=3.0, delta=1e-5),
        unit=Dataset(),
        sampling=0.25,
        steps=60,
        clip=1.0,
        rate=0.01,
    )
    guarantee = train_network(
        plan,
        network,
        images[:1400],
        labels[:1400],
        [str(digit) for digit in range(10)],
        corpus="digits",
        key=ReleaseKey.generate(),
        on_progress=lambda progress: print(f"\rstep {progress.done}, loss {progress.loss:.2f}", end="", flush=True),
    )
    print("\n" + guarantee.sentence)

    with tempfile.TemporaryDirectory() as folder:
        save_onnx(network, (1, 8, 8), Path(folder) / "digits.onnx")
        feature = privis.CNN.from_onnx(Path(folder) / "digits.onnx")
    tried = [np.rint(image[0] * 255).astype(np.uint8) for image in images[1400:]]
    scores = privis.extract(feature, tried).features
    right = float((scores.argmax(1) == classes[1400:]).mean())
    print(f"{100 * right:.0f} % of digits that it never saw are read right")
    assert right > 0.6


if __name__ == "__main__":
    main()

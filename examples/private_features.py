"""The same feature released under three guarantees, and what each one really says about the image."""

import numpy as np

import privis


def main() -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (64, 64), dtype=np.uint8) for _ in range(3)]
    feature = privis.LBP(privis.Patterns.UNIFORM, density=True)

    releases = {
        "any 16 pixels": privis.PixelRelease(privis.Laplace(4.0), unit=privis.Pixels(16)),
        "the image, noise on pixels": privis.PixelRelease(privis.Laplace(4.0)),
        # A density histogram adds up to 1, so 1 bounds its L1 norm without a look at any image.
        "the image, noise on the feature": privis.FeatureRelease(privis.Laplace(4.0), clip=1.0),
    }
    clear = privis.extract(feature, images).features
    whole, distance = {}, {}
    for name, release in releases.items():
        result = privis.extract(feature, images, release=release)
        whole[name] = result.guarantee.whole_image_epsilon
        distance[name] = float(np.linalg.norm(result.features - clear))

    assert whole["any 16 pixels"] == 4.0 * 64 * 64 / 16
    assert whole["the image, noise on pixels"] == whole["the image, noise on the feature"] == 4.0


if __name__ == "__main__":
    main()

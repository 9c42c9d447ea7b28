"""A feature of your own: one frozen dataclass, and every executor, release and reading works on it."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

import privis
from privis.features import grey, numbered, resize, vector
from privis.program import Input, trace
from privis.readings import cost, domain_problems, polynomialise


@dataclass(frozen=True)
class Contrast:
    """Mean squared difference between neighbouring columns, per band of rows, in squared grey levels."""

    bands: int = 4
    size: tuple[int, int] | None = (64, 64)
    name: ClassVar[str] = "contrast"
    luma_only: ClassVar[bool] = True

    def before(self, image):
        return grey(resize(image, self.size))

    def program(self, shape):
        def contrast(x):
            step = x[:, 1:] - x[:, :-1]
            squares = (step * step).reshape(self.bands, -1)
            return squares.sum(1) * (1 / squares.shape[1])

        return trace(contrast, Input(shape))

    def after(self, values):
        return vector(values)

    def names(self, shape):
        return numbered("contrast", (self.bands,))


def main() -> None:
    feature = Contrast()
    image = np.tile((np.arange(64) % 2 * 10).astype(np.uint8), (64, 1))
    np.testing.assert_allclose(privis.extract(feature, [image]).features, [[100.0] * 4], rtol=1e-6)

    program = feature.program((64, 64))
    assert domain_problems(program) == []
    assert cost(polynomialise(program).program).depth == 1  # one product; a mean is free: cheap under encryption


if __name__ == "__main__":
    main()

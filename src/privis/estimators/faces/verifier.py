"""``Verifier``: whether two pictures show one person, at a stated false-match rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from privis.errors import ImageError
from privis.estimators.faces.face_comparison import FaceComparison, Verification
from privis.extraction.images import image_record


@dataclass(frozen=True, eq=False)
class Verifier(FaceComparison):
    """Compare two pictures, one against one.

    Guarantee: two people who are drawn as those of the calibration table match with at most the stated rate, with
    confidence 95 %, for pairs that are independent; see `CalibrationTable`.

    Args:
        extractor: makes templates of pictures, at their owner.
        fmr: the false-match rate, in (0, 1); the threshold follows from it and the calibration.
        calibration: public impostor scores of the extractor's embedding; None: the table that comes with Privis.
        matcher: who compares templates.
        transform: what vectors go through before they are compared; None: nothing.
        release: how the reference's template is released; None: it is exact.

    Raises:
        ParameterError: naming everything that does not fit.
    """

    def verify(self, reference: Any, probe: Any, *, score: bool = False) -> Verification:
        """Tell whether two pictures show one person.

        Args:
            reference: the picture that is known: a path, a PIL image, a uint8 array (H, W) or (H, W, 3) RGB, or a list
                of several of one person, whose templates are averaged.
            probe: the picture that is asked about, likewise one.
            score: whether the cosine is revealed, too.

        Returns:
            The answer.

        Raises:
            ImageError: a picture cannot be read, or has no face that is good enough; of all of them.
            ParameterError: the calibration does not support the rate, or there is none.
            UnsupportedError: the executor cannot run the embedder.
        """
        known = list(reference) if isinstance(reference, list | tuple) else [reference]
        found = self.vectors([*known, probe])
        if found.refused:
            raise ImageError(*(problem for place in sorted(found.refused) for problem in found.refused[place].problems))
        rows = found.rows.astype(np.float64)
        if self.release is None:
            template = rows[:-1].mean(0)
        else:
            template = np.asarray(self.release.reference(rows[:-1], [image_record(each) for each in known]))
        return self.compared(template[None], rows[-1:], score)

"""Whether protected templates of one person under two keys can be told from those of two: the measure D_sys."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from privis.errors import ParameterError, Problem, refuse

MOST_BINS = 100
SCORES_OF_A_BIN = 10


def global_linkability(mated: npt.ArrayLike, non_mated: npt.ArrayLike) -> float:
    """Measure the unlinkability of protected templates, D_sys with equal priors, from histograms of linkage scores.

    It is 0 where scores of one person under two keys are distributed as those of two people, and 1 where no score of
    one is a score of the other. It is about these scores alone: somebody with a better linkage function may link more.
    As in the authors' program there are 100 bins, and fewer with less than 1,000 mated scores. A few scores of equal
    distributions measure somewhat more than 0.

    Reference: M. Gomez-Barrero, J. Galbally, C. Rathgeb and C. Busch, "General Framework to Evaluate Unlinkability in
    Biometric Template Protection Systems", IEEE TIFS 13(6), 2018, doi:10.1109/TIFS.2017.2788000.

    Args:
        mated: scores of two templates of one person, at least 20.
        non_mated: scores of templates of two people, at least 20.

    Returns:
        From 0 (unlinkable by these scores) to 1.

    Raises:
        ParameterError: too few scores, or some that are not finite.

    >>> global_linkability(np.linspace(0, 1, 1000), np.linspace(2, 3, 1000))
    1.0
    >>> global_linkability(np.linspace(0, 1, 1000), np.linspace(0, 1, 1000))
    0.0
    """
    one, two = np.asarray(mated, np.float64).ravel(), np.asarray(non_mated, np.float64).ravel()
    problems = []
    for name, scores in (("mated", one), ("non_mated", two)):
        if scores.size < 2 * SCORES_OF_A_BIN or not np.isfinite(scores).all():
            got = f"{scores.size} scores, {np.isfinite(scores).sum()} finite"
            problems.append(Problem(f"global_linkability.{name}", got, f"at least {2 * SCORES_OF_A_BIN}, all finite"))
    refuse(ParameterError, problems)
    bins = min(one.size // SCORES_OF_A_BIN, MOST_BINS)
    low, high = min(one.min(), two.min()), max(one.max(), two.max())
    if low == high:
        return 0.0
    shares, others = (np.histogram(scores, bins, (low, high))[0] / scores.size for scores in (one, two))
    more = shares > others
    local = (shares[more] - others[more]) / (shares[more] + others[more])  # 2 LR / (1 + LR) - 1
    return float(local @ shares[more])

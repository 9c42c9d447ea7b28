"""What a stated guarantee must say, number by number; a difference is a sentence, and none means confirmed.

A stated epsilon, delta or sensitivity is never below the calculator's, and above it by the tolerances here only. They
are wide enough for doubles, for a calibration that searches to 1e-9, and for what sampling costs.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction

import mpmath

from privis.privacy import Gaussian, Guarantee, Laplace
from tests.guarantees.calculator import Move, gaussian_charges, gaussian_profile, laplace_charge

LEAST_SCALE = 2.0**-10
"""Smallest scale of noise; an epsilon that would do with less is kept with room to spare."""

_NUMBER = r"(10\^)?([0-9][0-9,]*(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?)"


@dataclass(frozen=True)
class Expected:
    """What the words and the plain fields of a guarantee are."""

    unit: str
    number: int | None
    mechanism: str
    step: float
    step_unit: str
    norm: str
    computed_from: str = "one image"


def plain(guarantee: Guarantee, expected: Expected) -> list[str]:
    """Compare names, grid and the number in the neighbouring relation."""
    found = []
    for name in ("unit", "mechanism", "step", "step_unit", "norm", "computed_from"):
        got, wanted = getattr(guarantee, name), getattr(expected, name)
        if got != wanted:
            found.append(f"{name} is {got!r}, not {wanted!r}")
    numbers = [int(number) for number in re.findall(r"[0-9]+", guarantee.relation)]
    if expected.number is not None and numbers[:1] != [expected.number] and "the one image" not in guarantee.relation:
        found.append(f"the relation {guarantee.relation!r} is not about {expected.number}")
    return found


def additive(guarantee: Guarantee, noise: Laplace | Gaussian, unit: Move, whole: Move | None) -> list[str]:
    """Compare the numbers of noise that is added on the grid, and the budget with the one that was asked for."""
    asked = (noise.epsilon, noise.delta if isinstance(noise, Gaussian) else guarantee.delta)
    found = losses(guarantee, noise, unit, whole)
    if (guarantee.epsilon, guarantee.delta) != asked:
        found.append(f"epsilon {guarantee.epsilon} and delta {guarantee.delta} where {asked} were asked for")
    return found


def losses(guarantee: Guarantee, noise: Laplace | Gaussian, unit: Move, whole: Move | None) -> list[str]:
    """Compare the stated sensitivity, and epsilons and deltas at the stated scale."""
    found = _sensitivity(guarantee.sensitivity, unit)
    budgets = [("", unit, guarantee.epsilon, guarantee.delta)]
    if whole is not None:
        budgets.append(("whole-image ", whole, guarantee.whole_image_epsilon, guarantee.whole_image_delta))
    elif not math.isinf(guarantee.whole_image_epsilon):
        found.append("a whole-image epsilon that nothing bounds")
    check = _laplace if isinstance(noise, Laplace) else gaussian
    for name, move, epsilon, delta in budgets:
        found += [f"{name}{difference}" for difference in check(guarantee.scale, move, epsilon, delta)]
    return found


def _sensitivity(stated: float, move: Move) -> list[str]:
    if Fraction(stated) ** 2 < move.squared:
        return [f"sensitivity {stated} where two neighbours are {float(move.distance)} apart"]
    if math.isfinite(move.loose) and stated > float(move.distance) * move.loose * (1 + 1e-12):
        return [f"sensitivity {stated} where no two neighbours are more than {float(move.distance)} apart"]
    return []


def _laplace(scale: float, move: Move, epsilon: float, delta: float) -> list[str]:
    found = []
    distance = math.isqrt(int(move.squared))
    if Fraction(epsilon) * Fraction(scale) < distance:
        found.append(f"epsilon {epsilon!r} where it is {distance / scale!r}")
    loose = move.loose * distance / scale * (1 + 1e-9)
    if scale > LEAST_SCALE and math.isfinite(move.loose) and epsilon > loose:
        found.append(f"epsilon {epsilon!r} where {distance / scale!r} is true")
    charge = laplace_charge(move, scale)
    if delta < min(charge, 1) * (1 - 1e-12):  # which `VARIATION` has to spare over what tables are off by
        found.append(f"delta {delta!r} where sampling costs {mpmath.nstr(charge)}")
    with mpmath.workprec(100):
        simple = move.coordinates * mpmath.mpf(2) ** -108 * (1 + mpmath.exp(mpmath.mpf(move.largest) / scale))
    if math.isfinite(move.loose) and delta > 1.01 * simple:
        found.append(f"delta {delta!r} where {mpmath.nstr(simple)} is enough for every coordinate")
    return found


def gaussian(scale: float, move: Move, epsilon: float, delta: float, loose: float = 1.0001) -> list[str]:
    """Compare epsilon and delta of Gaussian noise; epsilon may be too large by ``loose``."""
    if not move.squared or delta >= 1:  # which says nothing
        return []
    ratio, least, charge = move.distance / scale, mpmath.inf, mpmath.mpf(0)
    for slack, more in gaussian_charges(move, scale, epsilon):
        proved = gaussian_profile(ratio, mpmath.mpf(epsilon) - slack) + more
        least, charge = min((least, charge), (proved, more))
        if least <= delta:
            break
    else:
        return [f"delta {delta!r} at epsilon {epsilon!r} where {mpmath.nstr(least, 12)} is what can be proved"]
    tight = scale > LEAST_SCALE and epsilon > 0 and move.loose == 1.0
    if tight and gaussian_profile(ratio, epsilon / loose) + 20 * charge < 0.99 * delta:
        return [f"epsilon {epsilon!r} at delta {delta!r} where less is true"]
    return []


# --- words ---


def numbers_after(words: str, text: str) -> list[float]:
    """Every number that follows ``words`` in ``text``.

    >>> numbers_after("epsilon", "(epsilon 3,136, delta 1.0e-06) and epsilon 10^13")
    [3136.0, 10000000000000.0]
    """
    found = re.findall(re.escape(words) + r" " + _NUMBER, text)
    return [10.0 ** float(number) if power else float(number.replace(",", "")) for power, number in found]


def said(what: str, words: str, text: str, true: float, loose: float) -> list[str]:
    """Compare the first number after ``words`` with what is true: never less, and more by ``loose`` only."""
    numbers = numbers_after(words, text)
    if not numbers:
        return [f"{what}: nothing follows {words!r} in {text!r}"]
    # 10^308 is the largest that a double can compare with; the exponent is checked as such.
    if numbers[0] < true or numbers[0] > max(true * loose, 5e-324):
        return [f"{what}: {numbers[0]!r} is printed for {true!r}"]
    return []


def factor(epsilon: float) -> float:
    """How many times as likely, from below."""
    return float(mpmath.exp(mpmath.mpf(min(epsilon, 700.0))) * (1 - 1e-12))


def said_factor(what: str, words: str, text: str, epsilon: float) -> list[str]:
    """Compare the printed factor exp(epsilon): three digits or a power of ten, never less."""
    found = re.search(re.escape(words) + r" " + _NUMBER, text)
    if found is None:
        return [f"{what}: no factor after {words!r} in {text!r}"]
    power, number = found.groups()
    value = float(number.replace(",", ""))
    if not power:
        return said(what, words, text, factor(epsilon), 1.0101)
    exponent = epsilon / math.log(10)
    return [] if exponent <= value <= exponent + 1 + 1e-9 else [f"{what}: 10^{value} is printed for 10^{exponent}"]


def sentence(guarantee: Guarantee) -> list[str]:
    """Compare the numbers of the sentence with those of the guarantee; clauses may be added, none may be left out."""
    text, metric = guarantee.sentence, guarantee.unit == "metric"
    if math.isinf(guarantee.epsilon):
        return [] if "No differential privacy" in text else [f"an infinite epsilon in {text!r}"]
    found = [] if guarantee.relation in text else [f"the relation is not in {text!r}"]
    found += said("delta", "additional probability of", text, guarantee.delta, 1.1001)
    if metric:
        found += said("epsilon", "no result is more than exp(", text.replace("exp(", "exp( "), guarantee.epsilon, 1.002)
        found += said_factor("factor at 0.1", "as from the other:", text, guarantee.epsilon / 10)
        found += said_factor("factor at 2", "at d = 0.1, and", text, 2 * guarantee.epsilon)
    else:
        found += said("epsilon", "(epsilon", text, guarantee.epsilon, 1.001001)
        found += said_factor("factor", "no result is more than about", text, guarantee.epsilon)
    if guarantee.unit == "whole image":
        return found
    if guarantee.unit == "enrolment":  # each of the images is a special case of all of them
        same = guarantee.whole_image_epsilon == guarantee.epsilon and "and for each of them" in text
        return found + ([] if same else [f"no word on each image in {text!r}"])
    if math.isinf(guarantee.whole_image_epsilon):
        return found + ([] if "Whole images are not hidden" in text else [f"no word on whole images in {text!r}"])
    found += said("whole image", "whole-image epsilon", text, guarantee.whole_image_epsilon, 1.001001)
    if not metric:
        tail = text[text.index("whole-image epsilon") :]
        found += said("whole image's delta", "delta", tail, guarantee.whole_image_delta, 1.1001)
    if guarantee.unit not in ("metric", "person", "person added or removed"):
        found += said_factor("whole image's factor", "only by a factor of", text, guarantee.whole_image_epsilon)
    return found


def reason(guarantee: Guarantee, told: dict[str, float]) -> list[str]:
    """Compare the numbers in the reason of the sensitivity, each by the word before it."""
    text = guarantee.sensitivity_reason
    return [difference for words, true in told.items() for difference in said("reason", words, text, true, 1.0)]


def report_line(guarantee: Guarantee, text: str) -> list[str]:
    """Compare the few words of a report with the guarantee."""
    found = said("report's epsilon", ": ε", text, guarantee.epsilon, 1.0101)
    if "δ" in text:
        found += said("report's delta", "δ", text, guarantee.delta, 2.0001)
    elif guarantee.delta > 1e-12:
        found.append(f"no delta in {text!r}")
    if guarantee.unit != "whole image" and math.isfinite(guarantee.whole_image_epsilon):
        found += said("report's whole image", "whole image: ε", text, guarantee.whole_image_epsilon, 1.0101)
    return found

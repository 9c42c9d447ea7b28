"""What a picture that is decoded at a fraction of its size cannot keep."""

from __future__ import annotations

from privis.errors import Problem
from privis.features.feature import Feature
from privis.features.preprocessing.scaled_decoding import least_size, scaled_problems
from privis.privacy import Ledger
from privis.privacy.ledger.ledger_protocol import counts_people


def reading_problems(feature: Feature, ledger: Ledger | None) -> list[Problem]:
    """What is wrong with how ``feature`` has its images decoded, for ``ledger``.

    An image's account is named by its whole pixels, so that one photograph has one budget however it is read. Decoded
    at a fraction of its size it would have a second one.

    Args:
        feature: any feature.
        ledger: what is to be charged.

    Returns:
        What is wrong; nothing where images are read whole.
    """
    problems = scaled_problems(feature)
    if least_size(feature) is not None and ledger is not None and not counts_people(ledger):
        remedy = "leave ScaledDecoding (--decode scaled) out, or keep a budget for each person"
        problems.append(Problem("ledger", "a budget for each image, and scaled decoding", "images read whole", remedy))
    return problems

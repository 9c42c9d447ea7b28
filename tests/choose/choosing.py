"""Jobs and a vocabulary for the tests of ``privis.choose``, with predictions that are stated instead of measured."""

from __future__ import annotations

from typing import Any

from privis.choose.cost.prediction import CostPrediction
from privis.choose.job_description import JobDescription, job_of
from privis.choose.recommend import Recommendation, recommend
from privis.choose.way_cost import WayCosts
from privis.cli.choose.choose_words import vocabulary
from privis.errors import Problem, UnsupportedError
from privis.run.clear import Clear

FAST = CostPrediction(2.0, 1 << 28, 0, 0, None, "stated")


def job(task: str, **more: Any) -> JobDescription:
    """A job whose keys have __ instead of a point."""
    plain = {"task": task, "images.path": "in", "images.number": 4, "images.size": "64x64"}
    if task in ("classify", "identify", "search"):
        plain["images.labelled"] = "known"
    if task == "verify":
        plain["images.reference"] = "known.png"
    return job_of(plain | {key.replace("__", "."): value for key, value in more.items()})


def stated(feature: Any, under: Any, shape: Any, images: int, **more: Any) -> CostPrediction:
    """Clear is fast and sends nothing; ciphertexts are slow, parties chatter; GLCM is refused by ciphertexts."""
    if isinstance(under, Clear):
        return FAST
    if type(under).__name__ == "CKKS":
        if feature.name == "glcm":
            raise UnsupportedError(Problem("CKKS", "too many levels", "fewer"))
        return CostPrediction(10.0 * images, 1 << 30, 4_000_000 * images, 2 * images, None, "stated")
    return CostPrediction(1.0 * images, 1 << 29, 9_000_000 * images, 400 * images, 3.0, "stated")


def answer(asked: JobDescription) -> Recommendation:
    """What is recommended with the stated predictions."""
    words = vocabulary()
    return recommend(asked, words, WayCosts(words, predict=stated))


def why(found: Recommendation, what: str) -> str:
    """Why everything whose name begins so is out."""
    return " | ".join(one.why for one in found.excluded if one.what.startswith(what))

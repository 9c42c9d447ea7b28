"""How many answers about one template a question gives, and what is charged for it."""

import numpy as np
import pytest

from privis.errors import AnswerLimitError
from privis.joint.answer_counts import AnswerCount, GalleryAnswers, answer_count
from privis.joint.gallery import Gallery
from privis.joint.live_gallery import LiveGallery
from privis.joint.runners import InTheClear
from privis.privacy.answers.answer_ledger import AnswerLedger
from privis.privacy.answers.answer_limits import Allowance, AnswerKind, AnswerSettings
from privis.tasks import AnyAbove, Best, Claim, Top, VectorGrid

DECISION, SCORE = AnswerKind


def test_questions_count_what_they_can_tell_of_one_template():
    assert answer_count(AnyAbove(0.4), 100) == AnswerCount(DECISION, 100)
    assert answer_count(Best(score=False), 100) == AnswerCount(DECISION, 100)
    assert answer_count(Best(0.4, score=True), 7) == AnswerCount(SCORE, 14)
    assert [answer_count(Top(k, score=False), 1).count for k in (1, 2, 3, 7, 8)] == [1, 2, 2, 3, 4]
    assert answer_count(Top(5, score=True), 3) == AnswerCount(SCORE, 6)


def test_claims_count_by_the_template_that_is_claimed_most():
    assert answer_count(Claim(0.4), 5, ["ann", "bob", "ann", "cy", "ann"]) == AnswerCount(DECISION, 3)


def test_a_score_on_shares_tells_two_components():
    """Why a score is two answers there: whole numbers in base 2**15, a query that no grid forbids."""
    template = (-12_345, 31_000)
    score = template[0] + template[1] * (1 << 15)
    first = (score + (1 << 14)) % (1 << 15) - (1 << 14)
    assert (first, (score - first) >> 15) == template


def test_everybody_in_a_question_is_charged(tmp_path):
    answers = GalleryAnswers(AnswerLedger.at(tmp_path / "answers"), "faces", AnswerSettings(Allowance(4, 8)))
    said = answers.charge(answer_count(Best(score=False), 3), 128, ["clinic", "lab", "clinic"])
    assert said == "One client gets at most 4 decisions about a template per hour and 8 in total."
    assert {place: each.ever.decisions for place, each in answers.ledger.accounts().items()} == {
        ("clinic", "faces"): 3,
        ("lab", "faces"): 3,
    }
    with pytest.raises(AnswerLimitError):
        answers.charge(answer_count(Best(score=False), 2), 128, ["clinic"])


def test_a_live_gallery_refuses_before_anything_is_shared(tmp_path):
    counted = GalleryAnswers(AnswerLedger.at(tmp_path / "answers"), "faces", AnswerSettings(Allowance(3, 4)))
    faces, jobs, clear = np.eye(4), [], InTheClear()

    def run(job, arrays):
        jobs.append(job)
        return clear(job, arrays)

    gallery = LiveGallery(Gallery(VectorGrid(4)), run, counted)
    gallery.enrol("north", ["ann", "bob"], faces[:2])
    asked = gallery.ask(Best(), faces[:2], "clinic", ["clinic"])
    assert asked.names == (("ann",), ("bob",)) and asked.revealed.endswith(
        "3 decisions about a template per hour and 4 in total."
    )
    before = len(jobs)
    with pytest.raises(AnswerLimitError, match="1 of them left"):
        gallery.ask(Best(), faces[:2], "clinic", ["clinic"])
    assert len(jobs) == before, "nothing was shared"
    claimed = gallery.ask(Claim(0.9), faces[:2], "clinic", ["lab"], ["ann", "bob"])
    assert claimed.matches.found.tolist() == [True, True], "two claims of two templates are one answer about each"
    assert counted.ledger.account("lab", "faces").ever.decisions == 1

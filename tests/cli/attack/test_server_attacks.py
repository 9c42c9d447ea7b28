"""``privis attack`` against a server on this machine: its limit ends the attack, whatever keys are shown.

Answers for `privis.cli.attack.server_attacks`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from privis.cli.main import app
from privis.privacy.answers.answer_ledger import AnswerLedger
from privis.privacy.answers.answer_limits import Allowance
from privis.serve.answering import AnswerSettings
from privis.serve.client.decision_keys import DecisionKeys
from privis.serve.client.gallery_keys import GalleryKeys
from privis.serve.limits import MIB
from privis.serve.offerings.decision_offerings import OfferDecisions
from privis.serve.offerings.gallery_offerings import OfferGallery
from tests.serve.place import LIMITS, new_place, serving

FACES = np.random.default_rng(0).normal(size=(20, 16))
NAMES = tuple(f"face {number}" for number in range(20))


def attack(*words: str) -> tuple[int, dict[str, Any], str]:
    done = CliRunner().invoke(app, ["attack", "--against", *words, "--json"])
    assert done.exception is None or isinstance(done.exception, SystemExit), repr(done.exception)
    found = json.loads(done.stdout)["attacks"] if done.stdout else []
    return done.exit_code, {each["measure"]: each for each in found}, done.stderr


def test_scores_are_asked_for_until_the_server_refuses(tmp_path: Path) -> None:
    offer = OfferGallery("faces", "twenty faces", NAMES, FACES)
    limits = replace(LIMITS, memory=1200 * MIB, job_memory=400 * MIB)
    answers = AnswerSettings(scores=Allowance(total=4))
    copy, other = OfferGallery("copy", "the same", NAMES, FACES), OfferGallery("short", "others", NAMES, FACES[:, :8])
    with serving(new_place(tmp_path), limits, offer, copy, other, answers=answers) as running:
        with running.client() as client:
            GalleryKeys.generate(client.terms("faces"), tmp_path / "keys")
        words = (running.url, "--keys", f"{tmp_path}/keys", "--token-file", f"{tmp_path}/alice.token")
        code, found, told = attack(*words)
        assert code == 0 and "copy has templates of 16 components" in told and "short" not in told
        refused = found["questions answered before it refused"]
        assert refused["value"] == 2  # a message counts as 2 scores
        assert "4 scores about a template in total" in refused["sentence"]
        assert found["questions answered after that, with new keys"]["value"] == 0
        assert found["expected cosine of an estimate with its template"]["value"] == pytest.approx((2 / 16) ** 0.5)
        assert AnswerLedger(tmp_path / "state" / "answers").account("alice", "faces").ever.scores == 4
        code, _, told = attack(*words[:3])
        assert code == 2 and "--token-file" in told


@pytest.mark.long
def test_guesses_are_counted(tmp_path: Path) -> None:
    offer = OfferDecisions("faces", "twenty faces", NAMES, FACES, 0.5, 0.3)
    limits = replace(LIMITS, memory=4000 * MIB, job_memory=1900 * MIB)
    answers = AnswerSettings(scores=Allowance(total=2))
    with serving(new_place(tmp_path), limits, offer, answers=answers) as running:
        with running.client() as client:
            DecisionKeys.generate(client.terms("faces"), tmp_path / "keys")
        words = (running.url, "--keys", f"{tmp_path}/keys", "--token-file", f"{tmp_path}/alice.token")
        code, found, told = attack(*words)
        assert code == 0, told
        assert found["questions answered before it refused"]["value"] == 2
        assert found["guesses that somebody's template accepted"]["tries"] == 2

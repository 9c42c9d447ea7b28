"""The game of transcripts: an attacker who reads what is written, and is at chance where nothing is."""

from __future__ import annotations

import numpy as np
import pytest

from privis.attack.transcripts.transcript_attack import Transcripts, attack_transcripts, guessed
from privis.errors import ParameterError

RNG = np.random.default_rng(2)
PICTURES = RNG.permutation(np.repeat(np.arange(5), 12))
NOISE = RNG.normal(size=(60, 40))


def told(**channels) -> Transcripts:
    return Transcripts({"noise": NOISE, **channels}, PICTURES)


def test_what_is_written_is_read_and_the_channel_is_found() -> None:
    found = attack_transcripts(*told(written=np.eye(5)[PICTURES] * 8 + NOISE[:, :5]).halves())
    assert (found.channel, found.hits > 27) == ("written", True)


def test_noise_is_told_as_by_guessing() -> None:
    found = attack_transcripts(*told().halves())
    assert (found.chance, found.tries) == (0.2, 30)
    assert found.hits <= 13  # more: one time in 1,000


def test_a_channel_that_never_changes_is_told_as_by_guessing() -> None:
    still = Transcripts({"lengths": np.ones((60, 2))}, PICTURES)
    for classifier in ("nearest neighbour", "ridge classifier"):
        assert (guessed(*still.halves(), "lengths", classifier) == still.halves()[1].pictures).sum() <= 13


def test_numbers_that_hardly_change_do_not_drown_those_that_do() -> None:
    values = np.concatenate([np.eye(5)[PICTURES] * 3, 1e-6 * RNG.normal(size=(60, 500))], 1)
    found = attack_transcripts(*Transcripts({"both": values}, PICTURES).halves())
    assert found.hits == 30


def test_what_does_not_fit_is_said() -> None:
    with pytest.raises(ParameterError, match="a row for each transcript"):
        Transcripts({"noise": NOISE[:3]}, PICTURES)
    with pytest.raises(ParameterError, match="two pictures"):
        Transcripts({"noise": NOISE[:3]}, np.zeros(3, int))
    with pytest.raises(ParameterError, match="at least two of each"):
        attack_transcripts(told().part(np.array([0, 1, 2, 3, 4, 5])), told())
    with pytest.raises(ParameterError, match="those of the known"):
        attack_transcripts(told(), told(more=NOISE))

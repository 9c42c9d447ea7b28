"""One training, many canaries: the true one is never refuted, weaker ones are."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.attacks.audits import key_of, with_half_the_noise
from privis.attack.audits.training_audit import TrainingAudit, audit_training
from privis.errors import ParameterError
from privis.privacy import AddOrRemovePerson, Dataset, Gaussian, LogisticTraining, Person, WholeImage
from privis.privacy.learning import clipped_gradients, subsampling

PLAN = LogisticTraining(2, 512, 512, Gaussian(4.0, 1e-5), Dataset(), sampling=1.0, steps=5)


@pytest.mark.parametrize("unit", [Dataset(), WholeImage(), Person(3), AddOrRemovePerson(2)], ids=repr)
def test_no_claim_is_refuted_and_half_the_noise_is(unit) -> None:
    plan = replace(PLAN, classes=3, unit=unit)
    claimed = plan.guarantee
    true = audit_training(plan, key_of(1), 1)
    assert true.by_trade_off().epsilon <= claimed.epsilon and true.by_guesses().epsilon <= claimed.epsilon
    weaker = audit_training(with_half_the_noise(plan), key_of(1), 1, claimed)
    assert weaker.claimed == claimed
    assert weaker.by_trade_off(level=0.01).refutes(claimed.epsilon)
    assert weaker.by_guesses().epsilon > true.by_guesses().epsilon


def test_scores_have_the_spread_of_the_accounting() -> None:
    """Standard normal, whoever is there; canaries that are there lie the accounting's distance higher."""
    audit = audit_training(PLAN, key_of(2), 2)
    there, missing = audit.scores[audit.included], audit.scores[~audit.included]
    distance = np.sqrt(PLAN.steps) / PLAN.noise_multiplier
    assert missing.std() == pytest.approx(1, abs=0.15) and abs(missing.mean()) < 0.2
    assert there.mean() - missing.mean() == pytest.approx(distance, abs=0.3)


def test_a_training_without_noise_in_its_code_is_refuted(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = subsampling.draw_noise
    monkeypatch.setattr(subsampling, "draw_noise", lambda *given: drawn(*given) // 8)
    assert audit_training(PLAN, key_of(3), 3).by_trade_off().refutes(PLAN.guarantee.epsilon)


def test_a_training_that_does_not_clip_is_refuted(monkeypatch: pytest.MonkeyPatch) -> None:
    true = clipped_gradients.clipped_errors

    def unclipped(scores, labels, shares, clip):
        errors, loss = true(scores, labels, shares, clip)
        return 4 * errors, loss

    monkeypatch.setattr(clipped_gradients, "clipped_errors", unclipped)
    assert audit_training(PLAN, key_of(4), 4).by_trade_off().refutes(PLAN.guarantee.epsilon)


def test_steps_on_samples_are_audited_by_guesses_alone() -> None:
    rng = np.random.default_rng(5)
    coins = rng.random(64) < 0.5
    audit = TrainingAudit(PLAN.guarantee, coins, coins + rng.normal(size=64), gaussian=False)
    assert audit.by_guesses().epsilon == 0
    with pytest.raises(ParameterError, match="steps on samples"):
        audit.by_trade_off()


@pytest.mark.parametrize("components", [8, 100])
def test_components_that_have_no_such_canaries_are_refused(components: int) -> None:
    with pytest.raises(ParameterError, match="a power of two"):
        audit_training(replace(PLAN, components=components), key_of(6), 6)

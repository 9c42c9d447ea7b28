"""A classifier of images can be signed, privately trained or not.

Answers for `privis.estimators.classification.classifier_file`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from privis.cards.card_check import Against, beside, checked_table
from privis.cards.card_key import CardKey
from privis.cards.signed_card import SignedCard
from privis.estimators.classification.classifier_file import ClassifierFile, classifier_content
from privis.estimators.classification.private_training import PrivatePlan, train_privately
from privis.estimators.classification.trained_classifier import TrainedClassifier
from privis.features import ColourHistogram
from privis.privacy import ReleaseKey
from privis.tasks.decisions import Link
from privis.tasks.linear_head import LinearHead
from privis.tasks.linear_stages import LinearMap

KEY = CardKey(bytes(range(32)))


def signed(model: TrainedClassifier, path: Path) -> SignedCard:
    ClassifierFile.of(model).save(path)
    made = SignedCard.issued(classifier_content(path), KEY, time="2026-01-01T00:00:00+00:00", chain={})
    beside(path).write_bytes(made.to_bytes())
    return made


def test_epsilon_of_a_private_classifier_is_recomputed(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(2000, 8)) + np.repeat([[2.0], [-2.0]], 1000, axis=0)
    labels = ["ill"] * 1000 + ["well"] * 1000
    plan = PrivatePlan(3.0, ("ill", "well"))
    feature = ColourHistogram(bins=2)
    model = train_privately(feature, vectors, labels, None, plan, corpus="made up", key=ReleaseKey(bytes(32)))
    path = tmp_path / "m.model"
    card = signed(model, path).document
    assert card["release"]["class"] == "LogisticTraining" and card["content"]["kind"] == "classifier of images"
    found = checked_table(path, None, Against(KEY.public), read=classifier_content).findings
    assert found.problems == () and "epsilon and delta of the whole training, recomputed by its accountant" in (
        found.checked
    )
    assert ClassifierFile.load(path).opened(feature).training == model.training
    data = path.read_bytes()
    for place in range(0, len(data), len(data) // 40):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        assert not checked_table(path, None, Against(KEY.public), read=classifier_content).findings.holds, place


def test_a_classifier_without_noise_says_so(tmp_path: Path) -> None:
    head = LinearHead(("dark", "bright"), (LinearMap(np.ones((1, 8)), np.zeros(1)),), Link.LOGISTIC)
    path = tmp_path / "m.model"
    made = signed(TrainedClassifier(ColourHistogram(bins=2), head.classes, head), path)
    assert "may learn of every image" in made.document["limits"][0] and made.document["release"] is None
    assert checked_table(path, None, Against(KEY.public), read=classifier_content).findings.holds

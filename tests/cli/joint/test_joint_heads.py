"""A head that a job names: lent by every member, behind the feature of the job, on shares as in the clear.

Answers for `privis.cli.joint.features`.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import privis
from privis.cli.joint.extract import Extract
from privis.cli.joint.features import job_feature
from privis.errors import ParameterError, UnsupportedError
from privis.joint.runners import InTheClear
from privis.parties.job.disclosure import Withheld
from privis.parties.job.specification import Specification, Use
from privis.parties.job.task import AgreedJob, LocalData, LocalNetwork
from privis.privacy.guarantee import no_release
from privis.tasks import LinearHead, LinearMap, Link, Scored
from privis.training.heads import Head

IMAGES = [np.random.default_rng(n).integers(0, 256, (8, 8, 3), np.uint8) for n in range(3)]
WORDS = ["bins=2", "size=8x8", "head=kinds"]


@pytest.fixture
def lent(tmp_path: Path) -> dict[str, LocalNetwork]:
    (tmp_path / "images").mkdir()
    for number, image in enumerate(IMAGES):
        Image.fromarray(image).save(tmp_path / "images" / f"{number}.png")
    rng = np.random.default_rng(4)
    LinearHead(("a", "b", "c"), (LinearMap(rng.normal(size=(3, 6)), rng.normal(size=3)),)).save(tmp_path / "three.npz")
    one = LinearHead(("no", "yes"), (LinearMap(rng.normal(size=(1, 6)), np.ones(1)),), Link.LOGISTIC)
    one.save(tmp_path / "one.npz")
    Head(("a", "b"), rng.normal(size=(2, 7)), no_release()).save(tmp_path / "trained.npz")
    return {name: LocalNetwork(name, tmp_path / f"{name}.npz") for name in ("three", "one", "trained", "gone")}


def specified(head: str, answer: str) -> Specification:
    words = [*WORDS[:2], f"head={head}"]
    options = {"feature": "colour", "parameters": words, "batch": 2, "answer": answer}
    return Specification("h", "extract", ("a", "b", "c"), {"i": Use("d", "i")}, {"features": ("d",)}, options)


@pytest.mark.parametrize("answer", ["vector", "largest"])
@pytest.mark.parametrize("name", ["three", "one", "trained"])
def test_scores_or_the_class_alone_are_revealed(
    tmp_path: Path, lent: dict[str, LocalNetwork], name: str, answer: str
) -> None:
    specification, task = specified(name, answer), Extract(lent)
    assert specification.networks == (name,)
    prepared = task.prepare(specification, "i", LocalData("i", images=tmp_path / "images"))
    announcements = {"i": prepared.announcement}
    job = task.build(specification, announcements)
    revealed = InTheClear()(job, dict(prepared.arrays))
    agreed = AgreedJob(specification, announcements, job, {})
    (table,) = task.finish(agreed, "d", {"i": prepared.labels}, revealed).values()
    scored = job_feature("colour", [*WORDS[:2], f"head={name}"], lent)
    assert isinstance(scored, Scored)
    scores = privis.extract(scored, IMAGES).features
    if answer == "vector":
        assert table.names == scored.head.names and np.allclose(table.features, scores, atol=1e-4)
    else:
        labels = [scored.head.classes[int(number)] for number in table.features[:, 0]]
        assert table.names == ("class",) and tuple(labels) == scored.decide(scores).labels
    assert json.loads(table.metadata["privis.classes"])["classes"] == list(scored.head.classes)


def test_words_alone_read_no_file_and_what_does_not_fit_is_named(lent: dict[str, LocalNetwork]) -> None:
    assert job_feature("colour", WORDS, None) is None
    assert isinstance(job_feature("colour", WORDS[:2], None), privis.ColourHistogram)
    with pytest.raises(ParameterError, match="head kinds: got none of that name"):
        job_feature("colour", WORDS, lent)
    for words in ([*WORDS, "head=more"], [*WORDS[:2], "head=/etc/passwd"], [*WORDS[:2], "head="]):
        with pytest.raises(ParameterError, match="one name"):
            job_feature("colour", words, None)
    with pytest.raises(Withheld) as found:
        job_feature("colour", ["bins=4", "size=8x8", "head=three"], lent)
    assert "(6,)" not in str(found.value.told) and "(6,)" in str(found.value)
    with pytest.raises(Withheld):
        job_feature("colour", [*WORDS[:2], "head=gone"], lent)
    with pytest.raises(UnsupportedError, match="extracted_by=owner"):
        job_feature("glcm", ["size=8x8", "head=three"], lent)
    for words in (
        ["extracted_by=owner"],
        ["head=three", "extracted_by=me"],
        ["head=three", *["extracted_by=owner"] * 2],
    ):
        with pytest.raises(ParameterError, match=r"extracted_by: .*owner or parties, once, with head=NAME"):
            job_feature("colour", [*WORDS[:2], *words], lent)


def test_owners_may_extract_the_feature_and_share_the_vector(tmp_path: Path, lent: dict[str, LocalNetwork]) -> None:
    words = ["bins=2", "size=8x8", "head=three", "extracted_by=owner"]
    options = {"feature": "colour", "parameters": words, "batch": 2}
    specification = Specification("h", "extract", ("a", "b", "c"), {"i": Use("d", "i")}, {"features": ("d",)}, options)
    task = Extract(lent)
    prepared = task.prepare(specification, "i", LocalData("i", images=tmp_path / "images"))
    assert prepared.announcement.shapes == ((6,),) * 3
    job = task.build(specification, {"i": prepared.announcement})
    agreed = AgreedJob(specification, {"i": prepared.announcement}, job, {})
    revealed = InTheClear()(job, dict(prepared.arrays))
    (table,) = task.finish(agreed, "d", {"i": prepared.labels}, revealed).values()
    scored = job_feature("colour", words[:3], lent)
    assert scored is not None and np.allclose(table.features, privis.extract(scored, IMAGES).features, atol=1e-4)

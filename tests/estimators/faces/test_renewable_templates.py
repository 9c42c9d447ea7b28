"""Renewable templates: who is recognised stays, another key tells nothing, and a gallery is put under another key.

Answers for `privis.estimators.faces.renewable_templates`.
"""

from __future__ import annotations

import dataclasses
from datetime import date

import numpy as np
import pytest

import privis
from privis.errors import ParameterError
from privis.estimators.faces.matchers.encrypted_matching import EncryptedMatcher
from privis.estimators.faces.matchers.joint_matching import JointMatcher
from privis.estimators.faces.renewable_templates import RenewableTemplates, rekeyed
from privis.estimators.faces.template_matching import ClearMatcher
from privis.io.face_gallery import FaceGallery
from privis.privacy import TemplateKey
from privis.run.mpc.protocols import MPCProtocol
from privis.tasks.questions import Top
from tests.estimators.faces.painted_faces import EXTRACTOR, impostors, picture

TODAY = date(2026, 11, 30)
FIRST, SECOND = TemplateKey(bytes(32)), TemplateKey(bytes([1] * 32))
TABLE = impostors()


def identifier(key: TemplateKey | None) -> privis.Identifier:
    return privis.Identifier(EXTRACTOR, 0.01, TABLE, transform=None if key is None else RenewableTemplates(key))


def enrolled(key: TemplateKey | None, *people: int) -> FaceGallery:
    chosen = identifier(key)
    shots = [(str(person), picture(person, shot)) for person in people for shot in range(2)]
    prepared = chosen.prepared([image for _, image in shots], [subject for subject, _ in shots])
    return chosen.enrolled(None, prepared, today=TODAY).gallery


def test_people_are_recognised_as_without_a_key() -> None:
    plain, turned = enrolled(None, 1, 2), enrolled(FIRST, 1, 2)
    assert np.allclose(plain.templates @ plain.templates.T, turned.templates @ turned.templates.T, atol=1e-6)
    assert np.abs(plain.templates - turned.templates).max() > 0.1
    found = identifier(FIRST).identify(turned, [picture(2, 9), picture(5)], today=TODAY)
    assert [each.subject for each in found] == ["2", None]  # type: ignore[union-attr]
    verifier = privis.Verifier(EXTRACTOR, 0.01, TABLE, transform=RenewableTemplates(FIRST))
    assert verifier.threshold(32) == privis.Verifier(EXTRACTOR, 0.01, TABLE).threshold(32)
    same, other = verifier.verify(picture(1), picture(1, 1), score=True), verifier.verify(picture(1), picture(2))
    before = privis.Verifier(EXTRACTOR, 0.01, TABLE).verify(picture(1), picture(1, 1), score=True)
    assert same.match and not other.match and abs(same.score - before.score) < 1e-3  # type: ignore[operator]


def test_a_gallery_says_its_key_and_refuses_another() -> None:
    gallery = enrolled(FIRST, 1)
    assert gallery.protection is not None and gallery.protection.key == FIRST.fingerprint
    content = gallery.to_bytes()
    assert FIRST.fingerprint.encode("utf-32-le") in content and FIRST._secret not in content
    for key in (SECOND, None):
        with pytest.raises(
            ParameterError, match=f"under template key {FIRST.fingerprint[:12]}.*use its network and its"
        ):
            identifier(key).identify(gallery, [picture(1)], today=TODAY)
    with pytest.raises(ParameterError, match=f"expected those of tiles, under template key {FIRST.fingerprint[:12]}"):
        identifier(FIRST).identify(enrolled(None, 1), [picture(1)], today=TODAY)


def test_the_file_does_not_say_which_images_it_was_made_from() -> None:
    plain, turned, other = (enrolled(key, 1) for key in (None, FIRST, SECOND))
    records = set(plain.people[0].records)
    assert records == {privis.image_record(picture(1, shot)) for shot in range(2)}, "the control"
    assert not records & set(turned.people[0].records) and not set(turned.people[0].records) & set(
        other.people[0].records
    )
    prepared = identifier(FIRST).prepared([picture(1, 0), picture(1, 0), picture(1, 1)], ["1", "1", "1"])
    again = identifier(FIRST).enrolled(turned, prepared, today=TODAY)
    assert again.new == 0 and again.gallery.people[0].images == 2, "an image counts once, as without a key"
    stolen = identifier(FIRST).prepared([picture(1, 0)], ["2"])
    assert "enrolled as '1'" in str(identifier(FIRST).enrolled(turned, stolen, today=TODAY).refused[0].problems[0])


def test_a_gallery_under_another_key_is_what_an_enrolment_would_have_made() -> None:
    for before, old in ((enrolled(FIRST, 1, 2), FIRST), (enrolled(None, 1, 2), None)):
        after, wanted = rekeyed(before, old, SECOND), enrolled(SECOND, 1, 2)
        assert np.allclose(after.templates, wanted.templates, atol=1e-6)
        assert after.people == wanted.people and after.embedding == wanted.embedding
        assert (after.network, after.protection) == (wanted.network, wanted.protection)
        assert rekeyed(after, old, SECOND) is after, "again changes nothing"
        with pytest.raises(ParameterError, match="under template key"):
            identifier(old).identify(after, [picture(1)], today=TODAY)
        found = identifier(SECOND).identify(after, [picture(2, 7)], today=TODAY)
        assert found[0].subject == "2"  # type: ignore[union-attr]


def test_many_renewals_lose_no_accuracy() -> None:
    gallery, old = enrolled(FIRST, 1, 2), FIRST
    before = gallery.templates @ gallery.templates.T
    for number in range(100):
        new = TemplateKey(bytes([number] * 31 + [9]))
        gallery, old = rekeyed(gallery, old, new), new
    assert np.abs(gallery.templates @ gallery.templates.T - before).max() < 1e-5


def test_what_does_not_fit_is_refused() -> None:
    gallery = enrolled(FIRST, 1)
    with pytest.raises(ParameterError, match=f"expected that key; this one is {SECOND.fingerprint[:12]}"):
        rekeyed(gallery, SECOND, TemplateKey.generate())
    with pytest.raises(ParameterError, match="give it as the earlier key"):
        rekeyed(gallery, None, SECOND)
    with pytest.raises(ParameterError, match="there is none"):
        rekeyed(enrolled(None, 1), FIRST, SECOND)
    other = dataclasses.replace(gallery, embedding=bytes(32))
    with pytest.raises(ParameterError, match="of the network that the gallery names"):
        rekeyed(other, FIRST, SECOND)
    for rows in (np.zeros((1, 4)), np.full((1, 4), np.nan), np.zeros(4), np.zeros((2, 0))):
        with pytest.raises(ParameterError, match="vectors"):
            RenewableTemplates(FIRST).transformed(rows)


def test_empty_galleries_and_removed_people() -> None:
    nobody = rekeyed(identifier(FIRST).empty_gallery(), FIRST, SECOND)
    assert nobody.protection is not None and nobody.protection.key == SECOND.fingerprint and not nobody.people
    gallery = enrolled(FIRST, 1, 2)
    left = rekeyed(gallery.without(["1"]), FIRST, SECOND)
    assert left.subjects == ("2",) and not set(gallery.people[0].records) & set(left.people[0].records)
    assert np.allclose(left.templates, enrolled(SECOND, 2).templates, atol=1e-6)
    everybody = rekeyed(gallery.without(["1", "2"]), FIRST, SECOND)
    assert not everybody.people and everybody.protection is not None


def test_a_release_stays_released_under_another_key() -> None:
    """A rotation of what was released is post-processing: the guarantee is the same, and so are inner products."""
    empty = identifier(FIRST).empty_gallery()
    rows = np.random.default_rng(0).normal(size=(2, 32))
    released = empty.with_released(["a", "b"], [1, 2], rows, {"epsilon": 8.0}, TODAY)
    after = rekeyed(released, FIRST, SECOND)
    assert after.guarantee == released.guarantee
    assert np.allclose(after.templates @ after.templates.T, rows @ rows.T, atol=1e-4)


def joint() -> JointMatcher:
    pytest.importorskip("spu")
    return JointMatcher(MPCProtocol.ABY3)


@pytest.mark.parametrize("made", [lambda: EncryptedMatcher(0.2, processes=1), joint], ids=["encrypted", "joint"])
def test_hidden_comparisons_of_turned_templates_are_those_of_plain_ones(made) -> None:  # type: ignore[no-untyped-def]
    random = np.random.default_rng(0)
    rows, transform, matcher = random.normal(size=(6, 16)), RenewableTemplates(FIRST), made()
    templates, probes = rows[:5], rows[5:] + 2 * rows[2]
    clear, hidden = ClearMatcher(), []
    question = Top(1, score=True)
    with matcher.holding(transform.transformed(templates)) as held, clear.holding(templates) as plain:
        hidden = held.ask(question, transform.transformed(probes))
        expected = plain.ask(question, probes)
    assert hidden.indices.tolist() == expected.indices.tolist() == [[2]]
    assert np.allclose(hidden.cosines, expected.cosines, atol=2e-3)

"""Galleries of faces in files: what is enrolled and removed, who may write (privis.io.face_gallery, gallery_writer)."""

from __future__ import annotations

import multiprocessing
import os
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from privis.errors import OutputError, ParameterError
from privis.file_formats import FileFormat, format_of
from privis.io.face_gallery import FILING_LIMIT, FaceGallery
from privis.io.gallery_writer import GalleryFile, changing

TODAY = date(2026, 11, 30)
RNG = np.random.default_rng(3)


def unit(count: int, size: int = 8) -> np.ndarray:
    rows = RNG.normal(size=(count, size))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def empty(**more: object) -> FaceGallery:
    return FaceGallery(bytes(32), "a network", **more)  # type: ignore[arg-type]


def put(path: Path, gallery: FaceGallery) -> None:
    with changing(path) as file:
        file.write(gallery)


def test_a_template_is_the_mean_whatever_the_order_and_however_many_at_a_time() -> None:
    rows, names, records = unit(5), ["ann", "bob", "ann", "ann", "bob"], list("abcde")
    at_once = empty().with_images(names, records, rows, TODAY)
    one_by_one = empty()
    for place in (3, 1, 0, 4, 2, 2):  # one of them twice
        one_by_one = one_by_one.with_images([names[place]], [records[place]], rows[[place]], TODAY)
    for gallery in (at_once, one_by_one):
        means = dict(zip(gallery.subjects, gallery.templates, strict=True))
        assert np.allclose(means["ann"], rows[[0, 2, 3]].mean(0), atol=1e-6)
        assert np.allclose(means["bob"], rows[[1, 4]].mean(0), atol=1e-6)
        assert {person.subject: person.images for person in gallery.people} == {"ann": 3, "bob": 2}
    assert at_once.until_filing == FILING_LIMIT - 2


def test_an_image_of_two_people_is_refused_and_nothing_is_enrolled(tmp_path: Path) -> None:
    gallery = empty().with_images(["ann"], ["a"], unit(1), TODAY)
    assert gallery.conflicts(["bob", "ann", "bob", "cleo"], ["a", "a", "b", "b"]) == [
        "the same image is enrolled as 'ann'", "", "", "the same image is enrolled as 'bob'",
    ]  # fmt: skip
    with pytest.raises(ParameterError, match="enrolled as 'ann'"):
        gallery.with_images(["bob"], ["a"], unit(1), TODAY)


def encodings(text: str) -> list[bytes]:
    return [text.encode(code) for code in ("utf-8", "utf-16-le", "utf-32-le")]


def test_nothing_of_a_removed_person_is_left_in_the_file_or_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "gate"
    gallery = empty().with_images(["ann", "bob"], ["record of ann", "record of bob"], unit(2), TODAY)
    put(path, gallery)
    left = tmp_path / f".{path.name}.4711.unfinished"  # of a writer that was killed
    left.write_bytes(path.read_bytes())
    secret = [
        *encodings("ann"),
        *encodings("record of ann"),
        gallery.templates[0].tobytes(),
        gallery.templates[0][:2].tobytes(),
    ]
    assert sum(part in path.read_bytes() for part in secret) == 4
    with changing(path) as file:
        found = file.read()
        assert found is not None
        file.write(found.without(["ann"]))
    assert os.listdir(tmp_path) == ["gate"]
    assert not any(part in path.read_bytes() for part in secret)
    assert gallery.templates[1].tobytes() in path.read_bytes()
    assert FaceGallery.load(path).subjects == ("bob",)
    assert path.stat().st_mode & 0o077 == 0
    with pytest.raises(ParameterError) as caught:
        FaceGallery.load(path).without(["zoe", "bob", "ann"])
    assert len(caught.value.problems) == 2


def test_every_flipped_byte_is_refused_or_changes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "gate"
    put(path, empty().with_images(["ann"], ["a"], unit(1, 4), TODAY))
    whole = path.read_bytes()
    content = FaceGallery.load(path).to_bytes
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            found = FaceGallery.load(path)
        except ParameterError as error:
            assert str(path) in str(error)
        else:
            assert found.to_bytes()[100:] == content.__self__.to_bytes()[100:]
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(ParameterError):
            FaceGallery.load(path)
    path.write_bytes(whole)
    assert format_of(path) is FileFormat.FACE_GALLERY
    with pytest.raises(ParameterError, match="the first enrolment makes one"):
        FaceGallery.load(tmp_path / "absent")


def test_a_whole_file_of_other_content_than_its_digest_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "gate.npz"
    put(path, empty().with_images(["ann", "bob"], ["a", "b"], unit(2), TODAY))
    with np.load(path) as members:
        arrays = {name: members[name] for name in members.files}
    np.savez(path, **{**arrays, "templates": arrays["templates"][::-1]})  # ann with the face of bob
    with pytest.raises(ParameterError, match="digest of other content"):
        FaceGallery.load(path)


def test_templates_of_another_network_or_size_are_refused() -> None:
    gallery = empty().with_images(["ann"], ["a"], unit(1), TODAY)
    gallery.require_embedding(bytes(32), "a network", "gate")
    with pytest.raises(ParameterError, match="another one"):
        gallery.require_embedding(b"\1" * 32, "another one", "gate")
    for wrong in (unit(1, 9), np.zeros((1, 8)), np.full((1, 8), np.nan), unit(2)):
        with pytest.raises(ParameterError):
            gallery.with_images(["bob"], ["b"], wrong, TODAY)


def test_a_full_gallery_takes_images_of_those_who_are_there_and_nobody_new() -> None:
    gallery = empty(limit=2).with_images(["ann", "bob"], ["a", "b"], unit(2), TODAY)
    assert gallery.with_images(["ann"], ["c"], unit(1), TODAY).people[0].images == 2
    with pytest.raises(ParameterError, match="at most 2"):
        gallery.with_images(["cleo"], ["d"], unit(1), TODAY)


def test_people_are_used_until_their_day_has_passed() -> None:
    gallery = empty().with_images(["ann", "bob"], ["a", "b"], unit(2), TODAY, TODAY + timedelta(1))
    gallery = gallery.with_images(["cleo"], ["c"], unit(1), TODAY)
    assert gallery.usable(TODAY + timedelta(1)).subjects == ("ann", "bob", "cleo")
    assert gallery.usable(TODAY + timedelta(2)).subjects == ("cleo",)
    longer = gallery.with_images(["ann"], ["a"], unit(1), TODAY, TODAY + timedelta(9))  # the same image again
    assert longer.usable(TODAY + timedelta(2)).subjects == ("ann", "cleo") and longer.people[0].images == 1


def test_released_templates_stay_apart_from_exact_ones_and_name_no_image() -> None:
    told = {"epsilon": 16.0}
    gallery = empty().with_released(["ann"], [4], unit(1), told, TODAY)
    assert gallery.people[0].records == () and gallery.people[0].images == 4
    assert gallery.with_released(["bob"], [1], unit(1), told, TODAY).subjects == ("ann", "bob")
    for change in (
        lambda: gallery.with_images(["bob"], ["b"], unit(1), TODAY),
        lambda: gallery.with_released(["ann"], [4], unit(1), told, TODAY),
        lambda: gallery.with_released(["bob"], [4], unit(1), {"epsilon": 8.0}, TODAY),
        lambda: empty().with_images(["bob"], ["b"], unit(1), TODAY).with_released(["ann"], [1], unit(1), told, TODAY),
    ):
        with pytest.raises(ParameterError):
            change()


def _enrol(path: Path, name: str) -> None:
    for number in range(10):
        with changing(path) as file:
            gallery = file.read() or empty()
            row = np.random.default_rng(number).normal(size=(1, 8))
            file.write(gallery.with_images([f"{name}{number}"], [f"{name}{number}"], row, TODAY))


def test_two_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "gate"
    writers = [multiprocessing.get_context("fork").Process(target=_enrol, args=(path, name)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(FaceGallery.load(path).subjects) == 20


def test_a_writer_does_not_wait_for_ever_and_says_why(tmp_path: Path) -> None:
    with (
        changing(tmp_path / "gate"),
        pytest.raises(OutputError, match="another writer"),
        changing(tmp_path / "gate", wait=0.05),
    ):
        pass
    with pytest.raises(OutputError, match="no such folder"), changing(tmp_path / "absent" / "gate"):
        pass


def test_a_change_that_fails_leaves_the_earlier_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "gate"
    put(path, empty().with_images(["ann"], ["a"], unit(1), TODAY))
    before = path.read_bytes()

    def full(self: FaceGallery) -> bytes:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(FaceGallery, "to_bytes", full)
    with pytest.raises(OutputError, match="No space"):
        GalleryFile(path).write(empty())
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["gate"]

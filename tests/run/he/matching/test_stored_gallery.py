"""Galleries in folders: counts and payloads are those of the clear cosines, read block by block.

Answers for `privis.run.he.matching.stored.encrypted_gallery`, `privis.run.he.matching.stored.framed_file` and
`privis.run.he.wire.whole_folder`.
"""

import os
import shutil

import numpy as np
import pytest

from benchmarks.fhe_suite.fetch_data import made_up
from privis.errors import OutputError, ParameterError, ProtocolError
from privis.run.he.matching.decision_messages import Ask
from privis.run.he.matching.decision_specification import DecisionSpec
from privis.run.he.matching.stored.encrypted_gallery import EncryptedGallery
from privis.run.he.matching.stored.framed_file import FramedFile
from privis.run.he.owner.decision_owner import DecisionOwner
from privis.run.he.wire.framing import join, split
from privis.serve.submission.similarity.payload_bits import packed

SPEC = DecisionSpec(4, 0.4, 0.5, templates=16_384, payload=2, encrypted=True)  # a wide gap takes few levels
COLUMNS = SPEC.layout.columns
QUERY = np.eye(4)[0]
NUMBERS = [3, 3 + COLUMNS, 9, 7, 8 + COLUMNS]  # two share a slot
COSINES = [1.0, 0.95, 1.0, -1.0, -0.2]
PAYLOADS = [bytes([number % 256, 255]) for number in NUMBERS]


def vectors(cosines):
    made = np.zeros((len(cosines), 4))
    made[:, 0], made[:, 1] = cosines, np.sqrt(1 - np.square(cosines))
    return made


@pytest.fixture(scope="module")
def owner():
    return DecisionOwner.generate(SPEC)


@pytest.fixture(scope="module")
def keys(owner):
    return owner.evaluation_keys()


@pytest.fixture(scope="module")
def filled(owner, tmp_path_factory):
    """A gallery, and what was put into it."""
    gallery = EncryptedGallery.create(tmp_path_factory.mktemp("gallery") / "mine", SPEC)
    changes = owner.enrolled(NUMBERS, vectors(COSINES), PAYLOADS)
    for change in changes:
        gallery.put(change)
    return gallery, changes


def test_payloads_of_matches_in_one_slot_are_all_fetched_and_counted(owner, keys, filled, tmp_path):
    gallery, heard = filled[0], []
    query = owner.query(QUERY, Ask.FETCH)
    reply = gallery.fetch(query, keys, processes=1, progress=heard.append)
    found = owner.decisions(reply)
    assert found.payloads == dict(zip(NUMBERS[:3], PAYLOADS[:3], strict=True))
    assert found.accepted == tuple(sorted(NUMBERS[:3])) and found.count == 3 and not found.ambiguous
    assert heard == sorted(heard) and heard[-1] == 1
    assert len(split(reply, "reply")) == 1 + 2 * (1 + SPEC.payloads)  # whatever the size of the gallery
    prepared = gallery.prepare(tmp_path / "copy")
    assert sum(map(len, (path.read_bytes() for path in prepared.folder.iterdir()))) > 2e6
    assert owner.decisions(prepared.count(owner.query(QUERY, Ask.COUNT), keys, processes=1)).count == 3
    for part in split(reply, "reply")[1:]:  # nothing but sums: free slots and those of other templates are zero
        slots = owner.secret.decrypt(part)
        assert 2 <= (np.abs(slots) > 1e-3).sum() <= 3


@pytest.mark.long
def test_what_is_left_after_a_change_is_fetched_and_inside_the_gap_nothing_is_decided(owner, keys, tmp_path):
    gallery = EncryptedGallery.create(tmp_path / "other", SPEC)
    for change in owner.enrolled([5, 6], vectors([SPEC.threshold, 1.0]), [b"a", b"b"]):
        gallery.put(change)
    found = owner.decisions(gallery.fetch(owner.query(QUERY, Ask.FETCH), keys, processes=1))
    assert found.count is None and 5 not in found.payloads
    for change in owner.removed([5], vectors([SPEC.threshold]), [b"a"]) + owner.enrolled([9], vectors([0.97]), [b"c"]):
        gallery.put(change)
    found = owner.decisions(gallery.fetch(owner.query(QUERY, Ask.FETCH), keys, processes=1))
    assert found.payloads == {6: b"b\0", 9: b"c\0"} and found.count == 2


def test_changes_are_added_up_in_the_folder(owner, keys, tmp_path):
    gallery = EncryptedGallery.create(tmp_path / "other", SPEC)
    for change in owner.enrolled([5, 6], vectors([0.5, 1.0]), [b"a", b"b"]):
        gallery.put(change)
    (removal,) = owner.removed([5], vectors([0.5]), [b"a"])
    gallery.put(removal)
    again = EncryptedGallery(gallery.folder)
    assert np.flatnonzero(again.contents().filled).tolist() == [6]
    (held,) = again.contents().payloads[0, 0]
    slots = owner.secret.decrypt(again._engine.save(held))
    assert abs(slots[6] - ord("b") / 256) < 1e-3 and np.abs(np.delete(slots, 6)).max() < 1e-3  # nothing of the other
    (last,) = owner.removed([6], vectors([1.0]), [b"b"])
    again.put(last)
    assert not [*gallery.folder.glob("block-*")] and len(again.contents().payloads) == 0
    assert owner.decisions(again.fetch(owner.query(QUERY, Ask.FETCH), keys)).count == 0


def test_what_is_wrong_is_refused_and_nothing_changes(owner, keys, filled, tmp_path):
    gallery, changes = filled
    before = {path.name: path.read_bytes()[:4096] for path in gallery.folder.iterdir()}
    for wrong in (changes[0], b"", changes[0][:-1], *owner.removed([11], vectors([1.0]), [b""])):
        with pytest.raises(ProtocolError):
            gallery.put(wrong)
    assert before == {path.name: path.read_bytes()[:4096] for path in gallery.folder.iterdir()}
    for ask, answer in ((Ask.COUNT, gallery.fetch), (Ask.FETCH, gallery.count), (Ask.INDEX, gallery.fetch)):
        with pytest.raises(ProtocolError, match="the question"):
            answer(owner.query(QUERY, ask), keys)
    with pytest.raises(ProtocolError, match="evaluation key"):
        gallery.fetch(owner.query(QUERY, Ask.FETCH), join([b""] * 8))
    with pytest.raises(OutputError, match="nothing is overwritten"):
        EncryptedGallery.create(gallery.folder, SPEC)
    with pytest.raises(ParameterError, match="encrypted=True"):
        EncryptedGallery.create(tmp_path / "plain", DecisionSpec(4, 0.4, 0.5, 10))
    with pytest.raises(ParameterError):
        EncryptedGallery(tmp_path / "none")


def test_damaged_blocks_are_named(owner, tmp_path):
    gallery = EncryptedGallery.create(tmp_path / "mine", SPEC)
    (change,) = owner.enrolled([1], vectors([1.0]), [b""])
    gallery.put(change)
    (path,) = gallery.folder.glob("block-*")
    (gallery.folder / "block-notes.bin").write_bytes(b"somebody's")
    assert gallery.contents().filled.sum() == 1
    path.write_bytes(change[:-1])
    with pytest.raises(ProtocolError, match="block-000000"):
        gallery.contents()
    path.rename(path.with_name("block-000001.bin"))
    path.with_name("block-000001.bin").write_bytes(change)
    with pytest.raises(ProtocolError, match="another block"):
        gallery.contents()
    with pytest.raises(ParameterError, match="a block of a gallery"), FramedFile.open(tmp_path / "none"):
        pass


@pytest.mark.long
def test_a_thousand_rows_of_the_public_workload_are_exact(tmp_path):
    """Half the rows near one of N / 32 centres, as fetch-by-similarity makes them."""
    spec = DecisionSpec(128, 0.8, 0.07, 1000, payload=8, encrypted=True)
    owner, given = DecisionOwner.generate(spec), made_up(1000, 128, seed=4)
    keys = owner.evaluation_keys()
    gallery, held = EncryptedGallery.create(tmp_path / "gallery", spec), packed(given.payloads)
    for change in owner.enrolled(range(1000), given.rows, held):
        gallery.put(change)
    for near in (True, False, True):
        query = given.query(near)
        expected = np.flatnonzero(given.rows @ query > 0.8)
        found = owner.decisions(gallery.fetch(owner.query(query, Ask.FETCH), keys))
        assert found.payloads == {int(number): held[number] for number in expected}
        assert owner.decisions(gallery.count(owner.query(query, Ask.COUNT), keys)).count == len(expected)


def test_what_two_processes_put_into_one_block_is_all_there(owner, filled, tmp_path):
    gallery = EncryptedGallery(shutil.copytree(filled[0].folder, tmp_path / "shared"))
    pids, (start, go) = [], os.pipe()
    for number in (20, 21):
        (change,) = owner.enrolled([number], vectors([1.0]), [b""])
        pid = os.fork()
        if pid == 0:
            done = False
            try:
                os.read(start, 1)
                EncryptedGallery(gallery.folder).put(change)
                done = True
            finally:
                os._exit(0 if done else 1)
        pids.append(pid)
    os.write(go, b"22")
    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0, 0]
    os.close(start)
    os.close(go)
    assert np.flatnonzero(gallery.contents().filled).tolist() == sorted([*NUMBERS, 20, 21])


def test_a_gallery_that_was_moved_away_or_replaced_has_no_answer(owner, keys, tmp_path):
    """Not the answer that nothing matches."""
    gallery = EncryptedGallery.create(tmp_path / "mine", SPEC)
    (change,) = owner.enrolled([1], vectors([1.0]), [b""])
    gallery.put(change)
    gallery.folder.rename(tmp_path / "elsewhere")
    for ask in (gallery.contents, lambda: gallery.count(owner.query(QUERY, Ask.COUNT), keys)):
        with pytest.raises(ParameterError):
            ask()
    with pytest.raises(ParameterError, match="the folder of a gallery"):
        gallery.put(change)
    EncryptedGallery.create(gallery.folder, DecisionSpec(4, 0.4, 0.5, templates=9, encrypted=True))
    with pytest.raises(ProtocolError, match="another specification"):
        gallery.contents()
    assert EncryptedGallery(tmp_path / "elsewhere").contents().filled.sum() == 1

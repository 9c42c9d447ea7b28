"""Tables, keys and words: `attribute_table`, `export_key`, `identifying_words`, `allowed_words`, `header_check`."""

from __future__ import annotations

import pickle

import pytest
from pydicom.datadict import dictionary_has_tag
from pydicom.dataset import Dataset

from privis.extraction.deidentification.allowed_words import allowed_words, cleaned_text
from privis.extraction.deidentification.attribute_table import (
    Action,
    Retained,
    action_of,
    attribute_actions,
    safe_private,
)
from privis.extraction.deidentification.export_key import MOST_DAYS, ExportKey, patient_form
from privis.extraction.deidentification.header_check import leftovers
from privis.extraction.deidentification.identifying_words import IdentifyingWords

NOBODY = IdentifyingWords(frozenset(), frozenset())


def test_the_table_is_whole_and_of_the_standard():
    table = attribute_actions()
    assert len(table) == 617 and all(row["basic"] for row in table.values())
    assert sum(dictionary_has_tag(tag) for tag in table) / len(table) > 0.97
    assert all(action_of(tag, tuple(Retained)) for tag in table)


@pytest.mark.parametrize(
    ("tag", "retained", "action"),
    [  # from the standard, by hand
        (0x00080050, None, Action.EMPTY),
        (0x00081030, None, Action.REMOVE),
        (0x00081030, Retained.DESCRIPTORS, Action.CLEAN),
        (0x0020000D, None, Action.UID),
        (0x0020000D, Retained.UIDS, Action.KEEP),
        (0x00080020, Retained.DATES, Action.CLEAN),
        (0x00101010, None, Action.REMOVE),
        (0x00101010, Retained.CHARACTERISTICS, Action.KEEP),
        (0x00181000, Retained.DEVICE, Action.KEEP),
        (0x00080080, Retained.INSTITUTION, Action.KEEP),
        (0x00280010, None, None),
    ],
)
def test_actions(tag, retained, action):
    assert action_of(tag, {retained} if retained else set()) is action


def test_private_elements_that_may_stay_are_numbers():
    assert set(safe_private().values()) <= {"DS", "IS", "FL", "FD", "SS", "SL", "US"}


def test_a_key_replaces_alike_and_tells_nothing(tmp_path):
    key, other = ExportKey.generate(), ExportKey.generate()
    assert key.uid("1.2.3") == key.uid("1.2.3 ") != other.uid("1.2.3") and len(key.uid("1.2.3")) <= 64
    days = {key.days(str(number)) for number in range(200)}
    assert min(days) >= 1 and max(days) <= MOST_DAYS and len(days) > 150
    assert repr(key) == "<ExportKey: secret>"
    with pytest.raises(TypeError):
        pickle.dumps(key)
    key.save(tmp_path / "key")
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600
    assert ExportKey.load(tmp_path / "key").mark() == key.mark() != other.mark()


def test_spellings_of_an_id_are_one():
    assert patient_form(" Ab 17\0") == patient_form("AB17") != patient_form("AB 18")


def test_words_of_names_are_found_in_any_spelling():
    header = Dataset()
    header.PatientName, header.PatientID = "Müller^Ann-Marie=王^小東", "4711"
    words = IdentifyingWords.of(header)
    assert words.within("seen by MULLER") and words.within("ann marie") and words.within("小東")
    assert words.within("4711 again") and not words.within("34711") and not words.within("mull")


def test_words_that_stay():
    assert cleaned_text("T2 TSE sag w/o contrast 3mm", NOBODY) == "T2 TSE sag w/o contrast 3mm"
    assert cleaned_text("Axial Kowalczyk 1970 lung", NOBODY) == "Axial lung"
    assert not {"smith", "miller", "kennedy", "johnson"} & allowed_words()


def test_a_second_look_knows_nothing_of_the_first():
    from pydicom.dataset import FileMetaDataset

    before, made = Dataset(), Dataset()
    before.StudyInstanceUID, before.StudyDate = "1.2.3", "20200101"
    made.PatientName, made.StudyInstanceUID, made.StudyDate = "Somebody", "1.2.3", "20200101"
    made.ImageComments, made.StudyDescription = "text", "text"
    made.private_block(0x11, "ACME", create=True).add_new(1, "LO", "a")
    made.file_meta, made.preamble = FileMetaDataset(), b"abc"
    made.file_meta.SourceApplicationEntityTitle = "SITE"
    words = IdentifyingWords(frozenset({"kowalczyk"}), frozenset())
    found = leftovers(before, made, b"a KOWALCZYK b", words, (), {Retained.DATES})
    said = " ".join(found)
    for kind in ("file meta", "preamble", "a name", "a UID", "a date", "the table removes", "private", "bytes of"):
        assert kind in said, (kind, found)

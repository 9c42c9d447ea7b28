"""Every format of the product is told from the others by its content, and every loader names what it got instead.

Answers for `privis.file_formats`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privis import ReleaseKey
from privis.cards.card_key import CardKey
from privis.errors import DamagedLedgerError, PrivisError
from privis.estimators.classification.classifier_file import ClassifierFile
from privis.estimators.classification.split_record import SplitRecord
from privis.estimators.detection.training.detector_file import load_detector
from privis.estimators.search.indexing.index_file import IndexFile
from privis.extraction.deidentification.export_key import ExportKey
from privis.features.keypoints.aggregate import Codebook
from privis.features.postprocessing.projection import Projection
from privis.file_formats import FileFormat, format_of, misfit
from privis.io import tables
from privis.io.face_gallery import FaceGallery
from privis.io.images import decode
from privis.io.images.manifest import read_manifest
from privis.parties.configuration import load_party, load_submitter
from privis.parties.identity.certificates import AUTHORITY, KEY, load_identity
from privis.parties.job.specification import load_specification
from privis.privacy import TemplateKey
from privis.privacy.ledger.file import FileLedger
from privis.privacy.pseudonyms.site_key import SiteKey
from privis.program import load
from privis.program.onnx.translate import read_onnx
from privis.run.he.wire import key_file
from privis.serve.http.tokens import Token, Tokens
from privis.stores.erasure.erasure_receipt import ErasureReceipt
from privis.stores.erasure.receipt_key import ReceiptKey
from privis.stores.erasure.receipt_log import ReceiptLog
from privis.stores.parquet import ParquetStore
from privis.stores.sealing import SubjectKeys
from privis.tasks import LinearHead
from privis.tasks.verification import CalibrationTable
from privis.training import checkpoints
from privis.training.heads import Head
from tests.cli.files.every_file import every_file, stored_table

F = FileFormat


def certificate(path: Path) -> object:
    group = next(folder / "group" for folder in path.parents if (folder / "group").is_dir())
    return load_identity(path, group / "a" / KEY, group / "a" / AUTHORITY)


LOADERS: dict[FileFormat, Callable[[Path], Any]] = {
    F.TABLE: tables.read,
    F.HEAD: Head.load,
    F.LINEAR_HEAD: LinearHead.load,
    F.CLASSIFIER: ClassifierFile.load,
    F.SPLIT_RECORD: SplitRecord.load,
    F.DETECTOR: load_detector,
    F.CALIBRATION: CalibrationTable.load,
    F.FACE_GALLERY: FaceGallery.load,
    F.STORE: ParquetStore.open,
    F.SUBJECT_KEYS: SubjectKeys.open,
    F.SEARCH_INDEX: IndexFile.load,
    F.PROGRAM: load,
    F.CHECKPOINT: lambda path: checkpoints.load(path, "0" * 32, (2, 7), 10),
    F.PROJECTION: Projection.load,
    F.CODEBOOK: Codebook.load,
    F.RELEASE_KEY: ReleaseKey.load,
    F.TEMPLATE_KEY: TemplateKey.load,
    F.SITE_KEY: SiteKey.load,
    F.CARD_KEY: CardKey.load,
    F.ERASURE_RECEIPT: ErasureReceipt.load,
    F.RECEIPT_KEY: ReceiptKey.load,
    F.DEIDENTIFICATION_KEY: ExportKey.load,
    F.RECEIPTS: lambda path: ReceiptLog(path).store,
    F.SECRET_KEY: lambda path: key_file.read(path, key_file.KeyKind.SECRET),
    F.EVALUATION_KEY: lambda path: key_file.read(path, key_file.KeyKind.EVALUATION),
    F.PUBLIC_KEY: lambda path: key_file.read(path, key_file.KeyKind.PUBLIC),
    F.LEDGER: lambda path: FileLedger(path).budget,
    F.TOKEN: Token.load,
    F.TOKENS: Tokens.load,
    F.JOB: load_specification,
    F.PARTY: load_party,
    F.SUBMITTER: load_submitter,
    F.LIST: lambda path: read_manifest(path, "label"),
    F.PICTURE: decode.load,
    F.NETWORK: lambda path: read_onnx(_named(path, ".onnx")),
    F.CERTIFICATE: certificate,
}


def _named(path: Path, suffix: str) -> Path:
    """``path`` under a name that ends in ``suffix``, which is no proof of what is in it."""
    if path.suffix == suffix or not path.is_file():
        return path
    return Path(shutil.copy(path, path.with_name(path.name + suffix)))


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[FileFormat, Path]:
    found = every_file(tmp_path_factory.mktemp("files"))
    for path in found.values():
        if path.is_file():
            path.chmod(0o600)
    return found


def test_every_format_is_told_by_its_content(files):
    for wanted, path in files.items():
        assert format_of(path) is wanted, path
        if path.is_file():
            assert format_of(_named(path, ".dat")) is wanted, "whatever it is called"
    untested = set(F) - set(files)
    assert untested == {F.PART, F.KEY_FOLDER, F.MANIFEST, F.RECEIPT, F.PARQUET, F.ZIP, F.DEVICE, F.UNREADABLE}


def test_tables_are_told_in_all_their_forms(tmp_path):
    for suffix in (".npz", ".csv", ".parquet"):
        assert format_of(stored_table(tmp_path / f"t{suffix}")) is F.TABLE
    (tmp_path / "t.csv.json").unlink()
    assert format_of(tmp_path / "t.csv") is F.LIST, "without the record beside it, it is no table"


def test_other_files_of_known_kinds(tmp_path):
    import zipfile

    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table({"a": [1]}), tmp_path / "other.parquet")
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("a.txt", "a")
    for name in ("public.key", "evaluation.key"):
        (tmp_path / name).write_bytes(b"")
    found = [format_of(tmp_path / name) for name in ("other.parquet", "other.zip", ".")] + [format_of("/dev/null")]
    assert found == [F.PARQUET, F.ZIP, F.KEY_FOLDER, F.DEVICE]


@pytest.mark.parametrize("wanted", LOADERS)
def test_every_loader_names_what_it_got_instead(files, wanted):
    LOADERS[wanted](files[wanted])
    for other, path in files.items():
        if other in (wanted, F.UNKNOWN) or (wanted is F.CHECKPOINT and other is F.MISSING):
            continue
        if wanted is F.PICTURE and other is F.DICOM:
            continue  # a picture, too
        if wanted is F.TOKENS and other is F.EMPTY:
            continue  # no client yet
        if wanted in (F.JOB, F.PARTY, F.SUBMITTER) and other in (F.TOML, F.OFFER_WORDS):
            continue  # every key is named
        given = _named(path, files[wanted].suffix) if wanted is F.TABLE else path
        with pytest.raises(PrivisError) as caught:
            LOADERS[wanted](given)
        assert not isinstance(caught.value, DamagedLedgerError)
        assert str(other) in str(caught.value), f"{wanted} for {other}: {caught.value}"
        assert str(given) in str(caught.value)


def test_secrets_are_in_no_message(files):
    secret = files[F.TOKEN].read_text().strip()
    for load_it in LOADERS.values():
        with pytest.raises(PrivisError) as caught:
            load_it(files[F.TOKEN]) if load_it != Token.load else load_it(files[F.RELEASE_KEY])
        assert secret not in str(caught.value)


def test_a_damaged_file_keeps_its_readers_words(files, tmp_path):
    damaged = tmp_path / "head.npz"
    damaged.write_bytes(files[F.HEAD].read_bytes()[:-30])
    with pytest.raises(PrivisError, match="BadZipFile"):
        Head.load(damaged)
    assert misfit(damaged, F.HEAD, "cut off", remedy="copy it").got == "cut off"


@given(
    st.binary(max_size=300), st.sampled_from(["", "PK\3\4", "PAR1", "{", "\x93NUMPY", '{"format": "privis ledger 2"'])
)
def test_whatever_the_bytes_are_something_is_said(tmp_path_factory, rest, start):
    path = tmp_path_factory.getbasetemp() / "hostile"
    path.write_bytes(start.encode("latin-1") + rest)
    assert isinstance(format_of(path), FileFormat)

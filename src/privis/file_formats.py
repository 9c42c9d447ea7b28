"""What a file is, told by its content and never by its name: loaders say of a wrong one what it is instead.

`format_of` knows every format that Privis writes, and what people hand it by mistake: pictures, networks, other tables.
It looks at a few kilobytes, at the names in a zip, and at the small texts of its own formats; it decodes no array and
executes nothing.
"""

from __future__ import annotations

import ast
import json
import os
import re
import stat
import tomllib
import zipfile
import zlib
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from privis.errors import Problem

_HEAD_BYTES = 4096
_LARGEST_TEXT = 8 << 20  # bytes of a text of ours; what is larger is something else
_BUNDLE, _BUNDLE_KIND = b"\x8ePRIVIS\n\0", slice(10, 12)  # magic, and the upper byte of the version
_RELEASE_KEY = b"privis release key "
_TEMPLATE_KEY = b"privis template key "
_RECEIPT_KEY = b"privis receipt key "
_SITE_KEY = b"privis site key "
_CARD_KEY = b"privis card key "
_DEIDENTIFICATION_KEY = b"privis deidentification key "
_COMPILED = b"privis.cache/"
_SQLITE, _SUBJECT_KEYS = b"SQLite format 3\0", b"PRVS"  # the application's id in the header
_LEDGER = re.compile(rb'\{[^\n]*"format": ?"privis ledger \d')
_ANSWERS = re.compile(rb'\{[^\n]*"format": ?"privis answers \d')
_RECEIPTS = re.compile(rb'\{"format": ?"privis receipts \d')
_REDACTIONS = re.compile(rb'\{"format": ?"privis redaction \d')
_DEIDENTIFICATIONS = re.compile(rb'\{"format": ?"privis deidentification \d')
_LEDGER_HEAD = re.compile(rb"[0-9]{20} [0-9]{20} [0-9a-f]{64} ")
_TOKENS = re.compile(rb"(?:#.*\n|\s*\n)*[A-Za-z0-9][A-Za-z0-9._-]{0,63} sha256:[0-9a-f]{64}")
_TOKEN = re.compile(rb"[A-Za-z0-9_-]{43}\n?")
_ONNX = re.compile(rb"\x08[\x01-\x1f][\x12\x1a\x22\x28\x32\x3a\x42]")
_DICOM, _BEHIND_PREAMBLE = b"DICM", slice(128, 132)
_PICTURES = (b"\x89PNG\r\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*", b"GIF8", b"BM", b"\0\0\1\0")
_VIDEOS = re.compile(rb"\x1aE\xdf\xa3|FLV\x01|OggS|\0\0\x01[\xba\xb3]|DKIF|YUV4MPEG2 |0&\xb2u\x8ef\xcf\x11")
"""Matroska and WebM, Flash, Ogg, MPEG (program and elementary streams), IVF, YUV4MPEG, ASF."""
_STILL_BRANDS = (b"avif", b"avis", b"heic", b"heix", b"mif1", b"jxl ")


class FileFormat(StrEnum):
    """Formats as sentences name them."""

    TABLE = "a table of features"
    HEAD = "a classifier"
    LINEAR_HEAD = "a linear head"
    CLASSIFIER = "a classifier of images"
    SPLIT_RECORD = "the record of what a classifier was trained on"
    DETECTOR = "a trained detector"
    PROGRAM = "a program"
    COMPILED = "a compiled program, kept on disk"
    CHECKPOINT = "a checkpoint of a training"
    PROJECTION = "a projection"
    CODEBOOK = "a codebook"
    PART = "a part of an unfinished run"
    RELEASE_KEY = "a release key"
    TEMPLATE_KEY = "a template key"
    RECEIPT_KEY = "a receipt key"
    SITE_KEY = "a site key"
    CARD_KEY = "a card key"
    DEIDENTIFICATION_KEY = "a de-identification key"
    SECRET_KEY = "a secret key"
    EVALUATION_KEY = "evaluation keys"
    PUBLIC_KEY = "a specification or public key"
    KEPT_QUERY = "what an owner keeps of an encrypted query"
    ANSWER = "an encrypted answer"
    QUERY = "an encrypted query"
    OFFER = "a prepared offer"
    OFFER_WORDS = "an offer in words"
    KEY_FOLDER = "a folder of homomorphic keys"
    STORE = "a store of vectors"
    STORE_MANIFEST = "the manifest of a store of vectors"
    FRAGMENT = "a fragment of a store of vectors"
    STORE_JOURNAL = "the journal of a store of vectors, of a begun erasure"
    SUBJECT_KEYS = "the keys of a store of vectors"
    LANCE_STORE = "the record of a store of vectors in LanceDB"
    LANCE_CHANGE = "a change of a store of vectors in LanceDB that was begun"
    LEDGER = "a privacy ledger"
    LEDGER_HEAD = "the head of a ledger"
    ANSWER_LEDGER = "an answer ledger"
    TOKEN = "a client's token"
    TOKENS = "a server's file of tokens"
    CARD = "a privacy card"
    RUN = "what `privis extract --json` printed"
    TABLE_RECORD = "the record beside a CSV table"
    MANIFEST = "the manifest of an unfinished run"
    TERMS = "terms of a server's offer"
    CALIBRATION = "a calibration table"
    FACE_GALLERY = "a gallery of faces"
    SEARCH_INDEX = "a search index"
    INDEX_FILE = "the description of a search index"
    REDACTION_LOG = "a log of redaction"
    DEIDENTIFICATION_LOG = "a log of de-identification"
    RECEIPT = "a receipt of a joint job"
    ERASURE_RECEIPT = "a receipt of an erasure"
    RECEIPTS = "a log of receipts"
    JOB = "a joint job"
    PARTY = "the configuration of a member of joint jobs"
    SUBMITTER = "the configuration of a submitter of joint jobs"
    REPORT = "a report, or another page"
    CERTIFICATE = "a certificate"
    PRIVATE_KEY = "a private key of a certificate"
    NETWORK = "an ONNX network"
    PICTURE = "a picture"
    VIDEO = "a video"
    DICOM = "a DICOM file"
    ARRAYS = "an npz file of other arrays"
    PARQUET = "a Parquet file of another program"
    ZIP = "a zip file"
    JSON = "a JSON file of something else"
    TOML = "a TOML file of something else"
    LIST = "a CSV list of images"
    FOLDER = "a folder"
    DEVICE = "a pipe, socket or device"
    EMPTY = "an empty file"
    UNREADABLE = "a file that you may not read"
    MISSING = "no such file"
    UNKNOWN = "something else"


_BUNDLES = {
    1: FileFormat.SECRET_KEY,
    2: FileFormat.EVALUATION_KEY,
    3: FileFormat.PUBLIC_KEY,
    4: FileFormat.KEPT_QUERY,
    5: FileFormat.ANSWER,
}
_QUERY = re.compile(rb"privis ckks \d+\n\x02")  # a message, and its kind
_BY_TEXT = {
    "privis.head/": FileFormat.HEAD,
    "privis.linear-head/": FileFormat.LINEAR_HEAD,
    "privis.classifier/": FileFormat.CLASSIFIER,
    "privis.split-record/": FileFormat.SPLIT_RECORD,
    "privis.trained-detector/": FileFormat.DETECTOR,
    "privis.checkpoint/": FileFormat.CHECKPOINT,
    "privis.network-checkpoint/": FileFormat.CHECKPOINT,
    "privis.card/": FileFormat.CARD,
    "privis.calibration/": FileFormat.CALIBRATION,
    "privis.face-gallery/": FileFormat.FACE_GALLERY,
    "privis.store/": FileFormat.STORE_MANIFEST,
    "privis.store-journal/": FileFormat.STORE_JOURNAL,
    "privis.search-index/": FileFormat.INDEX_FILE,
    "privis.lance-store/": FileFormat.LANCE_STORE,
    "privis.lance-change/": FileFormat.LANCE_CHANGE,
    "privis.receipt/": FileFormat.RECEIPT,
    "privis.erasure/": FileFormat.ERASURE_RECEIPT,
    "privis.specification/": FileFormat.JOB,
}
_BY_ARRAYS = (  # the members that each has at least, the most telling first
    ({"offer", "program"}, FileFormat.OFFER),
    ({"structure"}, FileFormat.PROGRAM),
    ({"paths", "features", "names", "metadata"}, FileFormat.TABLE),
    ({"matrix", "mean", "source", "name"}, FileFormat.PROJECTION),
    ({"centres", "source"}, FileFormat.CODEBOOK),
    ({"values", "lengths", "text"}, FileFormat.PART),
)
_OFFERED = {"feature", "model", "program"}  # of a TOML document that says what is offered
_BY_KEYS = (  # of a JSON or TOML document
    ({"card", "rows", "output"}, FileFormat.RUN),
    ({"receipt", "subjects", "out_of_reach"}, FileFormat.ERASURE_RECEIPT),
    ({"sha256", "metadata"}, FileFormat.TABLE_RECORD),
    ({"sources", "feature", "executor"}, FileFormat.MANIFEST),
    ({"specification", "estimate", "digest"}, FileFormat.TERMS),
    ({"task", "parties"}, FileFormat.JOB),
    ({"control", "peers"}, FileFormat.PARTY),
    ({"name", "members"}, FileFormat.SUBMITTER),
)


def format_of(path: str | os.PathLike[str]) -> FileFormat:
    """Tell what is at ``path`` by its content; whatever it is, this raises nothing.

    >>> format_of("/no/such/file") is FileFormat.MISSING
    True
    """
    place = Path(path)
    try:
        mode = place.stat().st_mode
        if stat.S_ISDIR(mode):
            return _of_folder(place)
        if not stat.S_ISREG(mode):
            return FileFormat.DEVICE
        with open(place, "rb") as file:
            start = file.read(_HEAD_BYTES)
        return _of_bytes(place, start) if start else FileFormat.EMPTY
    except (FileNotFoundError, NotADirectoryError):
        return FileFormat.MISSING
    except PermissionError:
        return FileFormat.UNREADABLE
    except (OSError, ValueError):
        return FileFormat.UNKNOWN


def misfit(
    path: str | os.PathLike[str], wanted: FileFormat, reason: str, expected: str = "", remedy: str = ""
) -> Problem:
    """Say what is wrong with ``path``, which is not a whole file of the format ``wanted``.

    Args:
        path: of the file that could not be read.
        wanted: its format, had it been the right file.
        reason: what the reader met; it is said where the file is of that format, only damaged, or of none known here.
        expected: in the message; the format's own words by default.
        remedy: in the message, for a file that is missing or damaged.

    Returns:
        The problem, which names what the file is instead if that is known.
    """
    found = format_of(path)
    if found in (wanted, FileFormat.UNKNOWN):
        return Problem(str(path), reason, expected or str(wanted), remedy)
    absent = found in (FileFormat.MISSING, FileFormat.EMPTY)
    return Problem(str(path), str(found), expected or str(wanted), remedy if absent else "")


def _of_folder(folder: Path) -> FileFormat:
    if _has_keys(folder):
        return FileFormat.KEY_FOLDER
    if format_of(folder / "index.json") is FileFormat.INDEX_FILE:
        return FileFormat.SEARCH_INDEX
    return FileFormat.STORE if (folder / "store.json").is_file() else FileFormat.FOLDER


def _has_keys(folder: Path) -> bool:
    held = (folder / "evaluation.key").is_file() or (folder / "secret.key").is_file()
    return held and (folder / "public.key").is_file()


def _of_bytes(path: Path, start: bytes) -> FileFormat:
    if start.startswith(_BUNDLE):
        return _BUNDLES.get(int.from_bytes(start[_BUNDLE_KIND]), FileFormat.UNKNOWN)
    if _QUERY.match(start):
        return FileFormat.QUERY
    if start.startswith(_RELEASE_KEY):
        return FileFormat.RELEASE_KEY
    if start.startswith(_TEMPLATE_KEY):
        return FileFormat.TEMPLATE_KEY
    if start.startswith(_RECEIPT_KEY):
        return FileFormat.RECEIPT_KEY
    if start.startswith(_SITE_KEY):
        return FileFormat.SITE_KEY
    if start.startswith(_CARD_KEY):
        return FileFormat.CARD_KEY
    if start.startswith(_DEIDENTIFICATION_KEY):
        return FileFormat.DEIDENTIFICATION_KEY
    if start.startswith(_COMPILED):
        return FileFormat.COMPILED
    if start.startswith(_SQLITE) and start[68:72] == _SUBJECT_KEYS:
        return FileFormat.SUBJECT_KEYS
    if start.startswith(b"PK\3\4") or start.startswith(b"PK\5\6"):
        return _of_zip(path)
    if start.startswith(b"PAR1"):
        return _of_parquet(path)
    if start[_BEHIND_PREAMBLE] == _DICOM:
        return FileFormat.DICOM
    if (
        start.startswith(_PICTURES)
        or (start[:4] == b"RIFF" and start[8:12] == b"WEBP")
        or re.match(rb"P[1-6]\s", start)
    ):
        return FileFormat.PICTURE
    if _is_video(start):
        return FileFormat.VIDEO
    if _LEDGER.match(start):
        return FileFormat.LEDGER
    if _ANSWERS.match(start):
        return FileFormat.ANSWER_LEDGER
    if _RECEIPTS.match(start):
        return FileFormat.RECEIPTS
    if _REDACTIONS.match(start):
        return FileFormat.REDACTION_LOG
    if _DEIDENTIFICATIONS.match(start):
        return FileFormat.DEIDENTIFICATION_LOG
    if _LEDGER_HEAD.match(start):
        return FileFormat.LEDGER_HEAD
    if start.startswith(b"-----BEGIN "):
        return FileFormat.PRIVATE_KEY if b"PRIVATE KEY" in start.split(b"\n")[0] else FileFormat.CERTIFICATE
    if _ONNX.match(start):
        return FileFormat.NETWORK
    return _of_text(path, start)


def _is_video(start: bytes) -> bool:
    if start[4:8] == b"ftyp":
        return start[8:12] not in _STILL_BRANDS
    if start[:4] == b"RIFF":
        return start[8:12] == b"AVI "
    transport = len(start) > 376 and start[0] == start[188] == start[376] == 0x47
    return transport or start[4:8] in (b"moov", b"mdat") or bool(_VIDEOS.match(start))


def _of_zip(path: Path) -> FileFormat:
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.removesuffix(".npy") for name in archive.namelist()}
            if not all(name.endswith(".npy") for name in archive.namelist()):
                return FileFormat.ZIP
            if "metadata" in names:
                said = _by_format(json.loads(_text_member(archive, "metadata.npy")))
                if said is not None:
                    return said
    except (zipfile.BadZipFile, zlib.error, ValueError, KeyError, RecursionError, RuntimeError, EOFError):
        return FileFormat.UNKNOWN
    return next((found for needed, found in _BY_ARRAYS if needed <= names), FileFormat.ARRAYS)


def _text_member(archive: zipfile.ZipFile, name: str) -> str:
    """The one string of an npy member, without a look at other types; ValueError for anything else."""
    if archive.getinfo(name).file_size > _LARGEST_TEXT:
        raise ValueError("a text that is too long")
    content = archive.read(name)
    if content[:6] != b"\x93NUMPY":
        raise ValueError("no npy member")
    wide = content[6] > 1
    length = int.from_bytes(content[8 : 12 if wide else 10], "little")
    begin = (12 if wide else 10) + length
    header = ast.literal_eval(content[begin - length : begin].decode("latin-1"))
    if not re.fullmatch(r"<U\d+", header["descr"]) or header["shape"] != ():
        raise ValueError("no text")
    return content[begin:].decode("utf-32-le").rstrip("\0")


def _of_parquet(path: Path) -> FileFormat:
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - 8))
        ending = file.read()
        length = int.from_bytes(ending[:4], "little")
        if ending[4:] != b"PAR1" or length > os.path.getsize(path):
            return FileFormat.UNKNOWN
        file.seek(-8 - length, os.SEEK_END)
        footer = file.read(length)
    if b"privis.fragment" in footer:
        return FileFormat.FRAGMENT
    return FileFormat.TABLE if b"privis.names" in footer else FileFormat.PARQUET


def _of_text(path: Path, start: bytes) -> FileFormat:
    if _TOKEN.fullmatch(start):
        return FileFormat.TOKEN
    if _TOKENS.match(start):
        return FileFormat.TOKENS
    if re.match(rb"\s*<(!doctype|html)", start, re.IGNORECASE):
        return FileFormat.REPORT
    if b"\0" in start or path.stat().st_size > _LARGEST_TEXT:
        return _of_lines(path, start)
    text = path.read_bytes()
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return _of_toml(path, text, start)
    return _of_document(document) or FileFormat.JSON


def _of_toml(path: Path, text: bytes, start: bytes) -> FileFormat:
    try:
        document = tomllib.loads(text.decode())
    except (ValueError, RecursionError):
        return _of_lines(path, start)
    if not document:
        return _of_lines(path, start)
    offered = FileFormat.OFFER_WORDS if _OFFERED & document.keys() else FileFormat.TOML
    return _of_document(document) or offered


def _of_lines(path: Path, start: bytes) -> FileFormat:
    first = start.split(b"\n")[0]
    cells = first.removeprefix(b"\xef\xbb\xbf").strip().split(b",")
    if b"\0" in start or b"path" not in [cell.strip(b' "') for cell in cells]:
        return FileFormat.UNKNOWN
    beside = path.with_name(path.name + ".json")
    if beside.is_file() and format_of(beside) is FileFormat.TABLE_RECORD:
        return FileFormat.TABLE
    return FileFormat.LIST


def _of_document(document: Any) -> FileFormat | None:
    if not isinstance(document, Mapping):
        return None
    known = _by_format(document)
    return known or next((found for needed, found in _BY_KEYS if needed <= document.keys()), None)


def _by_format(document: Any) -> FileFormat | None:
    """By the word ``format`` in a document, whatever its number."""
    said = document.get("format") if isinstance(document, Mapping) else None
    if not isinstance(said, str):
        return None
    return next((found for start, found in _BY_TEXT.items() if said.startswith(start)), None)

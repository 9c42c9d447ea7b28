"""One file of every format that Privis writes or reads, for whoever hands it the wrong one."""

from __future__ import annotations

import csv
import json
from datetime import date
from pathlib import Path

import numpy as np
from PIL import Image

from privis import Laplace, PixelRelease, ReleaseKey
from privis.cards.card_key import CardKey
from privis.cli.classification.classify_words import FeatureWords
from privis.estimators.classification.classifier_file import ClassifierFile
from privis.estimators.classification.default_feature import default_feature
from privis.estimators.classification.split_record import SplitRecord
from privis.estimators.classification.trained_classifier import TrainedClassifier
from privis.estimators.detection.training.detector_file import save_detector
from privis.estimators.search.search_index import Index
from privis.extraction.deidentification.export_key import ExportKey
from privis.extraction.images import extract
from privis.extraction.recipes.search_recipe import colour
from privis.features.colour import ColourHistogram
from privis.features.keypoints.aggregate import Codebook
from privis.features.postprocessing.projection import Projection
from privis.file_formats import FileFormat
from privis.io import tables
from privis.io.face_gallery import FaceGallery
from privis.io.redaction_log import DEIDENTIFICATION, redaction_log
from privis.parties.identity.certificates import AUTHORITY, CERTIFICATE, KEY, make_group
from privis.parties.node.templates import write_templates
from privis.privacy import TemplateKey
from privis.privacy.answers.answer_ledger import AnswerLedger
from privis.privacy.guarantee import no_release
from privis.privacy.learning.logistic_regression import TrainingState
from privis.privacy.ledger.budget import Budget
from privis.privacy.ledger.file import FileLedger
from privis.privacy.pseudonyms.site_key import SiteKey
from privis.privacy.units import Pixels
from privis.program import save
from privis.run.he.wire import key_file
from privis.run.he.wire.ciphertext_messages import MessageKind, written
from privis.run.program_cache import CacheKey, ProgramCache
from privis.serve.http.tokens import issue
from privis.serve.offerings.offer import Offer
from privis.serve.offerings.offering import Estimate, Terms
from privis.stores import VectorRows, VectorSpace
from privis.stores.erasure.erasing import erased
from privis.stores.erasure.gallery_erasure import GalleryErasure
from privis.stores.erasure.receipt_key import ReceiptKey
from privis.stores.lance.lance_record import BegunChange, LanceRecord
from privis.stores.parquet import ParquetStore
from privis.stores.parquet.store_files import StoreFolder
from privis.tasks import LinearHead, LinearMap, Link, UnitLength
from privis.tasks.verification import CalibrationTable
from privis.training import checkpoints
from privis.training.heads import Head
from tests.estimators.detection.training.discs import small_detector
from tests.io.images.dicom.dicom_files import write

JOB = Path(__file__).resolve().parents[3] / "examples" / "mpc" / "job.toml"
SPECIFICATION = "ab" * 32


def every_file(folder: Path) -> dict[FileFormat, Path]:
    """Make them in ``folder``; a table is an npz file."""
    Image.fromarray(np.arange(48, dtype=np.uint8).reshape(4, 4, 3)).save(folder / "picture.png")
    release = PixelRelease(Laplace(4.0), Pixels(4))
    card = extract(ColourHistogram(bins=2), [folder / "picture.png"], release=release).card
    (folder / "card.json").write_text(card.to_json())
    (folder / "run.json").write_text(json.dumps({"output": "x", "rows": 1, "card": card.to_dict()}))
    stored_table(folder / "table.npz", card.to_json())
    stored_table(folder / "beside.csv", card.to_json())
    Head(("a", "b"), np.ones((2, 7)), no_release()).save(folder / "head.npz")
    linear = LinearHead(("a", "b"), (UnitLength(), LinearMap(np.ones((2, 7)), np.zeros(2))), Link.SOFTMAX)
    linear.save(folder / "linear.npz")
    scores = LinearHead(("a", "b"), (LinearMap(np.ones((1, 640)), np.zeros(1)),), Link.LOGISTIC)
    model = TrainedClassifier(default_feature(), ("a", "b"), scores, words=FeatureWords().to_dict())
    ClassifierFile.of(model).save(folder / "images.model")
    SplitRecord.of(["ann"], ["0" * 64]).save(folder / "images.model.split")
    save_detector(small_detector(), folder / "things.model")
    CalibrationTable.of_templates(bytes(32), "network", "axes", np.eye(2), ["a", "b"]).save(folder / "calibration.json")
    (folder / "gallery").write_bytes(gallery().to_bytes())
    Index.build(folder / "photos.index", [folder / "picture.png"], recipe=colour(), words={"name": "colour"})
    save(ColourHistogram(bins=2).program((4, 4, 3)), folder / "program.npz")
    ProgramCache(folder / "programs").store(CacheKey("code", "0" * 64), [b"content"])
    state = TrainingState(0, np.ones((2, 7)), np.ones((2, 7)), np.ones((2, 7)), 0.0, 0.0, None)
    checkpoints.save(folder / "checkpoint.npz", "0" * 32, state)
    Projection.random(6, 2).save(folder / "projection.npz")
    Codebook(np.eye(2, 4, dtype=np.float32), "two words").save(folder / "codebook.npz")
    np.savez(folder / "arrays.npz", something=np.ones(3))
    ReleaseKey(bytes(range(32))).save(folder / "release.key")
    TemplateKey(bytes(range(32))).save(folder / "template.key")
    SiteKey(bytes(range(32))).save(folder / "site.key")
    CardKey(bytes(range(32))).save(folder / "card.key")
    for kind in key_file.KeyKind:
        key_file.write(folder / f"{kind.name.lower()}.bundle", kind, SPECIFICATION, b"content")
    (folder / "query.bin").write_bytes(written(MessageKind.QUERY, SPECIFICATION, [b"content"]))
    Offer(ColourHistogram(bins=2).program((4, 4, 3))).save(folder / "offer.npz")
    FileLedger.create(folder / "budget", Budget(4.0, 1e-6))
    AnswerLedger.create(folder / "answers")
    issue("alice", folder / "tokens", folder / "alice.token")
    terms = Terms("hog", "hog of pictures", SPECIFICATION, "{}", Estimate(1, 1, 1, 1, 1))
    (folder / "terms.json").write_text(terms.to_json())
    (folder / "job.toml").write_text(JOB.read_text())
    group = {"a": "localhost:9440", "b": "localhost:9441", "c": "localhost:9442"}
    make_group(folder / "group", {**dict.fromkeys(group, "localhost"), "sender": None}, 30)
    write_templates(folder / "group", group, {}, ["sender"])
    (folder / "report.html").write_text("<!doctype html>\n<title>a page</title>\n")
    (folder / "offer.toml").write_text('feature = "colour"\nparameters = { size = [4, 4] }\n')
    with redaction_log(folder / "painted", "0" * 64) as log:
        log.append({"name": "a.png", "input": "1" * 64, "output": "2" * 64, "regions": [{"kind": "face"}]})
    with redaction_log(folder / "export", "0" * 64, DEIDENTIFICATION) as log:
        log.append({"name": "a.dcm", "input": "1" * 64, "output": "2" * 64, "regions": []})
    ExportKey(bytes(range(32))).save(folder / "export.key")
    index = ParquetStore.create(folder / "index", VectorSpace(bytes(32), "a network", 2))
    index.add(VectorRows(("a.png",), ("ann",), ("0" * 64,), np.ones((1, 2), np.float32)))
    StoreFolder(folder).write_journal((1,))
    (folder / "erased").write_bytes(erasable().to_bytes())
    store, files = GalleryErasure.of(folder / "erased")
    receipt = erased(store, ["bob"], files)
    (folder / "receipt.json").write_text(json.dumps(receipt.to_dict()))
    (folder / "salt").write_text(ReceiptKey.load(files.key).salt(receipt.subjects[0].nonce, 0))
    (folder / "lance.json").write_bytes(LanceRecord("0" * 32, VectorSpace(bytes(32), "a network", 2), True).to_bytes())
    (folder / "change.json").write_bytes(BegunChange("erase", "rows-1").to_bytes())
    (folder / "other.json").write_text("{}")
    (folder / "other.toml").write_text("a = 1\n")
    (folder / "anything").write_bytes(b"\xff\xfe anything else")
    (folder / "empty").write_bytes(b"")
    (folder / "folder").mkdir()
    with open(folder / "list.csv", "w", newline="") as file:
        csv.writer(file).writerows([("path", "label"), ("picture.png", "a")])
    (folder / "network.onnx").write_bytes(network())
    (folder / "beside.txt").write_bytes(b"PK\3\4 no zip")
    return {
        FileFormat.TABLE: folder / "table.npz",
        FileFormat.HEAD: folder / "head.npz",
        FileFormat.LINEAR_HEAD: folder / "linear.npz",
        FileFormat.CLASSIFIER: folder / "images.model",
        FileFormat.SPLIT_RECORD: folder / "images.model.split",
        FileFormat.DETECTOR: folder / "things.model",
        FileFormat.CALIBRATION: folder / "calibration.json",
        FileFormat.FACE_GALLERY: folder / "gallery",
        FileFormat.SEARCH_INDEX: folder / "photos.index",
        FileFormat.INDEX_FILE: folder / "photos.index" / "index.json",
        FileFormat.REDACTION_LOG: folder / "painted.redaction.jsonl",
        FileFormat.DEIDENTIFICATION_LOG: folder / "export.deidentification.jsonl",
        FileFormat.DEIDENTIFICATION_KEY: folder / "export.key",
        FileFormat.PROGRAM: folder / "program.npz",
        FileFormat.COMPILED: next((folder / "programs").iterdir()),
        FileFormat.CHECKPOINT: folder / "checkpoint.npz",
        FileFormat.PROJECTION: folder / "projection.npz",
        FileFormat.CODEBOOK: folder / "codebook.npz",
        FileFormat.ARRAYS: folder / "arrays.npz",
        FileFormat.RELEASE_KEY: folder / "release.key",
        FileFormat.TEMPLATE_KEY: folder / "template.key",
        FileFormat.SITE_KEY: folder / "site.key",
        FileFormat.CARD_KEY: folder / "card.key",
        FileFormat.SECRET_KEY: folder / "secret.bundle",
        FileFormat.EVALUATION_KEY: folder / "evaluation.bundle",
        FileFormat.PUBLIC_KEY: folder / "public.bundle",
        FileFormat.KEPT_QUERY: folder / "kept.bundle",
        FileFormat.ANSWER: folder / "answer.bundle",
        FileFormat.QUERY: folder / "query.bin",
        FileFormat.OFFER: folder / "offer.npz",
        FileFormat.OFFER_WORDS: folder / "offer.toml",
        FileFormat.STORE: folder / "index",
        FileFormat.STORE_MANIFEST: folder / "index" / "store.json",
        FileFormat.FRAGMENT: next((folder / "index").glob("fragment-*")),
        FileFormat.STORE_JOURNAL: folder / "erasure.json",
        FileFormat.SUBJECT_KEYS: folder / "index.keys",
        FileFormat.LANCE_STORE: folder / "lance.json",
        FileFormat.LANCE_CHANGE: folder / "change.json",
        FileFormat.LEDGER: folder / "budget",
        FileFormat.ANSWER_LEDGER: folder / "answers",
        FileFormat.ERASURE_RECEIPT: folder / "receipt.json",
        FileFormat.RECEIPTS: folder / "erased.receipts",
        FileFormat.RECEIPT_KEY: folder / "erased.receipts.key",
        FileFormat.LEDGER_HEAD: folder / "budget.head",
        FileFormat.TOKEN: folder / "alice.token",
        FileFormat.TOKENS: folder / "tokens",
        FileFormat.CARD: folder / "card.json",
        FileFormat.RUN: folder / "run.json",
        FileFormat.TABLE_RECORD: folder / "beside.csv.json",
        FileFormat.TERMS: folder / "terms.json",
        FileFormat.JOB: folder / "job.toml",
        FileFormat.PARTY: folder / "group" / "a" / "party.toml",
        FileFormat.SUBMITTER: folder / "group" / "sender" / "submitter.toml",
        FileFormat.CERTIFICATE: folder / "group" / "a" / CERTIFICATE,
        FileFormat.PRIVATE_KEY: folder / "group" / "a" / KEY,
        FileFormat.REPORT: folder / "report.html",
        FileFormat.JSON: folder / "other.json",
        FileFormat.TOML: folder / "other.toml",
        FileFormat.LIST: folder / "list.csv",
        FileFormat.PICTURE: folder / "picture.png",
        FileFormat.VIDEO: clip(folder / "clip.avi"),
        FileFormat.DICOM: write(folder / "scan.dcm", np.arange(16, dtype=np.uint8).reshape(4, 4)),
        FileFormat.NETWORK: folder / "network.onnx",
        FileFormat.FOLDER: folder / "folder",
        FileFormat.EMPTY: folder / "empty",
        FileFormat.MISSING: folder / "nothing there",
        FileFormat.UNKNOWN: folder / "anything",
    }


def gallery() -> FaceGallery:
    """Two people; the date of one has passed."""
    rows = np.full((2, 4), 0.5)
    with_ann = FaceGallery(bytes(32), "network").with_images(["ann"] * 2, ["a1", "a2"], rows, date(2026, 11, 30))
    return with_ann.with_images(["bob"], ["b1"], rows[:1], date(2019, 1, 1), date(2020, 1, 1))


def clip(path: Path) -> Path:
    """Four frames of motion JPEG in an AVI, written by OpenCV, which every installation has."""
    import cv2

    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (32, 16))
    for number in range(4):
        writer.write(np.full((16, 32, 3), 50 * number, np.uint8))
    writer.release()
    return path


def erasable() -> FaceGallery:
    """Two people whose templates can be told from other bytes."""
    rows = np.random.default_rng(1).normal(size=(2, 16))
    return FaceGallery(bytes(32), "network").with_images(["ann", "bob"], ["a1", "b1"], rows, date(2026, 11, 30))


def stored_table(path: Path, card: str = "{}") -> Path:
    """A table of two rows of six components."""
    names = [f"colour_{number}" for number in range(6)]
    metadata = {"privis.card": card}
    rows = np.arange(12, dtype=np.float32).reshape(2, 6)
    tables.write(path, ["one.png", "two.png"], [rows], names=names, metadata=metadata)
    return path


def network() -> bytes:
    """An ONNX model: its bytes where there is no onnx to make one."""
    try:
        from onnx import TensorProto, helper
    except ImportError:
        return b"\x08\x08\x12\x06privis"
    shapes = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 1, 4, 4]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "net", shapes[:1], shapes[1:])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString()


__all__ = ["AUTHORITY", "SPECIFICATION", "every_file", "network", "stored_table"]

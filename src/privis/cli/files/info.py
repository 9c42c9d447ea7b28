"""``privis info``: what a file is and what it says, of every format of Privis; secrets are never shown."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import typer

from privis.cli.console import explained, out
from privis.cli.files.classifier_facts import classifier_facts, detector_facts, split_record_facts
from privis.cli.files.face_facts import calibration_facts, gallery_facts, template_key_facts
from privis.cli.files.index_facts import index_facts, index_file_facts
from privis.cli.files.key_facts import card_key_facts, certificate_facts, site_key_facts, token_facts, tokens_facts
from privis.cli.files.receipt_facts import erasure_facts, receipt_key_facts, receipt_log_facts
from privis.cli.files.video_lines import lines_of_video
from privis.errors import ParameterError, Problem, ProtocolError
from privis.file_formats import FileFormat, format_of

_SHOWN = 6
_NO_FILE = (FileFormat.MISSING, FileFormat.UNREADABLE, FileFormat.EMPTY, FileFormat.DEVICE)

Files = Annotated[
    list[Path], typer.Argument(metavar="FILE…", help="Tables, cards, ledgers, classifiers, programs, keys.")
]


def info(files: Files) -> None:
    """Say what files are and what they hold: features, guarantees, budgets, classes, programs. Never a secret.

    privis info hog.parquet budget head.npz
    """
    with explained():
        for path in files:
            found = format_of(path)
            if found in _NO_FILE:
                raise ParameterError(Problem(str(path), str(found), "a file of Privis", "check the path"))
            if found not in _FACTS:
                expected = "a table, a card, a ledger, a classifier, a program, a key or another file of Privis"
                raise ParameterError(Problem(str(path), str(found), expected))
            out.print(f"{path}: {found}", markup=False, soft_wrap=True)
            for line in _FACTS[found](path):
                out.print(f"  {line}", markup=False, soft_wrap=True)


def _table(path: Path) -> Iterator[str]:
    from privis.io import tables

    table = tables.read(path)
    yield f"{len(table.paths):,} rows of {table.features.shape[1]:,} components: {_some(table.names)}"
    if "privis.card" in table.metadata:
        yield from _card_lines(json.loads(table.metadata["privis.card"]))
    elif "privis.guarantee" in table.metadata:
        yield _sentence(json.loads(table.metadata["privis.guarantee"]))
    if "privis.receipt" in table.metadata:
        yield from _receipt_lines(json.loads(table.metadata["privis.receipt"]))


def _card(path: Path) -> Iterator[str]:
    found = json.loads(path.read_text(encoding="utf-8"))
    try:
        yield from _card_lines(found.get("card", found))
    except (KeyError, TypeError, AttributeError) as error:
        raise ParameterError(Problem(str(path), f"{type(error).__name__}: {error}", "a whole card")) from None


def _card_lines(card: Mapping[str, Any]) -> Iterator[str]:
    if not card:
        return
    yield f"feature: {_described(card['feature'])}"
    yield f"computed under: {_described(card['under'])}"
    if card["release"] is not None:
        yield f"release: {_described(card['release'])}"
    images = f"{card['images']:,}" if card["images"] else "a number that the release hides"
    yield f"images: {images}; Privis {card['version']}"
    yield _sentence(card["guarantee"])
    yield str(card["threat_model"])


def _described(values: Mapping[str, Any]) -> str:
    """Class and parameters in one line.

    >>> _described({"class": "Laplace", "epsilon": 4.0})
    'Laplace(epsilon=4.0)'
    """
    words = ", ".join(f"{key}={_value(value)}" for key, value in values.items() if key not in ("class", "name"))
    return f"{values.get('class', values.get('name', 'unknown'))}({words})"


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return _described(value)
    return str(value) if not isinstance(value, str) or len(value) < 80 else f"{value[:77]}…"


def _sentence(guarantee: Mapping[str, Any]) -> str:
    return str(guarantee.get("sentence", "no guarantee is stated"))


def _head(path: Path) -> Iterator[str]:
    from privis.training.heads import Head

    head = Head.load(path)
    yield f"{len(head.classes)} classes: {_some(head.classes)}; vectors of {head.components:,} components"
    if head.feature:
        yield f"trained on: {_described(head.feature)}"
    yield head.guarantee.sentence


def _linear_head(path: Path) -> Iterator[str]:
    from privis.tasks.linear_head import LinearHead
    from privis.tasks.linear_stages import Square, UnitLength

    head = LinearHead.load(path)
    unit = ", brought to length 1" if any(isinstance(stage, UnitLength) for stage in head.stages) else ""
    unit += ", through squares" if any(isinstance(stage, Square) for stage in head.stages) else ""
    yield f"{len(head.names)} scores: {_some(head.names)}; vectors of {head.components:,} components{unit}"
    yield f"{len(head.classes)} names: {_some(head.classes)}; what follows from the scores: {head.link.value}"
    yield "its numbers are exact: whoever reads the file may learn of what it was trained on"


def _program(path: Path) -> Iterator[str]:
    from privis.program import digest, load
    from privis.readings import cost

    program = load(path)
    for number, given in enumerate(program.inputs):
        yield f"input {number}: {given.shape}, from {given.low:g} to {given.high:g}"
    yield f"outputs: {', '.join(map(str, program.output_shapes))}"
    counts = Counter(type(node.op).__name__ for node in program.nodes)
    yield f"{len(program.nodes)} nodes: {', '.join(f'{name} {count}' for name, count in counts.most_common())}"
    yield f"{cost(program).operations or 0:,} operations; digest {digest(program)}"


def _compiled(path: Path) -> Iterator[str]:
    from privis.run.program_cache import stored_key

    key = stored_key(path)
    yield f"{key.get('kind')} of the program {key.get('program')}, by Privis {key.get('privis')}"
    yield f"{path.stat().st_size:,} bytes; deleting it costs time and nothing else"


def _checkpoint(path: Path) -> Iterator[str]:
    import numpy as np

    with np.load(path, allow_pickle=False) as members:
        text = json.loads(str(members["metadata"]))
    yield f"step {text['step']:,}; the same `privis train` goes on from it"


def _projection(path: Path) -> Iterator[str]:
    from privis.features.postprocessing.projection import Projection

    yield repr(Projection.load(path))


def _codebook(path: Path) -> Iterator[str]:
    from privis.features.keypoints.aggregate import Codebook

    found = Codebook.load(path)
    yield f"{found.centres.shape[0]:,} words of {found.centres.shape[1]} components, from {found.source}"


def _release_key(path: Path) -> Iterator[str]:
    from privis.privacy import ReleaseKey

    ReleaseKey.load(path)  # refuses one that others may read
    yield "whole, and readable by you alone; whoever has it can take the noise away, so it is not shown"


def _bundle(path: Path) -> Iterator[str]:
    from privis.run.he.wire import key_file

    found = key_file.inspect(path)
    yield f"{found.size:,} bytes, whole; for the specification {found.spec}"
    if found.kind is key_file.KeyKind.SECRET:
        yield "it never leaves you; whoever has it can read your images, so it is not shown"


def _query(path: Path) -> Iterator[str]:
    from privis.run.he.wire.ciphertext_messages import MessageKind, specification_of

    content = path.read_bytes()
    yield f"{len(content):,} bytes, whole; for the specification {specification_of(MessageKind.QUERY, content)}"


def _offer(path: Path) -> Iterator[str]:
    from privis.serve.offerings.offer_file import load_offer

    found = load_offer(path)
    yield f"{found.name}: {found.summary}"
    yield f"a program of {len(found.program.nodes)} nodes with its weights, {'private' if found.private else 'public'}"


def _key_folder(path: Path) -> Iterator[str]:
    from privis.serve.client.key_folder import KeyFolder

    folder = KeyFolder(path)
    yield from _terms_lines(folder.terms())
    if folder.evaluation.exists():
        yield f"{folder.evaluation.stat().st_size:,} bytes for the server; the secret key is not shown"
    else:
        yield "the secret key, which is not shown; evaluation keys lie elsewhere"


def _terms(path: Path) -> Iterator[str]:
    from privis.serve.offerings.offering import Terms

    return _terms_lines(Terms.from_json(path.read_bytes()))


def _terms_lines(terms: Any) -> Iterator[str]:
    from privis.serve.answering import stated_limits
    from privis.serve.offerings.offer_security import parameters_of

    yield f"{terms.name}: {terms.summary}"
    estimate = terms.estimate
    yield f"about {estimate.seconds:.1f} s a job of up to {estimate.images:,} images"
    yield f"keys of {estimate.keys_bytes:,} bytes, a message of {estimate.message_bytes:,}"
    with suppress(ProtocolError):  # of another version: what they say in words is shown all the same
        yield parameters_of(terms).security
    yield f"specification {terms.digest}"
    if limits := stated_limits(terms):
        yield limits


def _ledger(path: Path) -> Iterator[str]:
    from privis.privacy.ledger.file import FileLedger

    opened = FileLedger(path)
    yield opened.budget.sentence
    audit = opened.verify()
    yield f"charges: {audit.charges:,}, records: {audit.records:,}, head {audit.head}"
    yield "intact" if not audit.problems else f"not intact: {'; '.join(map(str, audit.problems))}"


def _answers(path: Path) -> Iterator[str]:
    from privis.privacy.answers.answer_ledger import AnswerLedger

    opened = AnswerLedger(path)
    audit = opened.verify()
    yield f"lines: {audit.charges:,}, clients and galleries: {audit.records:,}, head {audit.head}"
    yield "intact" if not audit.problems else f"not intact: {'; '.join(map(str, audit.problems))}"


def _redactions(path: Path) -> Iterator[str]:
    """Also of de-identifications, whose lines begin alike."""
    with open(path, "rb") as file:
        entries = {entry["name"]: entry for entry in map(json.loads, list(file)[1:])}
    regions = sum(len(entry["regions"]) for entry in entries.values())
    yield f"pictures: {len(entries):,}, painted regions: {regions:,}"
    yield "It says where faces and texts were, and holds digests of the originals: keep it inside"


def _ledger_head(path: Path) -> Iterator[str]:
    yield f"it belongs to {path.with_suffix('')}; keep both, in one place"


def _job(path: Path) -> Iterator[str]:
    from privis.parties.job.specification import load_specification

    job = load_specification(path)
    yield f"{job.name}: {job.task} among {', '.join(job.parties)}, protocol {job.preset}"
    lent = ", ".join(f"{use.lends} of {use.owner}" for use in job.inputs.values())
    yield f"inputs: {lent}; release: {'none' if job.release is None else dict(job.release)}"
    yield f"digest {job.digest}; `privis mpc show` says who will see what"


def _receipt(path: Path) -> Iterator[str]:
    return _receipt_lines(json.loads(path.read_text(encoding="utf-8")))


def _receipt_lines(receipt: Mapping[str, Any]) -> Iterator[str]:
    yield f"of job {receipt.get('job')}, for {receipt.get('member')}, sent by {receipt.get('submitter')}"
    yield str(receipt.get("threat_model", ""))


def _configuration(path: Path) -> Iterator[str]:
    import tomllib

    yield f"of {tomllib.loads(path.read_text(encoding='utf-8')).get('name')}"


def _offer_words(path: Path) -> Iterator[str]:
    import tomllib

    said = tomllib.loads(path.read_text(encoding="utf-8"))
    yield ", ".join(f"{key} {value}" for key, value in said.items())
    yield "`privis stage prepare --offer` compiles it"


def _network(path: Path) -> Iterator[str]:
    from privis.program.onnx.translate import network_input, parse_onnx, read_onnx

    model = parse_onnx(read_onnx(path), str(path))
    given = network_input(model)
    size = f"{given.height or 'any'} x {given.width or 'any'}"
    yield f"input {given.name}: {size} pixels, {'grey' if given.planes == 1 else 'RGB'}"
    counts = Counter(node.op_type for node in model.graph.node)
    yield f"{len(model.graph.node)} nodes: {', '.join(f'{name} {count}' for name, count in counts.most_common())}"


def _picture(path: Path) -> Iterator[str]:
    from privis.io.images.decode import load

    shape = load(path).shape
    yield f"{shape[0]} x {shape[1]} pixels, {'grey' if len(shape) == 2 else 'RGB'}, as features read it"


def _dicom(path: Path) -> Iterator[str]:
    """Of the header nothing but what says how pixels are stored."""
    from privis.io.images.dicom.pictures import frame_count, stored_as

    frames = frame_count(path)
    yield f"{stored_as(path)}; {'1 frame' if frames == 1 else f'{frames:,} frames'}"
    yield from _picture(path)


def _record(path: Path) -> Iterator[str]:
    yield f"it belongs to {path.with_suffix('')}; keep both, in one place"


def _list(path: Path) -> Iterator[str]:
    with open(path, encoding="utf-8-sig", errors="replace") as file:
        yield f"columns: {_some(file.readline().strip().split(','))}"


def _private(path: Path) -> Iterator[str]:
    yield "not shown"


def _some(words: Any) -> str:
    listed = list(map(str, words))
    return ", ".join(listed[:_SHOWN]) + (f" and {len(listed) - _SHOWN:,} more" if len(listed) > _SHOWN else "")


_FACTS: Mapping[FileFormat, Callable[[Path], Iterator[str]]] = MappingProxyType(
    {
        FileFormat.TABLE: _table,
        FileFormat.CARD: _card,
        FileFormat.RUN: _card,
        FileFormat.HEAD: _head,
        FileFormat.LINEAR_HEAD: _linear_head,
        FileFormat.CLASSIFIER: classifier_facts,
        FileFormat.SPLIT_RECORD: split_record_facts,
        FileFormat.DETECTOR: detector_facts,
        FileFormat.CALIBRATION: calibration_facts,
        FileFormat.FACE_GALLERY: gallery_facts,
        FileFormat.PROGRAM: _program,
        FileFormat.COMPILED: _compiled,
        FileFormat.CHECKPOINT: _checkpoint,
        FileFormat.PROJECTION: _projection,
        FileFormat.CODEBOOK: _codebook,
        FileFormat.RELEASE_KEY: _release_key,
        FileFormat.TEMPLATE_KEY: template_key_facts,
        FileFormat.ERASURE_RECEIPT: erasure_facts,
        FileFormat.RECEIPTS: receipt_log_facts,
        FileFormat.RECEIPT_KEY: receipt_key_facts,
        FileFormat.SITE_KEY: site_key_facts,
        FileFormat.CARD_KEY: card_key_facts,
        FileFormat.SECRET_KEY: _bundle,
        FileFormat.EVALUATION_KEY: _bundle,
        FileFormat.PUBLIC_KEY: _bundle,
        FileFormat.KEPT_QUERY: _bundle,
        FileFormat.ANSWER: _bundle,
        FileFormat.QUERY: _query,
        FileFormat.OFFER: _offer,
        FileFormat.OFFER_WORDS: _offer_words,
        FileFormat.KEY_FOLDER: _key_folder,
        FileFormat.TERMS: _terms,
        FileFormat.LEDGER: _ledger,
        FileFormat.ANSWER_LEDGER: _answers,
        FileFormat.LEDGER_HEAD: _ledger_head,
        FileFormat.REDACTION_LOG: _redactions,
        FileFormat.DEIDENTIFICATION_LOG: _redactions,
        FileFormat.DEIDENTIFICATION_KEY: _private,
        FileFormat.SEARCH_INDEX: index_facts,
        FileFormat.INDEX_FILE: index_file_facts,
        FileFormat.TOKEN: token_facts,
        FileFormat.TOKENS: tokens_facts,
        FileFormat.JOB: _job,
        FileFormat.RECEIPT: _receipt,
        FileFormat.PARTY: _configuration,
        FileFormat.SUBMITTER: _configuration,
        FileFormat.CERTIFICATE: certificate_facts,
        FileFormat.PRIVATE_KEY: _private,
        FileFormat.NETWORK: _network,
        FileFormat.PICTURE: _picture,
        FileFormat.DICOM: _dicom,
        FileFormat.VIDEO: lines_of_video,
        FileFormat.TABLE_RECORD: _record,
        FileFormat.LIST: _list,
    }
)

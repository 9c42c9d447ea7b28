"""``privis face enrol``, ``remove`` and ``list``: who is in a gallery."""

from __future__ import annotations

import json
import os
import sys
from contextlib import nullcontext
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from privis.cli.console import NO, SOME_FAILED, UNUSABLE, err, explained, out, working
from privis.cli.faces.face_options import (
    AsJson,
    Choice,
    ChoiceName,
    Detector,
    Embedder,
    EmbedderInput,
    Epsilon,
    GalleryFile,
    Head,
    HeadName,
    Key,
    KeyOfTemplates,
    LedgerPath,
    Pictures,
    ReleaseName,
)
from privis.cli.faces.face_words import DEFAULT_INPUT, FaceWords, identifier_of, warnings_in_words
from privis.cli.faces.release_words import EnrolmentFiles, require_release
from privis.cli.faces.subject_words import FORMS, NamedPictures, named_pictures
from privis.errors import ParameterError, Problem
from privis.io.atomic import check_writable

SubjectFrom = Annotated[str | None, typer.Option(help=f"Where it stands whose a picture is: {FORMS}.")]
Subject = Annotated[str | None, typer.Option(help="Whose all these pictures are, instead of --subject-from.")]
Subjects = Annotated[list[str] | None, typer.Option("--subject", help="Id of a person; repeatable.")]
RetainUntil = Annotated[str | None, typer.Option(help="Last day on which these people may be recognised, YYYY-MM-DD.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Most people that the gallery may hold; 99,999 unless set.")]
Expired = Annotated[bool, typer.Option("--expired", help="Everybody whose date of retention has passed.")]
NEAR_FILING = 5_000
"""People that are left before the duty to register, from which on every enrolment says so."""


def enrol(
    gallery: GalleryFile,
    images: Pictures,
    subject_from: SubjectFrom = None,
    subject: Subject = None,
    retain_until: RetainUntil = None,
    limit: Limit = None,
    detector: Detector = None,
    detector_head: Head = HeadName.YUNET,
    embedder: Embedder = None,
    embedder_input: EmbedderInput = DEFAULT_INPUT,
    face: Choice = ChoiceName.CENTRAL,
    release: ReleaseName = None,
    epsilon: Epsilon = None,
    key: Key = None,
    ledger: LedgerPath = None,
    template_key: KeyOfTemplates = None,
    as_json: AsJson = False,
) -> None:
    """Put people into a gallery, which is made if it is not there. The same command again changes nothing.

    privis face enrol gate people/ --subject-from folder

    privis face enrol gate shots/ --subject-from 'filename:(.+)_[0-9]+' --retain-until 2027-11-30

    privis face enrol gate people/ --subject-from folder --release privunit --epsilon 16

    With --release the mean of a person's pictures is released once, and people who are enrolled are refused. The ledger
    GALLERY.ledger is made with the first release, unless one is named: removing somebody gives no budget back.
    """
    with explained():
        from privis.extraction.faces.face_templates import RefusedFace
        from privis.io.face_gallery import FaceGallery
        from privis.io.gallery_writer import changing

        until = None if retain_until is None else _coming_day("--retain-until", retain_until)
        check_writable(gallery)
        known = FaceGallery.load(gallery) if os.path.lexists(gallery) else None  # before minutes go into templates
        pictures = _named(images, subject_from, subject)
        if pictures.advice:
            err.print(f"privis: warning: {pictures.advice}", markup=False, soft_wrap=True)
        words = FaceWords(
            detector, detector_head, embedder, embedder_input, face,
            release=release, epsilon=epsilon, key=key, ledger=ledger,
        )  # fmt: skip
        words = replace(words, transform=template_key)
        identifier = identifier_of(words)
        if known is not None:
            known.require_embedding(identifier.embedding, identifier.network, str(gallery))
            require_release(identifier.release, known, str(gallery))
        refused: dict[str, RefusedFace] = {path: RefusedFace((), (why,)) for path, why in pictures.unnamed.items()}
        subjects: tuple[str, ...] = ()
        used = left = people = 0
        if pictures.paths:
            with warnings_in_words(), working("privis face enrol") as show:
                prepared = identifier.prepared(pictures.paths, pictures.subjects, show)
            files = EnrolmentFiles(gallery, key, ledger)
            with changing(gallery) as file:
                before = file.read() or identifier.empty_gallery()
                begun = before if limit is None else replace(before, limit=limit)
                with files.drawing(identifier, begun) if prepared.subjects else nullcontext(identifier) as ready:
                    done = ready.enrolled(begun, prepared, retain_until=until, where=str(gallery))
                    if done.images:
                        file.write(done.gallery)
            refused |= {pictures.paths[place]: why for place, why in sorted(done.refused.items())}
            subjects, used = done.subjects, done.images
            left, people = done.gallery.until_filing, len(done.gallery.people)
        promised = None if not used or done.gallery.guarantee is None else dict(done.gallery.guarantee)
        _tell_enrolled(gallery, subjects, used, people, left, refused, promised, as_json)
        raise SystemExit(0 if not refused else SOME_FAILED if used else UNUSABLE)


def remove(gallery: GalleryFile, subject: Subjects = None, expired: Expired = False, as_json: AsJson = False) -> None:
    """Remove people and all that is theirs, search for what is left of them, and print a signed receipt as JSON.

    privis face remove gate --subject ann > receipt.json

    privis verify receipt.json --index gate
    """
    with explained():
        from privis.io.face_gallery import FaceGallery
        from privis.stores.erasure.erasing import erased
        from privis.stores.erasure.erasure_receipt import OUT_OF_REACH
        from privis.stores.erasure.gallery_erasure import GalleryErasure
        from privis.stores.vector_store import ErasureStatus
        from privis.subjects import subject_ids

        if bool(subject) == expired:
            got = "both" if expired else "neither"
            raise ParameterError(Problem("--subject, --expired", got, "one: ids of people, or --expired"))
        before = FaceGallery.load(gallery)  # a gallery that is missing or damaged is no reason to lock a folder
        today = date.today()
        gone = (
            [person.subject for person in before.people if not person.in_force(today)]
            if expired
            else list(dict.fromkeys(subject_ids(subject, "--subject")))
        )
        ledger = Path(f"{gallery}.ledger")
        store, files = GalleryErasure.of(gallery)
        receipt = erased(store, gone, files, [ledger] if ledger.is_file() else []) if gone else None
        status = ErasureStatus.GONE if receipt is None else receipt.status
        document = {
            "status": status.value, "subjects": gone, "date": today.isoformat(),
            "searched": [str(gallery)] if receipt is None else list(receipt.searched),
            "remains": [] if receipt is None else list(receipt.remains),
            "people": len(FaceGallery.load(gallery).people), "out_of_reach": OUT_OF_REACH,
            "receipt": None if receipt is None else receipt.to_dict(),
        }  # fmt: skip
        print(json.dumps(document))
        raise SystemExit(0 if status is ErasureStatus.GONE else NO)


def list_people(gallery: GalleryFile, as_json: AsJson = False) -> None:
    """Say who is in a gallery, until when, and how far it is from the duty to register it.

    privis face list gate
    """
    with explained():
        from privis.io.face_gallery import FaceGallery

        known, today = FaceGallery.load(gallery), date.today()
        people = [
            {
                "subject": person.subject, "images": person.images, "enrolled": person.enrolled,
                "retain_until": person.retain_until, "in_force": person.in_force(today),
            }
            for person in known.people
        ]  # fmt: skip
        guarantee = None if known.guarantee is None else dict(known.guarantee)
        if as_json:
            document: dict[str, Any] = {
                "subjects": people, "network": known.network, "embedding": known.embedding.hex(),
                "guarantee": guarantee, "limit": known.limit, "until_filing": known.until_filing,
                "template_key": None if known.protection is None else known.protection.key,
            }  # fmt: skip
            print(json.dumps(document))
            return
        table = Table("subject", "images", "enrolled", "may be used until")
        for person in known.people:
            until = person.retain_until or "no date"
            note = until if person.in_force(today) else f"{until}, which has passed"
            table.add_row(person.subject, str(person.images), person.enrolled, note)
        out.print(table)
        out.print(f"{len(people):,} people, templates of {known.network}. {_filing(known.until_filing)}", markup=False)


def _named(images: list[str], source: str | None, subject: str | None) -> NamedPictures:
    from privis.io.images.sources import find
    from privis.subjects import subject_ids

    if (source is None) == (subject is None):
        got = "neither" if source is None else "both"
        raise ParameterError(Problem("--subject-from, --subject", got, f"one: {FORMS}; or --subject ID"))
    if source is not None:
        return named_pictures(images, source, sys.stdin)
    (name,) = subject_ids([subject], "--subject", ["--subject"])
    paths = find(images, sys.stdin)
    return NamedPictures(paths, (name,) * len(paths))


def _coming_day(where: str, text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise ParameterError(Problem(where, repr(text), "a day as YYYY-MM-DD")) from None
    if day < date.today():
        raise ParameterError(Problem(where, f"{text}, which has passed", "a day on which they may be recognised"))
    return day


def _tell_enrolled(
    gallery: Path,
    subjects: tuple[str, ...],
    used: int,
    people: int,
    left: int,
    refused: dict[str, Any],
    promised: dict[str, Any] | None,
    as_json: bool,
) -> None:
    reasons = {path: "; ".join(str(problem) for problem in why.problems) for path, why in refused.items()}
    for why in reasons.values():
        err.print(f"privis: {why}", markup=False, soft_wrap=True)
    if as_json:
        listed = [{"path": path, "why": why} for path, why in reasons.items()]
        document = {"subjects": len(subjects), "images": used, "refused": listed, "people": people}
        document |= {"until_filing": left} | ({} if promised is None else {"guarantee": promised})
        print(json.dumps(document))
        return
    if used:
        told = f"{used:,} pictures of {len(subjects):,} people in {gallery}, which holds {people:,} people."
        out.print(told, markup=False, soft_wrap=True)
        if promised is not None:
            out.print(f"Each template: {promised['sentence']}", markup=False, soft_wrap=True)
        if left <= NEAR_FILING:
            out.print(_filing(left), markup=False, soft_wrap=True)


def _filing(left: int) -> str:
    from privis.io.face_gallery import FILING_LIMIT

    duty = "China's face rule wants a file of faces registered"
    return f"From {FILING_LIMIT:,} people on {duty}: {left:,} more may be stored before that."

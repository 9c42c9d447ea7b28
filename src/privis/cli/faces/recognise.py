"""``privis face verify`` and ``privis face identify``."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from privis.choose.cost.earlier_runs import ENCRYPTED
from privis.cli.console import NO, SOME_FAILED, UNUSABLE, err, explained, out, working
from privis.cli.faces.face_options import (
    AsJson,
    Authority,
    Calibration,
    Choice,
    ChoiceName,
    Detector,
    Embedder,
    EmbedderInput,
    EncryptedGallery,
    Epsilon,
    Gallery,
    Gap,
    Head,
    HeadName,
    Key,
    KeyOfTemplates,
    Keys,
    LedgerPath,
    Pictures,
    ReleaseName,
    Threshold,
    TokenFile,
    Under,
)
from privis.cli.faces.face_words import (
    DEFAULT_INPUT,
    DEFAULT_THRESHOLD,
    FaceWords,
    identifier_of,
    refuse_unreadable,
    verifier_of,
    warnings_in_words,
)
from privis.cli.faces.matcher_words import ServedWords, claimed_template, served_gallery, served_words
from privis.cli.faces.release_words import drawing_once, knowing_release
from privis.cli.scores.run_record import RunNote, note_run
from privis.errors import ParameterError, Problem
from privis.io.images.sources import find

if TYPE_CHECKING:
    from privis.estimators.faces.face_comparison import Verification
    from privis.estimators.faces.identifier import Identification
    from privis.extraction.faces.face_templates import RefusedFace


def verify(
    context: typer.Context,
    reference: Annotated[str, typer.Argument(metavar="A", help="The picture that is known.")],
    probe: Annotated[
        str | None, typer.Argument(metavar="[B]", help="The picture that is asked about; with --gallery it is A.")
    ] = None,
    url: Annotated[str | None, typer.Argument(hidden=True)] = None,
    gallery: Annotated[
        Path | None, typer.Option("--gallery", help="Instead of a known picture: the gallery that --subject is in.")
    ] = None,
    subject: Annotated[
        str | None, typer.Option(help="Of --gallery or a server's: id of the person whom A is said to show.")
    ] = None,
    threshold: Threshold = DEFAULT_THRESHOLD,
    show_score: Annotated[
        bool, typer.Option("--show-score", help="Reveal the cosine, too; it tells more than a decision.")
    ] = False,
    calibration: Calibration = None,
    detector: Detector = None,
    detector_head: Head = HeadName.YUNET,
    embedder: Embedder = None,
    embedder_input: EmbedderInput = DEFAULT_INPUT,
    face: Choice = ChoiceName.CENTRAL,
    under: Under = "clear",
    gap: Gap = None,
    encrypted_gallery: EncryptedGallery = False,
    keys: Keys = None,
    token_file: TokenFile = None,
    authority: Authority = None,
    release: ReleaseName = None,
    epsilon: Epsilon = None,
    key: Key = None,
    ledger: LedgerPath = None,
    template_key: KeyOfTemplates = None,
    as_json: AsJson = False,
) -> None:
    """Tell whether two pictures show one person: exit code 0 if they match, 8 if not.

    privis face verify passport.jpg selfie.jpg --threshold fmr:1e-4

    privis face verify selfie.jpg --gallery gate --subject ann

    With --release A is compared by a template that is released, as one of a gallery would be; B's stays exact.
    """
    with explained(), warnings_in_words():
        typed = detector, detector_head, embedder, embedder_input, face, threshold, calibration
        words = FaceWords(*typed, under, release, epsilon, key, ledger, template_key, gap, encrypted_gallery)
        here = {"show_score": show_score, "gap": gap is not None, "encrypted_gallery": encrypted_gallery}
        here["gallery"] = gallery is not None
        named = [word for word in (reference, probe, url) if word is not None]
        server, pictures = served_words(under, named, keys, token_file, authority, _given(**here))
        if server is None:
            answer = _verified(words, [Path(picture) for picture in pictures], gallery, subject, show_score)
        else:
            answer = _verified_by(server, words, pictures, subject)
        note_run(context, RunNote("face verify", under, len(pictures), 1))
        if as_json:
            document: dict[str, Any] = {"match": answer.match, "fmr": answer.fmr, "undecided": answer.undecided}
            print(json.dumps(document | ({} if answer.score is None else {"score": answer.score})))
        else:
            told = (
                "match" if answer.match else "undecided: too near to the threshold" if answer.undecided else "no match"
            )
            score = "" if answer.score is None else f", cosine {answer.score:.4f}"
            out.print(f"{told} (at the false-match rate {answer.fmr:g}{score})", markup=False, soft_wrap=True)
    raise SystemExit(0 if answer.match else NO)


def identify(
    context: typer.Context,
    probes: Pictures,
    gallery: Gallery = None,
    top: Annotated[int, typer.Option(min=1, help="Most people that are named of each picture.")] = 1,
    threshold: Threshold = DEFAULT_THRESHOLD,
    calibration: Calibration = None,
    detector: Detector = None,
    detector_head: Head = HeadName.YUNET,
    embedder: Embedder = None,
    embedder_input: EmbedderInput = DEFAULT_INPUT,
    face: Choice = ChoiceName.CENTRAL,
    under: Under = "clear",
    gap: Gap = None,
    encrypted_gallery: EncryptedGallery = False,
    keys: Keys = None,
    token_file: TokenFile = None,
    authority: Authority = None,
    release: ReleaseName = None,
    epsilon: Epsilon = None,
    template_key: KeyOfTemplates = None,
    as_json: AsJson = False,
) -> None:
    """Say who is on each picture, among the people of a gallery: exit code 8 if nobody of them is on any.

    privis face identify door/*.jpg --gallery gate --threshold fmr:1e-3

    A gallery of released templates says itself how they were released, and the threshold is that of such templates.
    """
    with explained(), warnings_in_words():
        from privis.io.face_gallery import FaceGallery

        typed = detector, detector_head, embedder, embedder_input, face, threshold, calibration
        words = FaceWords(*typed, under, release, epsilon, None, None, template_key, gap, encrypted_gallery)
        here = _given(gallery=gallery is not None, gap=gap is not None, encrypted_gallery=encrypted_gallery)
        server, listed = served_words(under, probes, keys, token_file, authority, here)
        if server is not None:
            paths = find(listed, sys.stdin)
            with served_gallery(server, identifier_of(replace(words, under="clear"))) as held:
                answers = held.identify(paths, count=top)
        elif gallery is None:
            raise ParameterError(Problem("--gallery", "nothing", "a gallery that privis face enrol made"))
        else:
            known = FaceGallery.load(gallery)
            paths = find(listed, sys.stdin)
            identifier = knowing_release(identifier_of(words), known)
            with working("privis face identify") as show:
                answers = identifier.identify(known, paths, count=top, where=str(gallery), on_progress=show)
            what = ENCRYPTED if encrypted_gallery else ""
            note_run(context, RunNote("face identify", under, len(paths), len(known.subjects), what=what))
        _tell(paths, answers, top, as_json)
        raise SystemExit(_code(answers))


def _verified(
    words: FaceWords, pictures: list[Path], gallery: Path | None, subject: str | None, score: bool
) -> Verification:
    """Compare two pictures, or one with a person of a gallery."""
    from privis.io.face_gallery import FaceGallery

    if (gallery is None) != (subject is None) or len(pictures) != (2 if gallery is None else 1):
        names = {"--gallery": gallery, "--subject": subject}
        got = [f"{len(pictures)} pictures", *(name for name, value in names.items() if value is not None)]
        raise ParameterError(Problem("privis face verify", " ".join(got), "A B, or A --gallery GALLERY --subject ID"))
    if gallery is None or subject is None:
        reference, probe = pictures
        refuse_unreadable(reference, probe)
        return drawing_once(verifier_of(words), words.key).verify(reference, probe, score=score)
    (picture,) = pictures
    known = FaceGallery.load(gallery)
    refuse_unreadable(picture)
    identifier = knowing_release(identifier_of(words), known)
    return identifier.verify(known, subject, picture, score=score, where=str(gallery))


def _verified_by(server: ServedWords, words: FaceWords, pictures: list[str], subject: str | None) -> Verification:
    """Compare a picture with a person whom a server holds."""
    if len(pictures) != 1 or subject is None:
        got = f"{len(pictures)} pictures{'' if subject is None else ' --subject'}"
        raise ParameterError(Problem("privis face verify", got, "A --subject ID --under server URL"))
    refuse_unreadable(Path(pictures[0]))
    with served_gallery(server, verifier_of(replace(words, under="clear"))) as held:
        return held.verify(claimed_template(held, subject), Path(pictures[0]))


def _given(**options: bool) -> list[str]:
    """Names of the options that were given."""
    return [f"--{name.replace('_', '-')}" for name, value in options.items() if value]


def _tell(paths: tuple[str, ...], answers: list[Identification | RefusedFace], top: int, as_json: bool) -> None:
    from privis.extraction.faces.face_templates import RefusedFace

    documents: list[dict[str, Any]] = []
    for path, answer in zip(paths, answers, strict=True):
        if isinstance(answer, RefusedFace):
            why = "; ".join(str(problem) for problem in answer.problems)
            documents.append({"path": path, "subject": None, "undecided": False, "refused": why})
            err.print(f"privis: {why}", markup=False, soft_wrap=True)
            continue
        documents.append({"path": path, "subject": answer.subject, "undecided": answer.undecided})
        if answer.undecided:
            documents[-1]["why"] = answer.why
        if top > 1:
            documents[-1]["subjects"] = list(answer.subjects)
        if not as_json:
            names = ", ".join(answer.subjects) or (f"undecided: {answer.why}" if answer.undecided else "nobody")
            out.print(f"{path}: {names}", markup=False, soft_wrap=True)
    if as_json:
        print(json.dumps(documents))
    elif told := next((each for each in answers if not isinstance(each, RefusedFace)), None):
        most = min(1.0, told.fmr * told.people)
        line = f"At the false-match rate {told.fmr:g} of each, somebody who is not enrolled is taken for one of "
        line += f"{told.people:,} people in a share of up to {most:.2g}, "
        line += "as far as yours are like those of the calibration."
        out.print(line, markup=False, soft_wrap=True)


def _code(answers: list[Identification | RefusedFace]) -> int:
    from privis.extraction.faces.face_templates import RefusedFace

    told = [each for each in answers if not isinstance(each, RefusedFace)]
    if not told:
        return UNUSABLE
    if len(told) < len(answers):
        return SOME_FAILED
    return 0 if any(each.subjects for each in told) else NO

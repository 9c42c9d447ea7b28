"""``privis face evaluate``: error rates on pictures of people who are known, with intervals and curves."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from privis.cli.console import SOME_FAILED, err, explained, out, working
from privis.cli.faces.face_options import (
    AsJson,
    Calibration,
    Choice,
    ChoiceName,
    Detector,
    Embedder,
    EmbedderInput,
    EncryptedGallery,
    Epsilon,
    Gap,
    Head,
    HeadName,
    ReleaseName,
    Threshold,
    Under,
)
from privis.cli.faces.face_words import DEFAULT_INPUT, DEFAULT_THRESHOLD, FaceWords, verifier_of, warnings_in_words
from privis.cli.faces.release_words import release_named
from privis.cli.faces.subject_words import named_pictures
from privis.errors import OutputError, ParameterError, Problem, refuse
from privis.file_formats import FileFormat, misfit
from privis.io.atomic import check_writable, replacing

if TYPE_CHECKING:
    from privis.estimators.faces.evaluation import FaceEvaluation
    from privis.estimators.faces.hidden_evaluation import HiddenDecisions
    from privis.estimators.faces.verifier import Verifier

FALSE_ACCEPTS = ("1e-2", "1e-3", "1e-4")
_SAME = {"1": True, "yes": True, "true": True, "0": False, "no": False, "false": False}
_COLUMNS = ("a", "b", "same")


def evaluate(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER|PAIRS", help="A folder with a sub-folder for each person, or a CSV file with a, b, same."
        ),
    ],
    plots: Annotated[Path | None, typer.Option(help="Folder for roc.svg, det.svg and the curve's numbers.")] = None,
    calibration_output: Annotated[
        Path | None, typer.Option(help="Also write the impostor scores as a calibration table, .json.")
    ] = None,
    threshold: Threshold = DEFAULT_THRESHOLD,
    calibration: Calibration = None,
    detector: Detector = None,
    detector_head: Head = HeadName.YUNET,
    embedder: Embedder = None,
    embedder_input: EmbedderInput = DEFAULT_INPUT,
    face: Choice = ChoiceName.CENTRAL,
    release: ReleaseName = None,
    epsilon: Epsilon = None,
    enrolled: Annotated[
        int, typer.Option("--images", min=1, help="Of --release: pictures that each person enrols with.")
    ] = 1,
    under: Under = "clear",
    gap: Gap = None,
    encrypted_gallery: EncryptedGallery = False,
    draws: Annotated[int, typer.Option(min=2, help="Of --release: draws of pictures and noise.")] = 8,
    as_json: AsJson = False,
) -> None:
    """Measure error rates on pictures of known people, each pair once: EER, true accepts, intervals, curves.

    privis face evaluate people/ --plots curves

    privis face evaluate people/ --embedder mine.onnx --calibration-output mine.json

    privis face evaluate people/ --release privunit --epsilon 16 --images 4 --draws 32

    With --under every pair is also decided so, at the threshold of the stated rate, and compared with the clear.

    With --release the rates are those of exact probes against released templates, with intervals over draws.
    """
    with explained():
        from privis.estimators.faces.evaluation import evaluate_pairs, evaluate_people
        from privis.estimators.faces.hidden_evaluation import decided_hidden

        _check_outputs(plots, calibration_output)
        folder = source.is_dir()
        pairs = [] if folder else _pairs(source)
        noise = release_named(release, epsilon, None, None)
        if noise is not None and not folder:
            expected = "a folder with a sub-folder for each person"
            raise ParameterError(Problem("--release", "a list of pairs", expected, "a person is released, not a pair"))
        if noise is not None and under != "clear":
            raise ParameterError(Problem("--under", "with --release", "one of them: each is measured by itself"))
        if calibration_output is not None and not folder:
            got = "with a list of pairs"
            raise ParameterError(Problem("--calibration-output", got, "a folder with a sub-folder for each person"))
        pictures = named_pictures([str(source)], "folder") if folder else None
        verifier = verifier_of(
            FaceWords(
                detector, detector_head, embedder, embedder_input, face, threshold, calibration, under,
                gap=gap, encrypted_gallery=encrypted_gallery,
            )
        )  # fmt: skip
        if pictures is not None:
            for why in pictures.unnamed.values():
                err.print(f"privis: {why}", markup=False, soft_wrap=True)
            paths: tuple[str, ...] = pictures.paths
            subjects = pictures.subjects
            with warnings_in_words(), working("privis face evaluate") as show:
                measured = evaluate_people(verifier, paths, subjects, show)
        else:
            paths, subjects = tuple(dict.fromkeys(path for first, second, _ in pairs for path in (first, second))), ()
            with warnings_in_words(), working("privis face evaluate") as show:
                measured = evaluate_pairs(verifier, pairs, show)
        if plots is not None:
            _draw(measured, plots)
        if calibration_output is not None:
            _calibrate(measured, verifier, subjects, source, embedder, calibration_output)
        if noise is None:
            hidden = None if under == "clear" else decided_hidden(verifier, measured)
            _tell(measured, verifier, paths, subjects, as_json, hidden)
        else:
            _tell_released(measured, replace(verifier, release=noise), paths, subjects, enrolled, draws, as_json)
        unread = any(not why.findings for why in measured.refused.values())
        raise SystemExit(SOME_FAILED if unread or (pictures is not None and pictures.unnamed) else 0)


def _pairs(path: Path) -> list[tuple[str, str, bool]]:
    """Pairs of a CSV file, whose paths begin in its folder."""
    expected = f"a CSV file with the columns {', '.join(_COLUMNS)}"
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
            rows = [] if missing else list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ParameterError(misfit(path, FileFormat.LIST, f"{type(error).__name__}: {error}", expected)) from None
    if missing:
        raise ParameterError(misfit(path, FileFormat.LIST, f"no column {' and '.join(missing)}", expected))
    problems, found = [], []
    for number, row in enumerate(rows, 2):
        first, second, same = ((row[name] or "").strip() for name in _COLUMNS)
        if not first or not second or same.lower() not in _SAME:
            problems.append(Problem(f"{path}, line {number}", repr(same), "two paths, and 1 (one person) or 0"))
        else:
            found.append((str(path.parent / first), str(path.parent / second), _SAME[same.lower()]))
    if not found and not problems:
        problems.append(Problem(str(path), "no pair", "at least one of one person and one of two"))
    refuse(ParameterError, problems[:20])
    return found


def _check_outputs(plots: Path | None, table: Path | None) -> None:
    if plots is not None:
        try:
            plots.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(Problem(str(plots), error.strerror or "an error", "a folder")) from None
        check_writable(plots / "roc.svg")
    if table is not None:
        check_writable(table)


def _draw(measured: FaceEvaluation, folder: Path) -> None:
    from privis.report.error_curves import ErrorCurve, det_picture, roc_picture

    rates = measured.rates
    curve, pairs = ErrorCurve.of(rates), (rates.genuine.size, rates.impostor.size)
    columns = zip(curve.thresholds, curve.false_matches, curve.false_non_matches, strict=True)
    lines = ["threshold,false_match_rate,false_non_match_rate", *(",".join(f"{v:.6g}" for v in row) for row in columns)]
    texts = {"roc.svg": roc_picture(curve, pairs), "det.svg": det_picture(curve, pairs), "curve.csv": "\n".join(lines)}
    for name, text in texts.items():
        with replacing(folder / name) as temporary:
            temporary.write_text(text if text.endswith("\n") else text + "\n", encoding="utf-8")


def _calibrate(
    measured: FaceEvaluation,
    verifier: Verifier,
    subjects: tuple[str, ...],
    source: Path,
    embedder: Path | None,
    output: Path,
) -> None:
    from privis.tasks.verification import CalibrationTable

    people = [subjects[place] for place in measured.places]
    network = verifier.network if embedder is None else embedder.stem
    words = f"pairs of two people of {source.name}"
    table = CalibrationTable.of_templates(verifier.embedding, network, words, measured.rows, people)
    with replacing(output) as temporary:
        table.save(temporary)


def _tell(
    measured: FaceEvaluation,
    verifier: Verifier,
    paths: tuple[str, ...],
    subjects: tuple[str, ...],
    as_json: bool,
    hidden: HiddenDecisions | None,
) -> None:
    rates = measured.rates
    error = rates.equal_error
    accepts = {name: rates.true_accepts(float(name)) for name in FALSE_ACCEPTS}
    small = [name for name in FALSE_ACCEPTS if not rates.supports(float(name))]
    not_found = [paths[place] for place in sorted(measured.refused)]
    stated = _at_threshold(measured, verifier)
    if as_json:
        document = {
            "eer": error.value, "eer_interval": error.interval,
            "tar": {name: rate.value for name, rate in accepts.items()},
            "tar_interval": {name: rate.interval for name, rate in accepts.items()},
            "too_few_pairs_for": small, "at_threshold": stated,
            "pairs": {"genuine": int(rates.genuine.size), "impostor": int(rates.impostor.size)},
            "repeated": measured.repeated, "images": len(paths), "subjects": len(set(subjects)) or None,
            "not_found": not_found, "network": verifier.network,
        }  # fmt: skip
        document |= {} if hidden is None else {"under": asdict(hidden)}
        print(json.dumps(document, allow_nan=False))
        return
    table = Table("what", "measured", "95 % (Clopper-Pearson)")
    table.add_row("equal error rate", _percent(error.value), _between(error.interval))
    for name, rate in accepts.items():
        note = " (too few impostor pairs: none is accepted)" if name in small else ""
        table.add_row(f"true accepts at {name} false accepts{note}", _percent(rate.value), _between(rate.interval))
    if stated is not None:
        what = f"from a cosine of {stated['cosine']:.3f} on, that of fmr:{stated['fmr']:g}"
        table.add_row(f"false matches {what}", _percent(stated["false_matches"]), _between(stated["fm_interval"]))
        table.add_row("true accepts there", _percent(stated["true_accepts"]), _between(stated["ta_interval"]))
    out.print(table)
    told = f"{rates.genuine.size:,} genuine and {rates.impostor.size:,} impostor pairs of {len(paths):,} pictures"
    repeated = f", without {measured.repeated:,} pairs of one image twice" if measured.repeated else ""
    out.print(f"{told}{repeated}, templates of {verifier.network}.", markup=False, soft_wrap=True)
    out.print("Intervals are for independent pairs; pairs of the same people are not.", markup=False, soft_wrap=True)
    if hidden is not None:
        line = f"Under {hidden.matcher}, of {hidden.pairs:,} pairs {hidden.undecided:,} are undecided and"
        line += f" {hidden.different:,} decided otherwise than in the clear, outside a gap of {hidden.gap:.2g}."
        out.print(line, markup=False, soft_wrap=True)
    _tell_refused(measured)


def _tell_released(
    measured: FaceEvaluation,
    verifier: Verifier,
    paths: tuple[str, ...],
    subjects: tuple[str, ...],
    images: int,
    draws: int,
    as_json: bool,
) -> None:
    """What is left of recognition where stored templates are released."""
    from privis.estimators.faces.evaluation import evaluate_released
    from privis.estimators.faces.released_templates import ReleasedTemplates

    noise, components = verifier.release, measured.rows.shape[1]
    assert isinstance(noise, ReleasedTemplates)
    cosine = _cosine(verifier, components)
    rates = [float(name) for name in FALSE_ACCEPTS]
    found = evaluate_released(
        measured, subjects, noise, images=images, draws=draws, false_accepts=rates, threshold=cosine
    )
    genuine, impostor = found.pairs
    small = [name for name in FALSE_ACCEPTS if impostor * float(name) < 1]
    accepts = {name: found.true_accepts[float(name)] for name in FALSE_ACCEPTS}
    at = {"false_matches": found.false_matches, "true_accepts": found.matches}
    if as_json:
        stated: dict[str, Any] | None = None
        if cosine is not None:
            stated = {"fmr": verifier.fmr, "cosine": cosine}
            for name, rate in at.items():
                stated |= {} if rate is None else {name: rate.value, f"{name}_interval": rate.interval}
        document = {
            "eer": found.equal_error.value, "eer_interval": found.equal_error.interval,
            "tar": {name: rate.value for name, rate in accepts.items()},
            "tar_interval": {name: rate.interval for name, rate in accepts.items()},
            "rank_1": found.rank_one.value, "rank_1_interval": found.rank_one.interval,
            "too_few_pairs_for": small, "at_threshold": stated, "pairs": {"genuine": genuine, "impostor": impostor},
            "draws": draws, "images_enrolled": images, "people": found.people,
            "guarantee": noise.promise(components), "exact": {"eer": measured.rates.equal_error.value},
            "images": len(paths), "subjects": len(set(subjects)),
            "not_found": [paths[place] for place in sorted(measured.refused)], "network": verifier.network,
        }  # fmt: skip
        print(json.dumps(document, ensure_ascii=False, allow_nan=False))
        return
    table = Table("what", "mean over draws", "95 % over draws (Student's t)")
    rows = {"equal error rate": found.equal_error, f"rank 1 of {found.people}": found.rank_one}
    rows |= {f"true accepts at {name} false accepts": rate for name, rate in accepts.items() if name not in small}
    rows |= {f"{name.replace('_', ' ')} at fmr:{verifier.fmr:g}": rate for name, rate in at.items() if rate is not None}
    for what, rate in rows.items():
        table.add_row(what, _percent(rate.value), _between(rate.interval))
    out.print(table)
    told = f"{draws} draws of {images} pictures a person, {genuine:,} genuine and {impostor:,} impostor pairs in each"
    exact = f"the equal error rate of exact templates is {_percent(measured.rates.equal_error.value)}"
    out.print(f"{told}, templates of {verifier.network}; {exact}.", markup=False, soft_wrap=True)
    out.print(f"Each template: {noise.promise(components)['sentence']}", markup=False, soft_wrap=True)
    out.print("These rates are of exact pictures, and not private themselves.", markup=False, soft_wrap=True)
    _tell_refused(measured)


def _tell_refused(measured: FaceEvaluation) -> None:
    for place in sorted(measured.refused):
        for problem in measured.refused[place].problems:
            err.print(f"privis: {problem}", markup=False, soft_wrap=True)


def _cosine(verifier: Verifier, components: int) -> float | None:
    """The threshold of the stated rate; None, and why, where no calibration gives one."""
    try:
        return verifier.threshold(components)[0]
    except ParameterError as error:
        err.print(f"privis: {error.problems[0]}", markup=False, soft_wrap=True)
        return None


def _at_threshold(measured: FaceEvaluation, verifier: Verifier) -> dict[str, Any] | None:
    """What the stated rate's threshold does on these pairs; None where no calibration gives one."""
    from privis.tasks.verification import clopper_pearson

    cosine = _cosine(verifier, measured.rows.shape[1])
    if cosine is None:
        return None
    rates = measured.rates
    falsely, truly = int((rates.impostor >= cosine).sum()), int((rates.genuine >= cosine).sum())
    return {
        "fmr": verifier.fmr, "cosine": cosine, "false_matches": falsely / rates.impostor.size,
        "fm_interval": clopper_pearson(falsely, rates.impostor.size), "true_accepts": truly / rates.genuine.size,
        "ta_interval": clopper_pearson(truly, rates.genuine.size),
    }  # fmt: skip


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _between(interval: tuple[float, float]) -> str:
    return f"{_percent(interval[0])} to {_percent(interval[1])}"

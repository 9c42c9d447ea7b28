"""Attacks against a table that give pictures back: ridge regression, and descent on the pixels of the program."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from privis.attack.attack_finding import AttackFinding
from privis.cli.attack.attacked_table import (
    AttackedTable,
    attacked_table,
    computed_rows,
    originals_of,
    pictures_of,
)
from privis.cli.attack.offered_attack import Attacked, AttackOptions, OfferedAttack, Show
from privis.cli.attack.pictures.same_pictures import alike, without_attacked
from privis.errors import ParameterError, Problem, refuse
from privis.features.image_ops import grey, owner_image, resize
from privis.io.images import decode
from privis.report.elements import Figure, FigureGroup
from privis.subjects import shortened

if TYPE_CHECKING:
    from privis.attack.inversion.face_judge import FaceJudge, Judgement

SIDE = 64
"""Of pictures that the ridge inverter makes, in pixels."""
_SHOWN = 24
"""Most reconstructions on the page."""


@dataclass(frozen=True, eq=False)
class _Inverted:
    """What the ridge inverter made of every row, and what its judge knows."""

    attacked: AttackedTable
    made: NDArray[np.float64]
    originals: tuple[NDArray[np.uint8], ...]
    paths: tuple[str, ...]
    judge: FaceJudge | None
    knows: tuple[str, ...]
    seconds: float
    warnings: tuple[str, ...]
    failed: tuple[str, ...]


def _ridge(options: AttackOptions, show: Show) -> Iterator[Attacked]:
    inverted = _inverted(options, show)
    places = range(len(inverted.made))
    findings, names = _judged(inverted, "ridge", inverted.made, places, inverted.seconds)
    drawn = _pictures(inverted, "Ridge regression", places, [inverted.made], names) if options.pictures else ()
    yield Attacked(findings, drawn, inverted.warnings, inverted.failed)


def _gradient(options: AttackOptions, show: Show) -> Iterator[Attacked]:
    from privis.attack.inversion.gradient_inversion import GradientInversion, feature_program
    from privis.privacy import DirectionRelease

    inverted = _inverted(options, show)
    attacked, started = inverted.attacked, time.process_time()
    count = min(options.most, len(inverted.made))
    places = np.unique(np.linspace(0, len(inverted.made) - 1, count).astype(int))
    starts = np.stack([_core(attacked, inverted.made[place], inverted.originals[place]) for place in places])
    program = feature_program(attacked.feature, starts.shape[1:], starts[0])
    descent = GradientInversion(by_direction=isinstance(attacked.release, DirectionRelease))
    found = descent(program, attacked.table.features[places], starts, show)
    declared = program.inputs[0]
    made = (found - declared.low) * (255.0 / (declared.high - declared.low))
    made = made if made.ndim == 3 else made.reshape(len(made), -1, *made.shape[-2:]).mean(1)
    spent = time.process_time() - started
    findings, names = _judged(inverted, "gradient", made, places, spent)
    beside = [inverted.made[places], made]
    drawn = _pictures(inverted, "Descent on the pixels", places, beside, names) if options.pictures else ()
    yield Attacked(findings, drawn)


@functools.lru_cache(maxsize=1)
def _computed(options: AttackOptions, show: Show) -> _Inverted:
    from privis.attack.inversion.ridge_inverter import RidgeInverter

    assert options.public is not None and options.originals is not None
    attacked = attacked_table(options)
    named = pictures_of(options.originals, options)
    whose = dict(zip(named.paths, named.subjects, strict=True))
    paths = originals_of(attacked.table.paths, named.paths, str(options.originals))
    public = pictures_of(options.public, options)
    _refuse_shared(paths, public.paths, str(options.public))
    started = time.process_time()
    others = dict(zip(public.paths, public.subjects, strict=True))
    half = functools.partial(_half, show)
    computed = computed_rows(attacked.feature, public.paths, str(options.public), attacked.release, others, half)
    computed, warnings = without_attacked(computed, alike(paths, computed.paths), f"--public {options.public}")
    pictures = np.stack([_small(decode.load(path)) for path in computed.paths])
    people = [others[path] for path in computed.paths]
    several = len(set(people)) > 1  # a folder without sub-folders is of things, not of one person
    made = RidgeInverter.fit(computed.rows, pictures, people if several else None)(attacked.table.features)
    seconds = time.process_time() - started
    originals = tuple(decode.load(path) for path in paths)
    names = [whose[path] for path in paths]
    judge, told = _judge(originals, names)
    warnings += told
    both = sorted(set(people) & set(names))
    if both and several:
        warnings += (f"{', '.join(both[:6])}: in --public and --originals; other people make an honest figure",)
    learned = f"{len(people):,} other pictures"
    if several:
        known = f"people, {len(both):,} of whom are attacked" if both else "other people"
        learned = f"{len(people):,} {'' if not both else 'other '}pictures of {len(set(people)):,} {known}"
    knows = attacked.knows, "the program", learned
    return _Inverted(attacked, made, originals, tuple(paths), judge, knows, seconds, warnings, computed.failed)


def _half(show: Show, share: float) -> None:
    """The judge takes about as long as the attacker."""
    show(share / 2)


def _inverted(options: AttackOptions, show: Show) -> _Inverted:
    """Once for all attacks of a call."""
    return _computed(options, _Silent(show))


class _Silent:
    """Shows progress, and is equal to any other that does: it decides nothing of a result."""

    def __init__(self, show: Show) -> None:
        self.show = show

    def __call__(self, share: float) -> None:
        self.show(share)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Silent)

    def __hash__(self) -> int:
        return 0


def _judge(originals: Sequence[NDArray[np.uint8]], names: Sequence[str]) -> tuple[FaceJudge | None, tuple[str, ...]]:
    """A network for faces, where it is installed and somebody has two pictures."""
    from privis.attack.inversion.face_judge import FaceJudge
    from privis.extraction.faces.face_networks import face_template_extractor, has_face_networks

    if len(set(names)) in (1, len(names)):
        return None, ()
    if not has_face_networks():
        return None, ("re-identification is not counted: install 'privis[faces]', whose network judges it",)
    judge = FaceJudge.of_originals(face_template_extractor(), originals, names)
    unseen = int((~judge.seen).sum())
    if unseen == len(names):
        return None, ()
    return judge, (f"no face was found in {unseen:,} of {len(names):,} originals",) if unseen else ()


def _judged(
    inverted: _Inverted, attack: str, made: NDArray[Any], places: Sequence[int] | NDArray[Any], seconds: float
) -> tuple[tuple[AttackFinding, ...], tuple[str, ...]]:
    """Figures of reconstructions, and who a network took them for (empty where none judges)."""
    from privis.attack.inversion.face_judge import matched_originals

    own = [int(place) for place in places]
    small = np.stack([_small(picture) for picture in inverted.originals])
    matched = matched_originals(made, small, own)
    findings = [_finding(inverted, attack, "matched to its original", matched, seconds)]
    names: tuple[str, ...] = ()
    if inverted.judge is not None:
        faces = inverted.judge(made, own)
        findings.insert(0, _finding(inverted, attack, "re-identified", faces, seconds))
        names = faces.names if len(faces.names) == len(own) else ()
    return tuple(findings), names


def _finding(inverted: _Inverted, attack: str, measure: str, found: Judgement, seconds: float) -> AttackFinding:
    hits = f"{found.hits:,} of {found.tries:,}"
    words = {
        "re-identified": f"A network for faces takes {hits} reconstructed faces for the right person",
        "matched to its original": f"{hits} reconstructed pictures are nearest to the original that they are of",
    }
    return AttackFinding.of_share(
        attack,
        inverted.attacked.words,
        inverted.knows,
        measure,
        found.hits,
        found.tries,
        chance=found.chance,
        processor_seconds=seconds,
        sentence=f"{attack}: {words[measure]}; guessing would give {100 * found.chance:.1f} %.",
        guarantee=inverted.attacked.guarantee,
    )


def _core(attacked: AttackedTable, made: NDArray[np.float64], original: NDArray[np.uint8]) -> NDArray[Any]:
    """A reconstruction as the program's input; of the original nothing but its size is used, which rows tell."""
    import cv2

    size = attacked.feature.size or original.shape[:2]
    large = cv2.resize(made.astype(np.float32), (size[1], size[0]), interpolation=cv2.INTER_CUBIC)
    picture = np.clip(np.round(large), 0, 255).astype(np.uint8)
    if original.ndim == 3:
        picture = np.repeat(picture[:, :, None], 3, 2)
    return attacked.feature.before(owner_image(attacked.feature, picture))


def _small(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return grey(resize(picture, (SIDE, SIDE)))


def _refuse_shared(originals: Sequence[str], public: Sequence[str], where: str) -> None:
    """An attacker who learned from the very pictures that are attacked proves nothing."""
    contents = {Path(path).read_bytes() for path in originals}
    shared = [path for path in public if Path(path).read_bytes() in contents]
    problems = [Problem(path, "a picture that is attacked, too", "pictures of other people") for path in shared]
    refuse(ParameterError, shortened(problems, where))


def _pictures(
    inverted: _Inverted,
    title: str,
    places: Sequence[int] | NDArray[Any],
    columns: Sequence[NDArray[Any]],
    names: Sequence[str],
) -> tuple[FigureGroup, ...]:
    """Originals, and to the right of each what was made of its row."""
    import cv2

    chosen = np.unique(np.linspace(0, len(places) - 1, min(_SHOWN, len(places))).astype(int))
    figures = []
    for number in chosen:
        place = int(places[number])
        original = cv2.resize(grey(inverted.originals[place]), (112, 112), interpolation=cv2.INTER_AREA)
        made = [cv2.resize(np.float32(column[number]), (112, 112)) for column in columns]
        picture = np.hstack([original, *(np.clip(np.round(each), 0, 255).astype(np.uint8) for each in made)])
        path = Path(inverted.paths[place])
        told = f"{path.parent.name}/{path.name}" + (f": taken for {names[number]}" if names else "")
        figures.append(Figure(picture, told, f"original and reconstruction of {path.name}"))
    between = "the ridge reconstruction in the middle, " if len(columns) > 1 else ""
    sentence = f"Left the original, {between}right what the attack made of its row ({inverted.attacked.words})."
    return (FigureGroup(title, sentence, tuple(figures)),)


INVERSION_ATTACKS: tuple[OfferedAttack, ...] = (
    OfferedAttack(
        "ridge", "learns from other people's pictures to undo the feature", ("--public", "--originals"), _ridge
    ),
    OfferedAttack(
        "gradient", "descends on pixels until the program gives the row", ("--public", "--originals"), _gradient
    ),
)

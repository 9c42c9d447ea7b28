"""Transcripts of a program on known pictures, by the real products, and what an attacker finds in them."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from privis.attack.attack_finding import AttackFinding
from privis.attack.transcripts import recorded_parties, server_view
from privis.attack.transcripts.transcript_attack import Transcripts, attack_transcripts
from privis.errors import ParameterError, Problem, refuse
from privis.program import Program
from privis.run.he.backends.seal import ring
from privis.run.he.compiler.program_specification import Spec
from privis.run.he.compiler.slot_encoding import fill_slots
from privis.run.he.evaluation.evaluator import Evaluator
from privis.run.he.executor import CKKS
from privis.run.he.owner.keys import SecretKeys
from privis.run.he.wire.ciphertext_messages import MessageKind, read, written
from privis.run.mpc.protocols import Preset

Inputs = Sequence[npt.NDArray[Any]]
"""The arrays that a program takes of one picture."""
REPEATS = 8


def shuffled(pictures: int, repeats: int, seed: int = 0) -> npt.NDArray[np.int64]:
    """Give an order in which pictures are run: one that counters in messages say nothing about.

    Args:
        pictures: how many there are.
        repeats: runs of each.
        seed: of the order.

    Returns:
        (pictures * repeats,) numbers of pictures.

    Raises:
        ParameterError: fewer than two pictures, or fewer than four runs of each.
    """
    fits = pictures >= 2 and repeats >= 4
    problem = Problem(
        "transcripts", f"{pictures} pictures, {repeats} runs of each", "at least 2 pictures, 4 runs of each"
    )
    refuse(ParameterError, [] if fits else [problem])
    return np.random.default_rng(seed).permutation(np.repeat(np.arange(pictures), repeats))


def encrypted_transcripts(
    program: Program, pictures: Sequence[Inputs], executor: CKKS, repeats: int = REPEATS, *, answered: bool = False,
    masked: bool = True,
) -> Transcripts:  # fmt: skip
    """Encrypt pictures again and again under one key, and take down what the server gets.

    Args:
        program: what the server computes.
        pictures: inputs of known pictures.
        executor: how it is compiled.
        repeats: queries of each picture.
        answered: whether the server answers, so that what it sends back is looked at, too. It computes that from the
            query and public keys alone, which takes a while and can add nothing.
        masked: False forges ciphertexts that hide nothing, a control that an attack must read.

    Returns:
        Transcripts in a random order.

    Raises:
        ParameterError: too few pictures or runs.
        UnsupportedError: a program that does not compile.
    """
    order = shuffled(len(pictures), repeats)
    made = executor.compiled(program)
    keys = SecretKeys.generate(made.spec)
    evaluator = Evaluator.open(made, keys.evaluation_keys(made.spec)) if answered else None
    views: dict[MessageKind, list[server_view.ServerView]] = {}
    for picture in [0, *order]:
        message = keys.encrypt(made.spec, [tuple(pictures[picture])]).message
        if not masked:
            message = _without_masks(made.spec, message, pictures[picture])
        views.setdefault(MessageKind.QUERY, []).append(server_view.server_view(made.spec, message))
        if evaluator is not None:
            seen = server_view.server_view(made.spec, evaluator.run(message), MessageKind.REPLY)
            views.setdefault(MessageKind.REPLY, []).append(seen)
    channels = {}
    for kind, seen_all in views.items():
        numbers = server_view.channels(made.spec, seen_all[1:], seen_all[0])
        channels |= {f"{kind.name.lower()}: {name}": rows for name, rows in numbers.items()}
    return _with_lengths(channels, order)


def shared_transcripts(
    program: Program, pictures: Sequence[Inputs], preset: Preset, repeats: int = REPEATS, *, masked: bool = True
) -> Transcripts:
    """Run a program on shares of pictures again and again in one session, and take down what one party gets.

    Args:
        program: what the parties compute.
        pictures: inputs of known pictures.
        preset: their protocol.
        repeats: runs of each picture.
        masked: False sends values themselves in place of shares, a control that an attack must read.

    Returns:
        Transcripts in a random order.

    Raises:
        ParameterError: too few pictures or runs.
        MissingExtraError: SPU is not installed.
    """
    order = shuffled(len(pictures), repeats)
    with recorded_parties.RecordedParties(preset, program) as parties:
        runs = [pictures[picture] for picture in [0, *order]]
        views = [parties.run(each) if masked else parties.sent_without_masks(each[0]) for each in runs]
    return _with_lengths(recorded_parties.channels(views[1:], views[0]), order)


def transcript_findings(
    transcripts: Transcripts, against: str, sees: str, guarantee: Mapping[str, Any] | None = None
) -> tuple[AttackFinding, AttackFinding]:
    """Attack transcripts, half of which the attacker knows the pictures of.

    Args:
        transcripts: as of `encrypted_transcripts` or `shared_transcripts`.
        against: feature and protection, in the words of a command.
        sees: who sees what, for the finding.
        guarantee: of the output.

    Returns:
        What was told from everything, and what from lengths of messages alone.
    """
    found = []
    for measure, given in (
        ("picture told from its transcript", transcripts),
        ("picture told from lengths of messages", transcripts.only("lengths")),
    ):
        spent = time.process_time()
        attack = attack_transcripts(*given.halves())
        pictures = len(np.unique(given.pictures))
        found.append(
            AttackFinding.of_share(
                "transcript", against,
                (sees, f"all {pictures} pictures", f"{attack.tries} transcripts of them in the same session",
                 f"looks at {attack.channel} by {attack.classifier}"),
                measure, attack.hits, attack.tries, chance=attack.chance,
                processor_seconds=time.process_time() - spent,
                sentence=f"Of {attack.tries} runs on one of {pictures} known pictures, the picture was told "
                f"{attack.hits} times; guessing tells {attack.chance * attack.tries:.0f}.",
                guarantee=guarantee,
            )
        )  # fmt: skip
    return found[0], found[1]


def _with_lengths(channels: Mapping[str, npt.NDArray[Any]], order: npt.NDArray[np.int64]) -> Transcripts:
    lengths = [rows for name, rows in channels.items() if name.endswith("lengths")]
    others = {name: rows for name, rows in channels.items() if not name.endswith("lengths")}
    return Transcripts({"lengths": np.concatenate(lengths, 1), **others}, order)


def _without_masks(spec: Spec, message: bytes, inputs: Inputs) -> bytes:
    stretched = spec.stretched
    factor = 1.0 if stretched is None else stretched.factor(tuple(inputs))
    scaled = [np.asarray(each, np.float64) * factor for each in inputs]
    rows = [row for slots in spec.sources for row in fill_slots(spec, slots, [scaled])]
    parts = read(MessageKind.QUERY, spec.digest, message)
    made = ring(spec.parameters)
    bare = [server_view.without_mask(made, part, row) for part, row in zip(parts, rows, strict=True)]
    return written(MessageKind.QUERY, spec.digest, bare)

"""A prepared offer as a file: the program with its weights, how it is compiled, and the public samples.

Format: a zip of npy members, as `privis.program.files` writes programs, never pickle: ``offer`` is JSON (``format``,
names, options, SHA-256 of the program's bytes and of the samples), ``program`` the bytes of the program, ``sample I J``
input J of sample I. Another meaning of a key takes the next number in ``FORMAT``, and a reader refuses every other; an
option that is added has a default that keeps the meaning of older files. Nobody but the server needs the file: it holds
the weights.
"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from privis.errors import ParameterError, ProgramError, ProtocolError
from privis.file_formats import FileFormat, misfit
from privis.io.atomic import replacing
from privis.program.files import from_bytes, to_bytes
from privis.run.he.compiler.compiler import Options
from privis.run.he.compiler.samples import PublicSamples
from privis.run.he.packing.batching import Batching
from privis.run.he.security import SecurityStandard
from privis.serve.offerings.program import OfferProgram

FORMAT = "privis.offer/1"
_REMEDY = "prepare the offer again"


def save_offer(path: Path, offer: OfferProgram) -> None:
    """Write an offer, whole or not at all; an earlier file is replaced.

    Args:
        path: of the file, which holds the program's weights (mode 0600).
        offer: what is offered.

    Raises:
        OutputError: it cannot be written.
    """
    program = to_bytes(offer.program)
    found = {
        "format": FORMAT,
        "name": offer.name,
        "summary": offer.summary,
        "private": offer.private,
        "images": offer.images,
        "words": dict(offer.words),
        "options": _written(offer.options),
        "program": hashlib.sha256(program).hexdigest(),
        "samples": None if offer.samples is None else offer.samples.sha256,
    }
    images = () if offer.samples is None else offer.samples.images
    members: dict[str, Any] = {f"sample {i} {j}": x for i, own in enumerate(images) for j, x in enumerate(own)}
    buffer = io.BytesIO()
    text = json.dumps(found, allow_nan=False).encode()
    np.savez(buffer, offer=np.frombuffer(text, np.uint8), program=np.frombuffer(program, np.uint8), **members)
    with replacing(path) as temporary:
        temporary.touch(mode=0o600)
        temporary.write_bytes(buffer.getvalue())


def load_offer(path: Path) -> OfferProgram:
    """Read what `save_offer` wrote.

    Args:
        path: of the file.

    Returns:
        The offer.

    Raises:
        ParameterError: it cannot be read.
        ProtocolError: it is damaged, or anything else.
    """
    return read_offer(offer_content(path), path)


def offer_content(path: Path) -> bytes:
    """The bytes of a file; ParameterError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        reason = str(error.strerror)
        raise ParameterError(misfit(path, FileFormat.OFFER, reason, remedy="privis stage prepare makes one")) from error


def read_offer(content: bytes, path: Path) -> OfferProgram:
    """Read the bytes of a file that `save_offer` wrote.

    Args:
        content: of the file.
        path: of the file, for sentences.

    Returns:
        The offer.

    Raises:
        ProtocolError: they are damaged, or anything else.
    """
    try:
        return _read(content)
    except (
        *(ValueError, TypeError, KeyError, IndexError, AttributeError, EOFError, OverflowError, RecursionError),
        *(NotImplementedError, RuntimeError, MemoryError, SyntaxError),
        *(zipfile.BadZipFile, zlib.error, OSError, ProgramError, ParameterError),
    ) as error:
        reason = f"{len(content):,} bytes that are not one, or not whole ({type(error).__name__})"
        raise ProtocolError(misfit(path, FileFormat.OFFER, reason, f"one of {FORMAT}", _REMEDY)) from None


def _read(content: bytes) -> OfferProgram:
    with np.load(io.BytesIO(content), allow_pickle=False) as members:
        found = json.loads(members["offer"].tobytes())
        program = members["program"].tobytes()
        if found["format"] != FORMAT or hashlib.sha256(program).hexdigest() != found["program"]:
            raise ValueError("another format, or a damaged program")
        samples = None
        if found["samples"] is not None:
            samples = PublicSamples.of(_samples(members), "samples")
            if samples.sha256 != found["samples"]:
                raise ValueError("damaged samples")
    named = str(found["name"]), str(found["summary"]), from_bytes(program), _options(found["options"])
    images = None if found["images"] is None else int(found["images"])
    return OfferProgram(*named, bool(found["private"]), dict(found["words"]), samples, images)


def _samples(members: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    places = sorted(tuple(map(int, name.split()[1:])) for name in members if name.startswith("sample "))
    made: list[tuple[Any, ...]] = []
    for i, j in places:
        x = members[f"sample {i} {j}"]
        if j == 0:
            made.append((x,))
        else:
            made[i] = (*made[i], x)
    return made


def _written(options: Options) -> dict[str, Any]:
    return {
        "precision": options.precision,
        "signs": options.signs,
        "inside": options.inside,
        "normalise_domain": options.normalise_domain,
        "normalise_degree": options.normalise_degree,
        "promised": options.promised,
        "stretch": options.stretch,
        "processes": options.processes,
        "batching": options.batching.value,
        "standard": options.standard.value,
    }


def _options(found: Mapping[str, Any]) -> Options:
    signs, domain, degree = found["signs"], found["normalise_domain"], found["normalise_degree"]
    return Options(
        float(found["precision"]),
        signs=int(signs) if isinstance(signs, int) else tuple(map(int, signs)),
        inside=bool(found["inside"]),
        normalise_domain=None if domain is None else (float(domain[0]), float(domain[1])),
        normalise_degree=None if degree is None else int(degree),
        promised=bool(found["promised"]),
        stretch=bool(found["stretch"]),
        processes=int(found["processes"]),
        batching=Batching(found["batching"]),
        standard=SecurityStandard(found["standard"]),
    )

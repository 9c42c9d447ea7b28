"""The folder of ``privis stage``: where files lie, how inputs are read and results become rows of a table."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import OutputError, ParameterError, Problem
from privis.file_formats import FileFormat, format_of, misfit

if TYPE_CHECKING:
    from privis.features.feature import Feature
    from privis.run.he.owner.keys import Query
    from privis.serve.client.owner import Owner
    from privis.serve.offerings.offering import Terms

SEEN = "Only their owner sees the images and the features; the server computes on ciphertexts."
_NPY, _ZIP = b"\x93NUMPY", b"PK\x03\x04"


@dataclass(frozen=True)
class StageFolder:
    """Where the files of stages lie."""

    path: Path
    secret_path: Path | None = None
    offer_path: Path | None = None

    @property
    def offer(self) -> Path:
        """The prepared offer, which is the server's alone."""
        return self.offer_path or self.path / "server" / "offer.npz"

    @property
    def public(self) -> Path:
        """Folder of terms and evaluation keys."""
        return self.path / "public"

    @property
    def terms(self) -> Path:
        """What owners make keys for."""
        return self.public / "public.key"

    @property
    def evaluation(self) -> Path:
        """What lets the server compute and decrypt nothing."""
        return self.public / "evaluation.key"

    @property
    def query(self) -> Path:
        """The encrypted images, for the server."""
        return self.path / "upload" / "query.bin"

    @property
    def answer(self) -> Path:
        """The encrypted results, for their owner."""
        return self.path / "download" / "answer.bin"

    @property
    def secret(self) -> Path:
        """Folder of the secret key."""
        return self.secret_path or self.path / "secret"

    @property
    def kept(self) -> Path:
        """What the owner keeps of the query."""
        return self.secret / "query.kept"

    def inputs(self) -> Path:
        """What is encrypted unless something else is named; ParameterError where there is none, or more than one."""
        places = [self.path / name for name in ("inputs", "inputs.npy", "inputs.npz")]
        found = [place for place in places if place.exists()]
        if len(found) != 1:
            got = " and ".join(place.name for place in found) or "no inputs"
            remedy = "or name images behind the folder"
            expected = "one of inputs, a folder of images, inputs.npy and inputs.npz"
            raise ParameterError(Problem(str(self.path), got, expected, remedy))
        return found[0]

    @property
    def outputs(self) -> Path:
        """The table of what is decrypted, unless something else is named."""
        return self.path / "outputs.parquet"

    def read_terms(self, path: Path | None = None) -> Terms:
        """Those of ``path``, by default of the folder; ParameterError or ProtocolError where there are none."""
        from privis.run.he.wire import key_file
        from privis.serve.offerings.offering import Terms

        place = path or self.terms
        found = format_of(place)
        if found is FileFormat.TERMS:  # as a server that speaks HTTP answers
            return Terms.from_json(place.read_bytes())
        if found is FileFormat.MISSING:
            remedy = "the server makes them: privis stage prepare"
            raise ParameterError(misfit(place, FileFormat.TERMS, str(found), remedy=remedy))
        return Terms.from_json(key_file.read(place, key_file.KeyKind.PUBLIC))


def the_folder(argument: Path | None, option: Path | None) -> Path:
    """The folder, which is told once; ParameterError where it is not."""
    if (argument is None) == (option is None):
        got = "no folder" if option is None else f"{argument} and --io {option}"
        raise ParameterError(Problem("privis stage", got, "one folder: FOLDER or --io FOLDER"))
    return argument or option or Path()


def make_folder(folder: Path, mode: int) -> None:
    """A folder that may be there already; OutputError where none can be made."""
    try:
        folder.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        got, remedy = error.strerror or str(error), "choose another place"
        raise OutputError(Problem(str(folder), got, "a folder that can be written", remedy)) from error


def write_terms(path: Path, terms: Terms) -> None:
    """Terms as a typed file, which appears whole or not at all; an earlier one is replaced."""
    from privis.run.he.wire import key_file

    content = terms.to_json().encode()
    key_file.write(path, key_file.KeyKind.PUBLIC, terms.digest, content, mode=0o644, replace=True)


def says_feature(terms: Terms) -> bool:
    """Whether the words of an offer say how images are prepared; a program of other inputs has none."""
    return bool({"feature", "head", "model", "program"} & terms.words.keys())


def query_of(owner: Owner, inputs: Sequence[str]) -> Query:
    """Encrypt the images that ``inputs`` name, or the arrays of one file of them."""
    from dataclasses import replace

    from privis.cli.server.offerings import feature_of
    from privis.io.images.sources import find

    arrays = _arrays(inputs)
    if arrays is not None:
        labels = tuple(f"{inputs[0]}[{number}]" for number in range(len(arrays)))
        return replace(owner.encrypt(arrays), labels=labels)
    if not says_feature(owner.terms):
        expected = "one .npy file (images, ...) of what the program takes, or .npz with one for each of its inputs"
        raise ParameterError(Problem("inputs", f"images for {owner.terms.name}", expected))
    return owner.encrypt(find(inputs, sys.stdin), feature_of(owner.terms))


def _arrays(inputs: Sequence[str]) -> list[tuple[NDArray[Any], ...]] | None:
    """The inputs of each image out of a file of arrays; None where the inputs are something else."""
    path = Path(inputs[0])
    if len(inputs) != 1 or not path.is_file():
        return None
    content = path.read_bytes()
    if not content.startswith((_NPY, _ZIP)):
        return None
    try:
        found = np.load(io.BytesIO(content), allow_pickle=False)
        columns = [found] if isinstance(found, np.ndarray) else [found[name] for name in found.files]
        if not columns or any(column.ndim < 1 or column.dtype.kind not in "buif" for column in columns):
            raise ValueError("no numbers")
        return list(zip(*columns, strict=True))
    except Exception as error:  # whatever numpy meets in a damaged file
        reason = f"no readable arrays of equal length ({type(error).__name__})"
        raise ParameterError(misfit(path, FileFormat.ARRAYS, reason, "arrays (images, ...) of numbers")) from None


def flat_outputs(
    owner: Owner, kept: Path, answer: Path
) -> tuple[tuple[str, ...], NDArray[np.float32], tuple[str, ...]]:
    """Rows of all outputs one after another, for a program that is no feature."""
    from privis.run.he.owner.keys import Query
    from privis.run.he.wire.answer import images_of

    held = Query.load_kept(kept, owner.terms.digest)
    rows = np.stack([np.concatenate([each.ravel() for each in own]) for own in owner.decrypt(held, answer)])
    return images_of(held.factors, held.labels), rows, tuple(f"output_{k}" for k in range(rows.shape[1]))


def card_metadata(owner: Owner, feature: Feature | None, rows: int) -> dict[str, str]:
    """Guarantee and card of a table, as `privis query` would write them."""
    from privis.extraction.card import Card, described
    from privis.privacy.guarantee import no_release
    from privis.readings import PredictedError
    from privis.version import VERSION

    terms, spec = owner.terms, owner.specification
    what = {"name": terms.name} if feature is None else {"name": feature.name, **described(feature)}
    parameters = spec.parameters
    under = {
        "class": "Offer",
        "specification": terms.digest,
        "ring": parameters.degree,
        "modulus_bits": sum(parameters.bits),
        "standards": [standard.value for standard in parameters.standards],
    }
    basis = f"the server's polynomials, and {spec.error:.2g} by encryption"
    error = PredictedError(None, basis, spec.approximations)
    programs, guarantee = (terms.program,) if terms.program else (), no_release()
    card = Card(what, under, None, guarantee, programs, rows, VERSION, SEEN, error)
    return {"privis.guarantee": json.dumps(guarantee.to_dict()), "privis.card": card.to_json()}

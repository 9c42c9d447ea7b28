"""A prepared offer gives what the offer gives, starts without the compiler, and is used for that very offer alone.

Answers for `privis.serve.offerings.prepared_offer`, `privis.run.he.compiler.prepared_program`,
`privis.run.he.compiler.parameter_choice` and `privis.run.he.evaluation.prepared_weights`.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tenseal")

import privis
from privis.errors import OutputError, ParameterError, ProgramError, ProtocolError
from privis.program import Input, Program, ops, trace
from privis.run import program_cache
from privis.run.he.backends.seal import SealEngine
from privis.run.he.compiler.prepared_program import PreparedProgram
from privis.run.he.packing.batching import Batching
from privis.serve.offerings import prepared_offer as module
from privis.serve.offerings.prepared_offer import PreparedOffer

RANDOM = np.random.default_rng(4)
FIRST, SECOND = RANDOM.normal(size=(6, 12)), RANDOM.normal(size=(3, 6))
SIGNS = np.where(np.arange(12) % 2, 1, -1)
IMAGES = [RANDOM.uniform(-1, 1, 12) for _ in range(2)]


def squares(first: np.ndarray) -> Program:
    return trace(lambda x: (y := x >> ops.Dense(first)) * y >> ops.Dense(SECOND), Input((12,), -1.0, 1.0, None))


def saved(path: Path, first: np.ndarray = FIRST, sharing: Batching = Batching.NONE) -> Path:
    privis.Offer(squares(first), name="squares", precision=1e-2, sharing=sharing).save(path)
    return path


class Place:
    """An offer with what was prepared of it, and an owner's keys and query."""

    def __init__(self, folder: Path, sharing: Batching) -> None:
        self.sharing = sharing
        self.offer, self.prepared = saved(folder / "offer.npz", sharing=sharing), folder / "prepared"
        PreparedOffer.write(self.offer, self.prepared)
        terms = privis.Offer.load(self.offer).terms()
        self.owner = privis.Owner.generate(terms, folder / "public", folder / "secret")
        self.keys, self.query, self.kept = (
            folder / "public" / "evaluation.key",
            folder / "query",
            folder / "secret" / "kept",
        )
        self.owner.encrypt(IMAGES).save(self.query, self.kept)

    @property
    def entry(self) -> Path:
        (path,) = self.prepared.iterdir()
        return path

    def results(self, answer: bytes) -> np.ndarray:
        return np.stack([scores for (scores,) in self.owner.decrypt(self.kept, answer)])


@pytest.fixture(scope="module", params=[Batching.NONE, Batching.SLOT], ids=lambda sharing: sharing.value)
def place(request, tmp_path_factory):
    return Place(tmp_path_factory.mktemp("offer"), request.param)


@pytest.fixture
def entry(place):
    """The file of a prepared offer, to damage."""
    content = place.entry.read_bytes()
    yield place.entry
    place.prepared.chmod(0o700)
    for path in place.prepared.iterdir():
        path.unlink()
    PreparedOffer.write(place.offer, place.prepared)
    assert place.entry.read_bytes() == content, "an offer is prepared to the same bytes"


def test_it_answers_as_the_offer_without_encoding_a_weight(place, monkeypatch):
    encoded = []
    original = SealEngine.encode

    def counting(self, values, level, scale):
        encoded.append(np.ndim(values))
        return original(self, values, level, scale)

    monkeypatch.setattr(SealEngine, "encode", counting)
    found = PreparedOffer.load(place.offer, place.prepared)
    shares = []
    ours = place.results(found.evaluate(place.keys, place.query, shares.append, at_once=1))
    assert shares[-1] == 1.0
    if place.sharing is Batching.NONE:  # else weights are numbers
        assert not any(encoded)
    theirs = place.results(privis.Offer.load(place.offer).evaluate(place.keys, place.query, at_once=1))
    exact = np.stack([SECOND @ (FIRST @ x) ** 2 for x in IMAGES])
    assert np.abs(ours - exact).max() < 0.02 * np.abs(exact).max() > np.abs(theirs - exact).max()


def test_a_process_that_uses_it_loads_neither_compiler_nor_programs():
    said = "import privis.serve.offerings.prepared_offer, sys; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.split())
    assert "privis.run.he.evaluation.evaluator" in loaded
    for heavy in ("run.he.compiler.compiler", "run.he.owner", "program", "readings", "features", "io"):
        assert f"privis.{heavy}" not in loaded
    assert not {"scipy", "pyarrow", "PIL", "importlib.metadata"} & loaded


def test_an_offer_of_other_weights_finds_none(place, tmp_path):
    other = saved(tmp_path / "offer.npz", FIRST * SIGNS, place.sharing)
    assert PreparedOffer.load(other, place.prepared) is None
    assert PreparedOffer.load(place.offer, place.prepared) is not None
    assert PreparedOffer.load(tmp_path / "missing.npz", place.prepared) is None
    assert PreparedOffer.load(place.offer, tmp_path / "missing") is None


@pytest.mark.parametrize("how", ["changed", "cut", "link", "shared folder"])
def test_one_that_was_tampered_with_is_not_used(entry, place, tmp_path, how):
    content = bytearray(entry.read_bytes())
    if how == "changed":
        content[-1000] ^= 1
        entry.write_bytes(content)
    elif how == "cut":
        entry.write_bytes(content[:-1])
    elif how == "link":
        entry.rename(tmp_path / "elsewhere")
        entry.symlink_to(tmp_path / "elsewhere")
    else:
        place.prepared.chmod(0o770)
    assert PreparedOffer.load(place.offer, place.prepared) is None


def test_other_code_and_other_libraries_find_none(place, monkeypatch):
    with monkeypatch.context() as changed:
        changed.setattr(program_cache, "code_digest", lambda: "another version")
        assert PreparedOffer.load(place.offer, place.prepared) is None
    with monkeypatch.context() as changed:
        changed.setattr(module.tenseal, "__version__", "0.0")
        assert PreparedOffer.load(place.offer, place.prepared) is None
    assert PreparedOffer.load(place.offer, place.prepared) is not None


def test_keys_of_another_offer_are_refused(place, tmp_path):
    other = privis.Offer(squares(3 * FIRST), name="squares", precision=1e-2)
    privis.Owner.generate(other.terms(), tmp_path / "public", tmp_path / "secret")
    with pytest.raises(ProtocolError):
        PreparedOffer.load(place.offer, place.prepared).evaluate(tmp_path / "public" / "evaluation.key", place.query)


def test_what_cannot_be_prepared_is_told(place, tmp_path):
    with pytest.raises(ParameterError, match="missing"):
        PreparedOffer.write(tmp_path / "missing.npz", tmp_path / "prepared")
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o777)
    with pytest.raises(OutputError, match="nobody else"):
        PreparedOffer.write(place.offer, tmp_path / "shared")


@pytest.mark.parametrize("data", [b"", b"privis.prepared/1\n", b"privis.compiled/2\n" + bytes(64), bytes(100)])
def test_bytes_of_anything_else_are_no_prepared_program(data):
    with pytest.raises(ProgramError):
        PreparedProgram.from_bytes(data)

"""Encoded weights on disk give the same numbers; whatever is wrong with a file, weights are encoded anew."""

from __future__ import annotations

import functools
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tenseal")

from privis.program import Input, ops, trace
from privis.readings import evaluate
from privis.run.he.backends.seal import SealEngine
from privis.run.he.compiler.compiler import CompiledProgram, Options, compile_program
from privis.run.he.evaluation import kept_weights as module
from privis.run.he.evaluation.evaluator import Evaluator
from privis.run.he.evaluation.kept_weights import KeptWeights, keep_weights, weights_bytes, weights_of
from privis.run.he.owner.keys import SecretKeys
from privis.run.he.packing.batching import Batching

WEIGHTS = np.random.default_rng(8)
FIRST, SECOND = WEIGHTS.normal(size=(20, 40)) / 6, WEIGHTS.normal(size=(6, 20)) / 4
LIMIT = 1 << 30


def network(x):
    y = x >> ops.Dense(FIRST)
    return y * y >> ops.Dense(SECOND)


PROGRAM = trace(network, Input((40,), -1.0, 1.0, None))


@pytest.fixture(scope="module")
def made() -> CompiledProgram:
    return compile_program(PROGRAM, Options(1e-3))


@pytest.fixture(scope="module")
def kept(made: CompiledProgram, tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("cache") / "weights"
    assert 0 < keep_weights(made, root) <= weights_bytes(made)
    return root


@pytest.fixture
def root(kept: Path, tmp_path: Path) -> Path:
    """A copy to damage."""
    shutil.copytree(kept, tmp_path / "weights")
    (tmp_path / "weights").chmod(0o700)
    return tmp_path / "weights"


def files(root: Path) -> list[Path]:
    return sorted(path for folder in root.iterdir() for path in folder.iterdir())


@pytest.fixture
def encoded(monkeypatch) -> list[int]:
    """A level for every vector that is encoded."""
    found: list[int] = []
    original = SealEngine.encode

    def counting(self, values, level, scale):
        if np.ndim(values):
            found.append(level)
        return original(self, values, level, scale)

    monkeypatch.setattr(SealEngine, "encode", counting)
    return found


@functools.cache
def owner(made: CompiledProgram) -> tuple[SecretKeys, bytes]:
    keys = SecretKeys.generate(made.spec)
    return keys, keys.evaluation_keys(made.spec)


def scores(made: CompiledProgram, root: Path, limit: int = LIMIT) -> np.ndarray:
    keys, evaluation_keys = owner(made)
    evaluator = Evaluator.open(made, evaluation_keys, weights_of(made, limit, root))
    x = np.linspace(-1, 1, 40)
    query = keys.encrypt(made.spec, [(x,)])
    (found,) = keys.decrypt(made.spec, query, evaluator.run(query.message))[0]
    np.testing.assert_allclose(found, evaluate(PROGRAM, x), atol=1e-2)
    return found


def test_nothing_is_encoded_where_weights_are_kept(made, kept, encoded) -> None:
    products = sum(packed.products for packed in made.choice.arrangement.packed.values())
    assert len(files(kept)) == products
    for limit in (LIMIT, 0):  # from memory, and from the disk each time
        scores(made, kept, limit)
    assert encoded == []


@pytest.mark.parametrize("damage", ["flip", "cut", "empty", "longer", "renamed", "symlink", "pipe", "gone"])
def test_a_wrong_file_is_encoded_anew(made, root, encoded, damage: str) -> None:
    first, second = files(root)[:2]
    data = bytearray(first.read_bytes())
    if damage == "flip":
        data[len(data) // 2] ^= 1
    elif damage == "cut":
        del data[-100:]
    elif damage == "empty":
        data.clear()
    elif damage == "longer":
        data += b"0"
    elif damage == "renamed":
        data = bytearray(second.read_bytes())
    first.unlink()
    if damage == "symlink":
        (root.parent / "other").write_bytes(data)
        first.symlink_to(root.parent / "other")
    elif damage == "pipe":
        os.mkfifo(first)
    elif damage != "gone":
        first.write_bytes(data)
    scores(made, root)
    assert len(encoded) == 1 and not first.exists()


def test_a_whole_file_of_other_weights_level_or_library_is_encoded_anew(made, root, encoded) -> None:
    first = files(root)[0]
    for content in (b"\x5e\xa1" + bytes(100), bytes(3000)):
        check = module.zlib.crc32(content, module.zlib.crc32(first.name.encode())).to_bytes(4, "big")
        first.write_bytes(content + b"privis.weights/1\n" + check)
        encoded.clear()
        scores(made, root)
        assert len(encoded) == 1


@pytest.mark.parametrize("which", ["folder", "parent"])
def test_a_folder_that_others_may_write_is_not_read(made, root, which: str) -> None:
    (folder,) = root.iterdir()
    (folder if which == "folder" else root).chmod(0o777)
    assert not isinstance(weights_of(made, LIMIT, root), KeptWeights)
    assert keep_weights(made, root) == 0


def test_another_program_finds_nothing(kept) -> None:
    other = compile_program(PROGRAM, Options(1e-4, stretch=False, batching=Batching.SIDE_BY_SIDE))
    assert not isinstance(weights_of(other, LIMIT, kept), KeptWeights)


def test_what_does_not_fit_is_not_kept(made, tmp_path) -> None:
    assert keep_weights(made, tmp_path / "w", limit_bytes=weights_bytes(made) - 1) == 0
    slots = compile_program(PROGRAM, Options(batching=Batching.SLOT))
    assert weights_bytes(slots) == 0 and keep_weights(slots, tmp_path / "w") == 0
    (tmp_path / "file").write_bytes(b"")
    assert keep_weights(made, tmp_path / "file" / "w") == 0


def test_programs_that_were_not_used_for_longest_make_room(made, root) -> None:
    (own,) = root.iterdir()
    old, new = (root / (c * 64) for c in "ab")
    for place in (old, new):
        place.mkdir()
        (place / "x.plain").write_bytes(bytes(1000))
    os.utime(old, (1, 1))
    (root / "mine").mkdir()
    for name, age in ((".left.1", 7200), (".now.1", 0)):
        (own / name).write_bytes(b"half")
        os.utime(own / name, (time.time() - age,) * 2)
    assert keep_weights(made, root, weights_bytes(made) + 1000) > 0
    assert not old.exists() and new.exists() and (root / "mine").exists()
    assert not (own / ".left.1").exists() and (own / ".now.1").exists()


def test_a_full_disk_ends_the_keeping_and_loses_nothing(made, tmp_path, monkeypatch, encoded) -> None:
    original, count = module._write, iter(range(100))

    def full(path, data):
        if next(count) == 2:
            raise OSError(28, "No space left on device")
        original(path, data)

    monkeypatch.setattr(module, "_write", full)
    assert keep_weights(made, tmp_path / "w") > 0
    assert len(files(tmp_path / "w")) == 2
    scores(made, tmp_path / "w")

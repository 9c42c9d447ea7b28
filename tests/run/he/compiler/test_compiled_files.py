"""What was compiled is read back as it was, by another process too; damaged bytes are our errors, or made anew.

Answers for `privis.run.structure_files`.
"""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privis.errors import ProgramError, UnsupportedError
from privis.features.colour import ColourHistogram
from privis.features.hog import HOG
from privis.program import Input, Program, ops, trace
from privis.run.he.compiler import compiled_files
from privis.run.he.compiler.circuit_cost import CKKSTimings, predict
from privis.run.he.compiler.compiled_files import cache_key, compile_kept, from_bytes, to_parts
from privis.run.he.compiler.compiler import CompiledProgram, Options, compile_program
from privis.run.he.executor import CKKS
from privis.run.he.packing.batching import Batching
from privis.run.program_cache import ProgramCache
from tests.run.he.backends.clear_engine import run_batch_in_the_clear

WEIGHTS = np.random.default_rng(8)
MATRIX, KERNEL = WEIGHTS.normal(size=(5, 32)), WEIGHTS.normal(size=(2, 1, 3, 3))


def network(x):
    y = (x >> ops.Conv(KERNEL, (2, 2), (1, 1, 1, 1))).reshape(32)
    return (y * y >> ops.Dense(MATRIX)) + 0.5


PROGRAMS = {
    "network": trace(network, Input((1, 8, 8), -1.0, 1.0, None)),
    "hog": HOG(block=2).program((16, 16)),
    "colour": ColourHistogram(bins=4).program((3, 8, 8)),
    "two outputs": trace(lambda x: (x * x, x * 2.0), Input((4,), -1e3, 1e3, None)),
}


def whole(made: CompiledProgram) -> bytes:
    return b"".join(bytes(part) for part in to_parts(made))


@pytest.mark.parametrize(
    ("name", "batching"),
    [*((name, Batching.NONE) for name in PROGRAMS), *(("network", how) for how in Batching if how.value != "alone")],
)
def test_what_is_read_back_is_the_same_program(name: str, batching: Batching, rng) -> None:
    program = PROGRAMS[name]
    made = compile_program(program, Options(1e-3, batching=batching))
    read = from_bytes(whole(made))
    assert read.spec.to_json() == made.spec.to_json() and read.spec.digest == made.spec.digest
    assert read.choice.error == made.choice.error and read.choice.scale == made.choice.scale
    assert read.choice.arrangement.rotations() == made.choice.arrangement.rotations()
    machine = CKKSTimings()
    ours, theirs = (predict(x.spec, x.choice.arrangement, 1 << 20, machine) for x in (read, made))
    assert ours == theirs
    (declared,) = program.inputs
    low, high = np.clip([declared.low, declared.high], -9.0, 255.0)
    x = np.round(rng.uniform(low, high, declared.shape))
    for own, other in zip(*(run_batch_in_the_clear(c, [(x,)])[0] for c in (read, made)), strict=True):
        np.testing.assert_array_equal(own, other)
    for own, other in zip(read.in_the_clear(x), made.in_the_clear(x), strict=True):
        np.testing.assert_array_equal(own, other)


@pytest.fixture(scope="module")
def written() -> bytes:
    return whole(compile_program(PROGRAMS["network"], Options(1e-3)))


@settings(max_examples=60, deadline=None)
@given(at=st.integers(0, 10**9), noise=st.binary(min_size=1, max_size=30), cut=st.booleans())
def test_damaged_bytes_are_our_error_or_another_program(written: bytes, at: int, noise: bytes, cut: bool) -> None:
    head = int.from_bytes(written[len(compiled_files.FORMAT) :][:8], "big")
    at %= len(compiled_files.FORMAT) + 8 + head  # the structure; arrays may hold any numbers
    try:
        from_bytes(written[:at] + noise + (b"" if cut else written[at + len(noise) :]))
    except ProgramError as error:
        assert error.problems


@pytest.mark.parametrize("name", ["Spec", "CompiledProgram", "Program", "os.system"])
def test_the_json_names_classes_of_the_table_alone(name: str) -> None:
    text = json.dumps({"compiled": {"is": name, "of": {}}, "arrays": [["|O", 0, [1]]] * (name == "Spec")}).encode()
    with pytest.raises(ProgramError, match="compiled program"):
        from_bytes(compiled_files.FORMAT + len(text).to_bytes(8, "big") + text)


@pytest.fixture
def kept(tmp_path, monkeypatch) -> list[Program]:
    """An empty cache that keeps everything; what is compiled from now on."""
    made: list[Program] = []

    def counting(program, options, samples=()):
        made.append(program)
        return compile_program(program, options, samples)

    monkeypatch.setenv("PRIVIS_CACHE", str(tmp_path / "programs"))
    monkeypatch.setattr(compiled_files, "WORTH_KEEPING", 0.0)
    monkeypatch.setattr(compiled_files, "compile_program", counting)
    return made


def test_a_program_seen_before_is_not_compiled_again(kept: list[Program], rng) -> None:
    program, x = PROGRAMS["network"], rng.uniform(-1, 1, (1, 8, 8))
    first, second = (CKKS().prepare(program)(x) for _ in range(2))
    assert len(kept) == 1
    np.testing.assert_allclose(first, second, atol=1e-3)
    CKKS(precision=1e-3).compiled(program)
    CKKS(samples=[x]).compiled(program)
    assert len(kept) == 3


def test_every_way_to_share_ciphertexts_is_kept(kept: list[Program], monkeypatch) -> None:
    program = PROGRAMS["network"]
    made = CKKS().together(program, 5)
    monkeypatch.setattr("privis.run.he.compiler.quickest.lower_program", lambda *given: pytest.fail("lowered again"))
    assert CKKS().together(program, 5) == made


def test_what_compiles_in_no_time_is_not_kept(kept: list[Program], monkeypatch) -> None:
    monkeypatch.setattr(compiled_files, "WORTH_KEEPING", 60.0)
    for _ in range(2):
        compile_kept(PROGRAMS["network"], Options())
    assert len(kept) == 2


def test_an_entry_that_cannot_be_read_is_made_anew(kept: list[Program]) -> None:
    program, options = PROGRAMS["network"], Options()
    ProgramCache().store(cache_key(program, options, ()), [b"privis.compiled/1\n", bytes(100)])
    compile_kept(program, options)
    compile_kept(program, options)
    assert len(kept) == 1


def test_refusals_are_not_kept(kept: list[Program]) -> None:
    constant = trace(lambda x: x * 0.0, Input((3,), -1.0, 1.0, None))
    for _ in range(2):
        with pytest.raises(UnsupportedError):
            compile_kept(constant, Options())
    assert len(kept) == 2


def test_every_option_and_sample_makes_another_key() -> None:
    program, options, x = PROGRAMS["network"], Options(), np.ones((1, 8, 8))
    keys = [cache_key(program, o, ()) for o in (options, replace(options, signs=(5,)), replace(options, stretch=False))]
    keys += [cache_key(program, options, [(x,)]), cache_key(program, options, [(2 * x,)])]
    assert len({key.text for key in keys}) == len(keys)

"""Evaluation keys written to a file one after the other: whole or not there, and the keys that are made at once."""

import io

import numpy as np
import pytest

pytest.importorskip("tenseal")

from privis.errors import OutputError, ProtocolError
from privis.program import Input, ops, trace
from privis.run.he.backends.seal import SealEngine
from privis.run.he.backends.seal_files import plain_content, saved, write_galois_keys
from privis.run.he.compiler.compiler import Options, compile_program
from privis.run.he.engine import KeyGroup, Parameters
from privis.run.he.evaluation.evaluator import Evaluator
from privis.run.he.owner.keys import SecretKeys
from privis.run.he.owner.seal_keys import SealSecret, seal
from privis.run.he.wire import key_file
from privis.run.he.wire.key_file import KeyKind

PARAMETERS = Parameters(8192, (36, 30, 30, 60))


def test_rotation_keys_of_several_files_are_one_set():
    secret, steps = SealSecret.generate(PARAMETERS), (1, 5, 64)
    groups = [KeyGroup(2, steps, conjugate=True), KeyGroup(1, (2,), relinearise=False)]
    engine = SealEngine.with_keys(PARAMETERS, groups, secret.evaluation_keys(groups))
    numbers = np.arange(PARAMETERS.slots) / PARAMETERS.slots + 0.5j
    x = engine.load(secret.encrypt(numbers, 2, 2.0**30))
    for step in steps:
        turned = secret.decrypt(engine.save(engine.rotate(x, step)))
        np.testing.assert_allclose(turned, np.roll(numbers, -step), atol=1e-4)
    np.testing.assert_allclose(secret.decrypt(engine.save(engine.conjugate(x))), numbers.conj(), atol=1e-4)
    low = secret.decrypt(engine.save(engine.rotate(engine.lower(x, 1), 2)))
    np.testing.assert_allclose(low, np.roll(numbers, -2), atol=1e-4)


def test_a_set_is_as_the_library_writes_it_and_others_are_refused():
    secret = SealSecret.generate(PARAMETERS)
    maker, elements = seal.KeyGenerator(secret.ring.context, secret.key), [3, 9, 2 * 8192 - 1]
    with saved(maker.create_galois_keys(elements)) as file:
        whole = plain_content(file)[1].read()
    one = [saved(maker.create_galois_keys([element])) for element in elements]
    files = [(element, context.__enter__()) for element, context in zip(elements, one, strict=True)]
    target = io.BytesIO()
    target.write(b"before")
    write_galois_keys(target, files)
    target.seek(6)
    merged = plain_content(target)[1].read()
    assert len(merged) == len(whole) and merged[:48] == whole[:48] and target.getvalue()[:6] == b"before"
    for wrong in ([(5, files[1][1])], [(9, io.BytesIO(b"none"))], [(9, files[1][1]), (3, files[0][1])]):
        for _, file in files:
            file.seek(0)
        with pytest.raises(ProtocolError):
            write_galois_keys(io.BytesIO(), wrong)
    for context in one:
        context.__exit__(None, None, None)


def test_keys_in_a_file_are_whole_or_not_there(tmp_path, rng):
    program = trace(lambda x: x * x >> ops.Dense(np.eye(8)[::-1] / 2), Input((8,), -1.0, 1.0, None))
    made = compile_program(program, Options())
    keys, path, x = SecretKeys.generate(made.spec), tmp_path / "evaluation.key", rng.uniform(-1, 1, 8)

    def interrupted(share):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        keys.write_evaluation_keys(made.spec, path, interrupted)
    assert not list(tmp_path.iterdir())
    shares = []
    keys.write_evaluation_keys(made.spec, path, shares.append)
    assert shares == sorted(shares) and shares[-1] == 1 and [each.name for each in tmp_path.iterdir()] == [path.name]
    content = key_file.read(path, KeyKind.EVALUATION, made.spec.digest)
    assert abs(len(content) / len(keys.evaluation_keys(made.spec)) - 1) < 0.01
    query = keys.encrypt(made.spec, [[x]])
    ((found,),) = keys.decrypt(made.spec, query, Evaluator.open(made, content).run(query.message))
    np.testing.assert_allclose(found, x[::-1] ** 2 / 2, atol=1e-4)
    with pytest.raises(OutputError, match="never overwritten"):
        keys.write_evaluation_keys(made.spec, path)

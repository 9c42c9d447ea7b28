"""Encrypted pictures to one encrypted decision, with a toy network: both sides in processes of their own.

Answers for `benchmarks.he.faces_from_pixels`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.he import faces_from_pixels as faces
from privis.readings import evaluate
from privis.run.he.compiler.compiler import Options
from privis.tasks import Decision


def test_two_encrypted_pictures_give_one_decision(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("tenseal")
    given, words = faces.case(faces.TINY, None, None, 0.5)
    assert "random weights" in words
    pictures = [faces.patches(image, faces.TINY) for image in faces.photographs(None)[0]]
    templates = [evaluate(given.network, picture) for picture in pictures]
    differences = np.array([[given.rule.difference(u, v) for u in templates] for v in templates])
    alike, other = (divmod(int(at), len(pictures)) for at in (differences.argmax(), differences.argmin()))
    assert differences.max() > given.rule.gap and differences.min() < -given.rule.gap, "the control: both are decided"
    given = replace(given, pairs=tuple((pictures[left], pictures[right]) for left, right in (alike, other)))
    made, spec, expected = faces.run(given, Options(0.2), print)
    assert "predicted" in capsys.readouterr().out
    assert given.rule.read(np.array(made.numbers)) == [Decision.ACCEPTED, Decision.REJECTED]
    clear = [evaluate(given.program, *pair) for pair in given.pairs]
    assert np.array(made.numbers) == pytest.approx(np.array(clear), abs=0.01)
    assert spec.answered == 1, "one ciphertext comes back, with one number and its negative"
    assert expected.keys == pytest.approx(made.keys, rel=0.2) and expected.query == pytest.approx(made.query, rel=0.2)
    table = faces.lines(given, made, spec, expected)
    assert sum(line.endswith("ok") for line in table) == 2
    told = faces.lines(given, replace(made, numbers=[-number for number in made.numbers]), spec, expected)
    assert sum(line.endswith("MISSED") for line in told) == 2


def test_an_own_network_is_read_from_its_file(tmp_path) -> None:
    pytest.importorskip("onnx")
    from privis.program import Input, ops, trace
    from privis.run.clear.onnx_lowering import to_onnx

    weights = np.random.default_rng(2).normal(size=(5, 3))
    model = trace(lambda x: (x * x).sum(2, 3) >> ops.Dense(weights), Input((1, 3, *faces.TINY.size)))
    (tmp_path / "own.onnx").write_bytes(to_onnx(model).SerializeToString())
    given, words = faces.case(faces.TINY, None, tmp_path / "own.onnx", 0.2)
    assert "own.onnx" in words and given.program.output_shapes == ((2,),)
    number, negative = evaluate(given.program, *given.pairs[0])
    assert np.isfinite(number) and negative == -number

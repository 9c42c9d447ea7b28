"""Private programs of several images and several outputs: one flat input, and answers by name.

Answers for `privis.cli.server.offerings` and `privis.serve.client.remote_model`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tenseal")

from privis.cli.server.offerings import OfferOptions, feature_of
from privis.errors import ParameterError, ProgramError, ProtocolError
from privis.features import NamedTensor, named_tensors, stack, tensors
from privis.identity import identity
from privis.program import Input, Program, save, trace
from privis.readings import evaluate
from privis.run.he.compiler.compiler import Options
from privis.run.he.owner.keys import SecretKeys
from privis.run.he.wire import key_file
from privis.serve.client.remote_model import PrivateModel, PrivateProgram

RNG = np.random.default_rng(8)
PAIR = trace(
    lambda a, b: (((a - b) * (a - b)).sum(0, 1, 2) * (1 / 255**2), a.sum(1, 2) * 0.01), *(Input((3, 8, 6)),) * 2
)
TWO = trace(lambda a: (a.sum(0) * 0.01, a.sum(1) * 0.01), Input((8, 6)))


def offered(program: Program, folder: Path):
    save(program, folder / "program.npz")
    (maker,) = OfferOptions(None, [], [folder / "program.npz"], [], [], [], None).makers(Options())
    return maker()


def asked(offering: Any, core: np.ndarray, folder: Path) -> np.ndarray:
    """What a client decrypts."""
    spec = offering.compiled.spec
    keys = SecretKeys.generate(spec)
    key_file.write(folder / "e.key", key_file.KeyKind.EVALUATION, spec.digest, keys.evaluation_keys(spec))
    query = keys.encrypt(spec, [[core]])
    ((found,),) = keys.decrypt(spec, query, offering.open(folder / "e.key").run(query.message, lambda done: None))
    return found


def test_a_private_program_of_two_images_answers_by_name(tmp_path: Path) -> None:
    offering = offered(PAIR, tmp_path)
    feature = feature_of(offering.terms)
    assert isinstance(feature, PrivateProgram)
    images = [RNG.integers(0, 256, (8, 6, 3), np.uint8) for _ in range(2)]
    core = feature.before(stack(images, (8, 6)))
    assert offering.compiled.spec.inputs == (core.shape,) == (feature.core_shape((16, 6, 3)),)
    found = feature.after(asked(offering, core, tmp_path))
    distance, sums = evaluate(PAIR, *(image.transpose(2, 0, 1) for image in images))
    told = named_tensors(tensors(feature, core.shape), found)
    assert told["output_0"].shape == () and told["output_1"].shape == (3,)
    assert np.allclose(told["output_0"], distance, rtol=1e-3) and np.allclose(told["output_1"], sums, rtol=1e-3)
    assert feature.names(core.shape) == ("output_0", "output_1_0", "output_1_1", "output_1_2")


def test_a_private_program_of_two_outputs_answers_by_name(tmp_path: Path) -> None:
    offering = offered(TWO, tmp_path)
    feature = feature_of(offering.terms)
    assert isinstance(feature, PrivateModel)
    image = RNG.integers(0, 256, (8, 6), np.uint8)
    found = feature.after(asked(offering, feature.before(image), tmp_path))
    told = named_tensors(tensors(feature, (8, 6)), found)
    for name, expected in zip(("output_0", "output_1"), evaluate(TWO, image), strict=True):
        assert np.allclose(told[name], expected, atol=1e-2)


def test_what_a_server_says_of_outputs_does_not_change_who_a_model_is() -> None:
    plain = PrivateModel((8, 6), 14)
    layout = (NamedTensor("a", (6,)), NamedTensor("b", (8,)))
    assert identity(PrivateModel((8, 6), 14, layout=layout)) == identity(plain)
    assert repr(PrivateModel((8, 6), 14, layout=layout)) == repr(plain)
    assert tensors(plain, (8, 6)) == (NamedTensor("model", (14,)),)
    with pytest.raises(ParameterError, match="14 numbers"):
        PrivateModel((8, 6), 14, layout=layout[:1])


def test_inputs_of_different_ranges_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="declare them alike"):
        offered(trace(lambda a, b: a + b, Input((4, 4)), Input((4, 4), 0.0, 1.0, None)), tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"shapes": []},
        {"shapes": [[7, 8, 8]]},
        {"shapes": [[3, 0, 8]]},
        {"outputs": [["a", [2]], ["a", [2]]]},
        {"outputs": [["a", [-2]]]},
        {"outputs": [["a"]]},
        {"channels": "os"},
        {"outputs": []},
    ],
)
def test_words_of_a_server_are_not_trusted(tmp_path: Path, change: dict[str, Any]) -> None:
    terms = offered(PAIR, tmp_path).terms
    with pytest.raises(ProtocolError, match="a feature of this version"):
        feature_of(replace(terms, words={"program": {**terms.words["program"], **change}}))

"""What was computed, drawn and written once stays so: digests that were stored before the code moved.

Another digest here is another program, other noise under an old key, another table or ledger: a new version of that
format, never a side effect. ``python -m tests.properties.test_stored_digests`` prints what is computed today.
"""

import dataclasses
import hashlib
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

import privis
from privis.io import tables
from privis.privacy.ledger.budget import Budget
from privis.program import digest
from tests.conformance.samples import SAMPLES

KEY = privis.ReleaseKey(bytes(range(32)))  # a test key
IMAGE = np.add.outer(np.arange(64) * 3, np.arange(64)).astype(np.uint8)
RELEASES = {
    "pixels": privis.PixelRelease(privis.Laplace(4.0), privis.Pixels(16)),
    "blocks": privis.PixelRelease(privis.Gaussian(4.0, 1e-6), privis.Pixels(16), block=4),
    "feature": privis.FeatureRelease(privis.Gaussian(4.0, 1e-6), clip=1.5),
    "counts": privis.HistogramRelease(privis.Laplace(1.0), moves=9, total=64 * 64),
    "direction": privis.DirectionRelease(privis.PrivUnit(8.0)),
    "code": privis.CodeRelease(privis.RandomisedResponse(4.0)),
}
PROGRAMS = [
    "colour",
    "colour-hsv-joint",
    "lbp",
    "glcm",
    "gabor",
    "hog",
    "hog-opencv",
    "scattering",
    "dense-sift",
    "cnn",
]
STORED = {
    "program colour": "d15b9a6cab056c3d1c97a4a535527db3",
    "program colour-hsv-joint": "5be70c26e2276c5bfb00ad06283f0eb1",
    "program lbp": "79544908f823d981ebe1c908be7076ce",
    "program glcm": "dd23443a07a05de9dbdb8ac71b6652f4",
    "program gabor": "ae6d27b8968381b5190ea9f14d4727e1",
    "program hog": "ebc47032e4fb58e9f711309a67ca6885",
    "program hog-opencv": "cae2c00d6eeb52016db15f9abcf3cd90",
    "program scattering": "e7ceaa53049584276d885cf5203e7bbd",
    "program dense-sift": "1b4d01bf92131701a0b21c13fd09ce97",
    "program cnn": "e9aa42364a8374f04b0ad060c738d9c8",
    "noise pixels": "7796738431b6cbe3ea679fc1b3d5c7a7",
    "noise blocks": "235d59207f6c2fa66085538451b0b3b3",
    "noise feature": "741d4d21b7d9d45e6e726cd34f8f669f",
    "noise counts": "9ae80aea7d664375fd2e66d8a949256d",
    "noise direction": "d2fb1592873a7046aa71e21f3d906ec8",
    "noise code": "bd97a2c4255fde4fe213298a5a568cf2",
    "table": "451f35bc73747b0ac91c7a6ceef2cb57",
    "card": "6a48db59a07827cbaf253228bf10107d",
    "ledger": "b246411c143349ec89fa9c874963d9db",
}

STORED_CONSTANTS = {
    "program gabor": ("d118530b3cc1d66f85428654ba113564", 0.23697730711940324),
    "program hog-opencv": ("a1fc199c6fc06626df17c187dd5610f2", -13.816247412526321),
    "program scattering": ("e9f96e2b78e45c6f5147ae91bdb94585", 213.52312386496675),
    "program dense-sift": ("77578382b564e21a5d576f33469a051d", -88.03583704468369),
}
"""Programs with constants that numpy's exp computes: its last bits depend on numpy's release and on the processor."""
STORED_EXP = "42ca2c70153e0f5bf37e6d25be21a7d5"


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def program(label: str) -> str:
    feature = next(sample.feature for sample in SAMPLES if sample.label == label)
    shape = feature.before(np.dstack([IMAGE, IMAGE.T, 255 - IMAGE])).shape
    return digest(feature.program(shape))[:32]


def noise(name: str) -> str:
    released = privis.extract(privis.LBP(), [IMAGE], release=RELEASES[name], key=KEY)
    return sha(np.asarray(released.features, "<f4").tobytes())


def table() -> str:
    result = privis.extract(privis.LBP(), [IMAGE], release=RELEASES["counts"], key=KEY)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "table.npz")
        metadata = {"privis.guarantee": json.dumps(result.guarantee.to_dict())}
        tables.write(path, ["a.png"], [result.features], names=result.names, metadata=metadata, scratch=Path(folder))
        read = tables.read(path)
    return sha(repr((read.paths, read.names, read.features.tolist(), sorted(read.metadata.items()))).encode())


def card() -> str:
    result = privis.extract(privis.HOG(), [IMAGE], release=RELEASES["feature"], key=KEY)
    return sha(result.card.to_json().encode())


def ledger() -> str:
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys.modules[privis.FileLedger.__module__].secrets, "token_hex", lambda size: "0" * 2 * size)
        patch.setattr(sys.modules[privis.FileLedger.__module__], "now", lambda: "2026-11-29T00:00:00.000+00:00")
        path = Path(folder, "ledger")
        made = privis.FileLedger.create(path, Budget(10.0, 1e-5))
        privis.extract(privis.LBP(), [IMAGE], release=RELEASES["feature"], key=KEY, ledger=made, subjects=["ann"])
        return sha(path.read_bytes())


MADE = {
    **{f"program {label}": (program, label) for label in PROGRAMS},
    **{f"noise {name}": (noise, name) for name in RELEASES},
    "table": (table,),
    "card": (card,),
    "ledger": (ledger,),
}


def constants(label: str) -> tuple[str, float]:
    """A program without the last bits of its constants: digest of its structure, one sum in which each has a weight."""
    feature = next(sample.feature for sample in SAMPLES if sample.label == label)
    shape = feature.before(np.dstack([IMAGE, IMAGE.T, 255 - IMAGE])).shape
    structure, total = [], 0.0
    for node in feature.program(shape).nodes:
        fields = {field.name: getattr(node.op, field.name) for field in dataclasses.fields(node.op)}
        arrays = {name: value for name, value in fields.items() if isinstance(value, np.ndarray)}
        rest = sorted((name, repr(value)) for name, value in fields.items() if name not in arrays)
        shapes = sorted((name, value.shape) for name, value in arrays.items())
        structure.append((type(node.op).__name__, node.operands, rest, shapes))
        for _, value in sorted(arrays.items()):
            total += float(np.cos(np.arange(value.size)) @ value.reshape(-1).astype(np.float64))
    return sha(repr(structure).encode()), total


@pytest.mark.parametrize("name", sorted(STORED_CONSTANTS))
def test_constants_that_exp_computes_are_the_stored_ones_on_every_processor(name):
    structure, total = constants(name.removeprefix("program "))
    assert structure == STORED_CONSTANTS[name][0]
    assert total == pytest.approx(STORED_CONSTANTS[name][1], rel=1e-10)


@pytest.mark.parametrize("name", MADE)
def test_what_was_stored_is_made_again(name):
    if name in STORED_CONSTANTS and sha(np.exp(-np.arange(4096) / 256).tobytes()) != STORED_EXP:
        return  # the last bits are of another numpy or processor: all but those is compared above
    make, *arguments = MADE[name]
    assert make(*arguments) == STORED[name]


if __name__ == "__main__":
    for name, (make, *arguments) in MADE.items():
        print(f'    "{name}": "{make(*arguments)}",')

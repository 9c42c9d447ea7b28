"""A submission as a directory: stages that the harness runs, terms for owners, and the server's network.

Stages lie in the directory as Python files, and in ``build/`` as links without an ending: harnesses start them one way
or the other. They run with the Python of the environment that is active. Their first line keeps numpy's library of
linear algebra, which they hardly use, from starting threads: those wait busily for a tenth of a second of each stage.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from privis.features.cnn import CNN
from privis.run.he.compiler.program_specification import Spec
from privis.run.he.packing.batching import Batching
from privis.run.he.security import SecurityStandard
from privis.run.he.wire import key_file
from privis.run.he.wire.whole_folder import whole_folder
from privis.serve.offerings.offer import Offer
from privis.serve.submission import remote, stages
from privis.serve.submission.stage_call import SIZES, StageCall
from privis.serve.submission.submission_readme import write_readme
from privis.serve.submission.workload import Workload

STAGES = (
    "client_key_generation",
    "server_preprocess_model",
    "client_preprocess_input",
    "client_encode_encrypt_input",
    "server_encrypted_compute",
    "client_decrypt_decode",
    "client_postprocess",
)
"""Stages in the order in which the harness runs them."""
REMOTE_STAGES: Mapping[str, str] = MappingProxyType(
    {
        "server_get_params": "remote_terms",
        "server_upload_ek": "remote_keys",
        "server_encrypted_compute": "remote_compute",
    }
)
"""Stages that ask a running server instead, by the harness's names for them."""
PRECISION = 1e-2
"""Largest error by encryption, relative to the largest score: classes hardly change, and the smallest ring does."""


def write_submission(
    directory: Path,
    workload: Workload,
    network: CNN,
    *,
    samples: Sequence[Any] | None = None,
    precision: float = PRECISION,
    standard: SecurityStandard = SecurityStandard.GUIDELINES_2024,
    asks_server: bool = False,
    progress: Callable[[float], None] = lambda share: None,
) -> None:
    """Write a submission, whole or not at all.

    For each size the way of sharing ciphertexts is chosen here, once: keys are made before a server has compiled.

    Args:
        directory: new, or empty.
        workload: what it answers.
        network: with a score per class; as `Workload.require_network` takes it.
        samples: public images, paths or arrays, that tell how large values are: a smaller ring may do.
        precision: largest error by encryption, relative to the largest score.
        standard: table of 128-bit security that parameters meet.
        asks_server: whether stages ask a running ``privis serve``, as the harness's ``--remote`` has it.
        progress: told the share that is done, in [0, 1].

    Raises:
        OutputError: there is something in the directory, or it cannot be written.
        ParameterError: a parameter is none, or a sample cannot be read.
        UnsupportedError: more levels or precision than secure parameters give.
    """
    with whole_folder(directory) as unfinished:
        own = [name for name in STAGES if not (asks_server and name.startswith("server_"))]
        copy_stages(unfinished, Path(stages.__file__).parent, {name: name for name in own})
        if asks_server:
            copy_stages(unfinished, Path(remote.__file__).parent, REMOTE_STAGES)
        for number, (size, images) in enumerate(zip(SIZES, workload.images, strict=True)):
            offer = Offer(
                network,
                name=f"{workload.name}-{size}",
                samples=samples,
                precision=precision,
                sharing=None,
                images=images,
                standard=standard,
            )
            _write_offer(StageCall(unfinished, size), offer)
            progress((number + 1) / len(SIZES))
        write_readme(unfinished)


def copy_stages(directory: Path, source: Path, names: Mapping[str, str]) -> None:
    """Copy stages into a submission, where harnesses find them.

    Args:
        directory: of the submission.
        source: folder of the stages.
        names: by which the harness runs them, in this order, and those of their files.
    """
    build = directory / "build"
    build.mkdir(exist_ok=True)
    for name, module in names.items():
        copy = directory / f"{name}.py"
        shutil.copyfile(source / f"{module}.py", copy)
        copy.chmod(0o755)
        (build / name).symlink_to(Path("..") / copy.name)


def _write_offer(call: StageCall, offer: Offer) -> None:
    """Terms and offer, of the sharing that is quickest here, wherever stages run later."""
    compiled = offer.offering.compiled
    fixed = Offer.of(
        replace(offer.made, options=replace(offer.made.options, batching=_batching(compiled.spec)), images=None)
    )
    terms = fixed.terms()
    for path in (call.terms_path, call.offer):
        path.parent.mkdir(exist_ok=True)
    key_file.write(call.terms_path, key_file.KeyKind.PUBLIC, terms.digest, terms.to_json().encode(), mode=0o644)
    fixed.save(call.offer)


def _batching(spec: Spec) -> Batching:
    if spec.batch_size == 1:
        return Batching.NONE
    if not spec.slot_per_image:
        return Batching.SIDE_BY_SIDE
    return Batching.SLOT_OF_PAIRS if any(source.is_paired for source in spec.sources) else Batching.SLOT

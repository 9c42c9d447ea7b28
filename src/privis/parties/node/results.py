"""Results and their receipt at a receiver: written aside, then renamed once all members succeeded, or removed.

Format ``privis.receipt/1``, JSON: a record for people and tools; Privis does not read it back. Keys may be added, and a
reader ignores those that it does not know; a key that changes its meaning or goes raises the number.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from privis.errors import OutputError, Problem
from privis.io import tables
from privis.io.atomic import replacing
from privis.io.tables import Table
from privis.parties.job.task import AgreedJob, Array, Outputs, Protection

FORMAT = "privis.receipt/1"
RECEIPT = "receipt.json"
NO_LIMITS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True)
class StagedResults:
    """Results that are written but not yet in their place."""

    aside: Path
    place: Path

    def commit(self) -> Path:
        """Move the results to their folder by one rename; returns that folder."""
        try:
            os.rename(self.aside, self.place)
        except OSError as error:
            raise _unwritable(self.place, error) from None
        return self.place

    def discard(self) -> None:
        """Remove the unfinished results."""
        shutil.rmtree(self.aside, ignore_errors=True)


def stage(outputs: Outputs, receipt: Mapping[str, Any], folder: Path, name: str) -> StagedResults:
    """Write ``outputs`` and their receipt beside ``folder / name``; OutputError when it cannot be done.

    Tables become Parquet files, other arrays npz files; each table's metadata holds the receipt too.
    """
    aside, place = folder / f".{name}.unfinished", folder / name
    text = json.dumps(receipt, sort_keys=True, allow_nan=False)
    try:
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(mode=0o700)
        for file, output in outputs.items():
            if isinstance(output, Table):
                metadata = {**output.metadata, "privis.receipt": text}
                path, blocks = aside / f"{file}.parquet", [output.features]
                tables.write(path, output.paths, blocks, names=output.names, metadata=metadata)
            else:
                _write_arrays(aside / f"{file}.npz", output)
        with replacing(aside / RECEIPT) as temporary:
            temporary.write_text(json.dumps(receipt, indent=2, sort_keys=True, allow_nan=False) + "\n")
    except OSError as error:
        shutil.rmtree(aside, ignore_errors=True)
        raise error if isinstance(error, OutputError) else _unwritable(aside, error) from None
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
    return StagedResults(aside, place)


def receipt_of(
    agreed: AgreedJob,
    member: str,
    submitter: str,
    session: str,
    protection: Protection | None,
    limits: Mapping[str, str] = NO_LIMITS,
    revealed: str = "",
) -> dict[str, Any]:
    """What was computed, by whom, for whom, and under which protection: the record that travels with results.

    ``limits`` are what owners of templates say of the answers that they give, by their names.
    """
    job, specification = agreed.job, agreed.specification
    record = job.public_record()
    return {
        "format": FORMAT,
        "session": session,
        "job": job.digest,
        "member": member,
        "submitter": submitter,
        "specification": specification.to_dict(),
        "inputs": {
            name: {"owner": one.owner, "announced items": len(one.shapes)} for name, one in agreed.announcements.items()
        },
        "protocol": {**dataclasses.asdict(job.preset)},
        "fixed_point": dataclasses.asdict(job.fixed),
        "programs": record["programs"],
        "versions": record["versions"],
        "epsilon": None if protection is None else protection.epsilon,
        "protection": None if protection is None else dataclasses.asdict(protection),
        "revealed": revealed,
        "threat_model": threat_model(agreed, protection),
        **({"answers": dict(limits)} if limits else {}),
    }


def threat_model(agreed: AgreedJob, protection: Protection | None) -> str:
    """One sentence on who could learn what."""
    exact = "The results are exact: whoever receives them may recover much of the inputs."
    said = exact if protection is None else f"The results satisfy {protection.sentence}."
    return f"Nobody sees another's inputs but through the results ({agreed.job.preset.model}). {said}"


def _write_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for name, array in arrays.items():
            information = zipfile.ZipInfo(f"{name}.npy", date_time=(1980, 1, 1, 0, 0, 0))
            with archive.open(information, "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)


def _unwritable(path: Path, error: OSError) -> OutputError:
    got = error.strerror or "an error"
    return OutputError(Problem(str(path), got, "a folder that can be written", "free space or choose another output"))

"""Three hospitals train one classifier of DICOM pictures; no picture, vector or patient leaves a hospital.

Everybody is played from this process by processes of this machine. How many scans each has is public;
whoever asks about a scan extracts and encrypts, and the service scores what it cannot read.
"""

import tempfile
from pathlib import Path

import numpy as np
import pydicom
from pydicom.uid import SecondaryCaptureImageStorage

import privis
from privis.joint.release import Owner, ReleasePlan, release_jointly
from privis.joint.statistics import Committee
from privis.joint.training import Labelled, PrivateOwner, PrivateTraining, train_privately
from privis.joint.training.private_schedule import private_network
from privis.run.mpc.fixed_point import FixedPoint
from privis.run.mpc.runtime.local_parties import LocalParties
from privis.tasks import LinearHead, Link
from privis.tasks.linear_stages import LinearMap

SITES = {"north": (8, "MONOCHROME2"), "south": (12, "MONOCHROME1"), "west": (16, "MONOCHROME2")}  # their scanners
TEXTURE = privis.LBP(privis.Patterns.UNIFORM, grid=(2, 2), density=True, size=(32, 32))
BUDGET = privis.Budget(8.0, 1e-5, privis.Per.CORPUS, privis.BudgetUnit.PERSON)


def scan(path: Path, patient: str, ill: int, bits: int, photometric: str, rng: np.random.Generator) -> None:
    """A made-up scan: tissue is smooth, and where somebody is ill it is coarse."""
    smooth = np.add.outer(np.linspace(0.2, 0.8, 32), rng.normal(0, 0.02, 32))
    shown = np.clip(smooth + ill * rng.normal(0, 0.1, (32, 32)), 0, 1)
    pixels = np.rint((1 - shown if photometric == "MONOCHROME1" else shown) * (2**bits - 1))
    scan = pydicom.Dataset()
    scan.PatientID, scan.SOPClassUID = patient, SecondaryCaptureImageStorage
    scan.set_pixel_data(pixels.astype(np.uint8 if bits == 8 else np.uint16), photometric, bits)
    scan.save_as(path, implicit_vr=False, little_endian=True, enforce_file_format=True)


def main() -> None:
    rng, keys = np.random.default_rng(0), {site: privis.ReleaseKey.generate() for site in SITES}
    mean = privis.MeanRelease(privis.Gaussian(2.0, 1e-6), clip=1.0, unit=privis.Person(2))
    with tempfile.TemporaryDirectory() as folder:
        rows, people, classes, ledgers = {}, {}, {}, {}
        for site, (bits, photometric) in SITES.items():  # each hospital at home: its folder, its people, its ledger
            paths, classes[site] = [Path(folder, f"{site}{n:03}.dcm") for n in range(160)], np.arange(160) // 2 % 2
            for n, path in enumerate(paths):  # two of each of 80 patients
                scan(path, f"{site} {n // 2}", classes[site][n], bits, photometric, rng)
            people[site] = [str(pydicom.dcmread(path, stop_before_pixels=True).PatientID) for path in paths]
            rows[site] = privis.extract(TEXTURE, paths).features
            ledgers[site] = privis.FileLedger.create(Path(folder, site), BUDGET)
        committee, sizes = Committee(tuple(SITES)), tuple((site, 160) for site in SITES)
        texture = ReleasePlan(mean, "scans", 40, tuple(SITES), tuple(SITES), committee, disjoint=True)
        what = private_network(40, 2), sizes, privis.Gaussian(5.0, 1e-6), "scans", ("north",), committee
        training = PrivateTraining(*what, batch=480, epochs=4, rate=4.0, unit=privis.Person(2))
        with LocalParties(committee.preset, FixedPoint()) as parties:
            at = {s: Owner(mean.partial(rows[s], subjects=people[s]), keys[s], ledgers[s]) for s in SITES}
            middle = release_jointly(texture, at, keys, run=parties.run).values  # of all scans, with noise
            centred = {site: Labelled(2 * (rows[site] - middle), classes[site]) for site in SITES}
            homes = {site: PrivateOwner(centred[site], keys[site], ledgers[site]) for site in SITES}
            model = train_privately(training, homes, keys, parties.run)  # a person costs at most 2 + 5, at each site
        matrix, bias = 2 * model.matrix[:-1].T, model.matrix[-1] - 2 * middle @ model.matrix[:-1]
        head = LinearHead(("healthy", "ill"), (LinearMap(matrix, bias),), Link.SOFTMAX)
        scan(new := Path(folder, "new.dcm"), "somebody", True, 12, "MONOCHROME2", rng)
        scores = privis.extract(privis.AtOwner(TEXTURE) >> head, [new], under=privis.CKKS()).features
        assert head.decide(scores).labels == ("ill",) and {x.spent().charges for x in ledgers.values()} == {2}


if __name__ == "__main__":
    main()

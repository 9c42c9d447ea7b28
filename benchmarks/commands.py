"""``python -m benchmarks.NAME`` for every benchmark, wherever its module lies."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

PACKAGE = "benchmarks."
COMMANDS = {
    "folder": "extraction.folder",
    "cnn": "extraction.networks",
    "prepared": "extraction.prepared",
    "large_photographs": "extraction.large_photographs",
    "matching": "extraction.sift_matching",
    "surf_graf": "extraction.surf_matching",
    "faces": "tasks.faces",
    "renewable_templates": "tasks.renewable_templates",
    "retrieval": "tasks.retrieval",
    "released_search": "tasks.released_search",
    "tracking": "video.tracking",
    "private_search": "stores.private_search",
    "exact_search": "stores.exact_search",
    "crowd_search": "stores.crowd_search",
    "parquet_store": "stores.parquet_store",
    "erasure": "stores.erasure",
    "lance_store": "stores.lance_store",
    "postgresql_store": "stores.postgresql_store",
    "postgresql_ledger": "stores.postgresql_ledger",
    "face_calibration": "tasks.face_calibration",
    "face_matching": "tasks.face_matching",
    "mrz_reader": "tasks.mrz_reader",
    "redaction": "tasks.redaction",
    "video_redaction": "video.video_redaction",
    "dicom_deidentification": "dicom.deidentification",
    "he_plans": "he.plans",
    "he_kept": "he.kept",
    "he_standards": "he.standards",
    "he_shared_work": "he.shared_work",
    "he_mnist": "he.mnist",
    "fhe_network": "fhe_suite.digit_network",
    "fhe_fetch": "fhe_suite.fetch",
    "faces_from_pixels": "he.faces_from_pixels",
    "he_matching": "he.matching",
    "he_decisions": "he.decisions",
    "mpc_matching": "mpc.matching",
    "mpc_training": "mpc.training",
    "private_classification": "training.private_classification",
    "private_detection": "detection.private_detection",
    "private_detector": "detection.private_detector",
    "quadratic_window": "detection.quadratic_window",
    "mpc_rounds": "mpc.rounds",
    "mpc_wan": "mpc.wan",
    "network_on_shares": "mpc.network_on_shares",
    "noise": "privacy.noise",
    "vector_releases": "privacy.vector_releases",
    "releases": "privacy.releases",
    "private_extraction": "privacy.private_extraction",
    "ledger": "privacy.ledgers.ledger",
    "answers": "privacy.ledgers.answers",
    "answer_attacks": "attacks.answers",
    "recorded_attacks": "attacks.feature_table.recorded",
    "attack_table": "attacks.feature_table.table",
    "attack_pages": "attacks.feature_table.pages",
    "inversion": "attacks.inversion",
    "verification": "cards.verification",
    "report_pages": "reports.report_pages",
    "studio_page": "studio.page_times",
    "denoising": "privacy.denoising",
    "utility": "privacy.utility",
    "heads": "tasks.heads",
    "classification_bars": "classification.bars",
    "enrolment": "privacy.enrolment",
    "face_releases": "privacy.face_releases",
    "released_counts": "video.released_counts",
    "presence": "privacy.presence",
    "onnx_detectors": "detection.onnx_detectors",
    "dp_training": "training.classifiers",
    "dp_networks": "training.networks",
}
"""Commands whose name is no module, and the modules that they run; the others are packages with a ``__main__``."""


class Commands:
    """Finds the module of a command, last in ``sys.meta_path``."""

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Give the spec of a command, with the code of its module; None for every other name."""
        module = COMMANDS.get(fullname.removeprefix(PACKAGE)) if fullname.startswith(PACKAGE) else None
        found = module and importlib.util.find_spec(PACKAGE + module)
        return importlib.util.spec_from_file_location(fullname, found.origin) if found and found.origin else None

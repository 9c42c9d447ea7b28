"""Names of earlier versions, importable for one version more with a DeprecationWarning.

A module that moved is found by a finder, last in ``sys.meta_path``: it is asked for what nothing else finds, and knows
the modules of one table. Where a former module's name is a package today, or the module is there and a name left it,
that module's ``__getattr__`` asks the same table.
"""

from __future__ import annotations

import importlib
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:  # the import takes as long as all that `import privis` does
    from importlib.abc import Loader

PACKAGE = "privis."

MOVED = {
    "card": "extraction.card",
    "cli.choices": "cli.parsing",
    "cli.mpc": "cli.joint.mpc",
    "cli.nearest": "cli.server.query_gallery",
    "cli.offers": "cli.server.offerings",
    "cli.party": "cli.joint.party",
    "cli.query": "cli.server.query",
    "cli.serve": "cli.server.serve",
    "cli.tasks": "cli.joint",
    "cli.tasks.extract": "cli.joint.extract",
    "cli.tasks.features": "cli.joint.features",
    "cli.tasks.lending": "cli.joint.datasets",
    "cli.tasks.match": "cli.joint.match",
    "cli.tasks.statistics": "cli.joint.statistics",
    "cli.tasks.train": "cli.joint.train",
    "cli.tasks.words": "cli.joint.options",
    "contributions": "extraction.contributions",
    "counting": "extraction.counts_of_pixels",
    "estimators": "estimators.transformer",
    "explanation": "extraction.explain",
    "extractor": "extraction.extractor run.protocol",
    "features.aggregate": "features.keypoints.aggregate",
    "features.bias": "features.noise_corrected_hog",
    "features.denoise": "features.preprocessing.denoise",
    "features.deskew": "features.preprocessing.deskew",
    "features.detection": "features.keypoints.oblivious",
    "features.extrema": "features.keypoints.sift_kernels",
    "features.fast_hessian": "features.keypoints.surf_kernels",
    "features.filter_bank": "features.wavelets.morlet",
    "features.gabor": "features.wavelets.gabor",
    "features.keypoints": "features.keypoints.keypoints",
    "features.logarithm": "features.postprocessing.logarithm",
    "features.onnx_call": "program.onnx.node",
    "features.onnx_fold": "program.onnx.constant_folding",
    "features.onnx_import": "program.onnx.translate",
    "features.onnx_movement": "program.onnx.movement_rules",
    "features.onnx_rules": "program.onnx.rules",
    "features.onnx_windows": "program.onnx.window_rules",
    "features.owner": "features.image_ops validation",
    "features.post": "features.postprocessing.steps",
    "features.prepared": "features.preprocessing.preprocessed",
    "features.projection": "features.postprocessing.projection",
    "features.scale_space": "features.keypoints.scale_space",
    "features.scattering": "features.wavelets.scattering",
    "features.sift": "features.keypoints.sift",
    "features.surf": "features.keypoints.surf",
    "features.words": "features.postprocessing.word_code",
    "folder": "extraction.folder",
    "io.contents": "io.resumable.contents",
    "io.headers": "io.images.headers",
    "io.images": "io.images.decode",
    "io.manifest": "io.images.manifest",
    "io.parts": "io.resumable.parts",
    "io.processes": "io.resumable.processes",
    "io.same_files": "io.images.same_files",
    "io.sources": "io.images.sources",
    "joint.chaining": "joint.concatenation",
    "joint.codebook": "joint.statistics.kmeans",
    "joint.components": "joint.statistics.principal_components",
    "joint.distributed_noise": "joint.release.distributed_noise",
    "joint.fitting": "joint.training.simulate",
    "joint.matching": "tasks.nearest",
    "joint.networks": "joint.training.networks",
    "joint.noise_shares": "joint.release.noise_shares",
    "joint.private_fitting": "joint.training.private_simulate",
    "joint.private_sums": "joint.release.simulate",
    "joint.private_training": "joint.training.private_schedule",
    "joint.running": "joint.runners",
    "joint.splits": "joint.image_splits",
    "joint.statistics": "joint.statistics.exact",
    "joint.sums": "joint.statistics.sums",
    "joint.training": "joint.training.schedule",
    "parties.agreement": "parties.job.agreement",
    "parties.certificates": "parties.identity.certificates",
    "parties.configuration": "parties.node.configuration",
    "parties.conversation": "parties.transport.control_plane",
    "parties.data_address": "parties.node.data_address",
    "parties.disclosure": "parties.job.disclosure",
    "parties.events": "parties.node.events",
    "parties.judging": "parties.job.judging",
    "parties.lends": "parties.job.lends",
    "parties.lines": "parties.transport.peer_stream",
    "parties.local": "parties.node.local",
    "parties.policy": "parties.job.policy",
    "parties.proof": "parties.identity.link_proof",
    "parties.results": "parties.node.results",
    "parties.roles": "parties.node.roles",
    "parties.server": "parties.node.server",
    "parties.session": "parties.node.session",
    "parties.spare": "parties.node.standby_worker",
    "parties.specification": "parties.job.specification",
    "parties.submitter": "parties.node.submitter",
    "parties.tables": "parties.table_reader",
    "parties.task": "parties.job.task",
    "parties.templates": "parties.node.templates",
    "parties.views": "parties.job.views",
    "parties.wire": "parties.transport.messages",
    "plan": "extraction.images",
    "privacy.accounting": "privacy.accounting.calibration",
    "privacy.aggregates": "privacy.releases.corpus",
    "privacy.budget": "privacy.ledger.budget",
    "privacy.certain": "privacy.sampling.exact_direction",
    "privacy.codes": "privacy.mechanisms.randomised_response",
    "privacy.compiled": "privacy.sampling.lazy_kernels",
    "privacy.composition": "privacy.ledger.composition",
    "privacy.counts": "privacy.releases.histogram",
    "privacy.directions": "privacy.sampling.direction privacy.sampling.zonal_distribution",
    "privacy.file_ledger": "privacy.ledger.file",
    "privacy.kernels": "privacy.sampling.kernels",
    "privacy.keys": "privacy.sampling.keys",
    "privacy.least_squares": "privacy.learning.least_squares",
    "privacy.ledger": "privacy.ledger.protocol",
    "privacy.ledger_audit": "privacy.ledger.audit",
    "privacy.ledger_entries": "privacy.ledger.entries",
    "privacy.logistic": "privacy.learning.clipped_gradients",
    "privacy.mechanisms": "privacy.mechanisms.additive",
    "privacy.noise": "privacy.sampling.integer_noise",
    "privacy.noise_laws": "privacy.ledger.privacy_profiles",
    "privacy.noise_table": "privacy.sampling.alias_table",
    "privacy.parameters": "validation",
    "privacy.partials": "privacy.releases.partial_sums",
    "privacy.records": "privacy.ledger.records",
    "privacy.releases": "privacy.releases.image privacy.releases.noise",
    "privacy.sphere": "privacy.mechanisms.direction",
    "privacy.standardisation": "privacy.learning.standardisation",
    "privacy.statistics": "privacy.learning.moments",
    "privacy.subsampling": "privacy.learning.subsampling",
    "privacy.tables": "privacy.sampling.noise_tables",
    "privacy.train": "privacy.learning.logistic_regression",
    "privacy.zonal": "privacy.sampling.zonal_distribution",
    "readings.alternatives": "readings.transform.region_alternatives",
    "readings.approximations": "readings.approximation.nodes",
    "readings.batched": "readings.transform.batched",
    "readings.cost": "readings.analysis.cost",
    "readings.deviations": "readings.approximation.deviations",
    "readings.homogeneity": "readings.approximation.homogeneity",
    "readings.interpolation": "readings.approximation.interpolation",
    "readings.measured": "readings.approximation.measured_error",
    "readings.polynomialise": "readings.approximation.polynomialise",
    "readings.promises": "readings.transform.promises",
    "readings.ranges": "readings.analysis.ranges",
    "readings.reach": "readings.analysis.reach",
    "readings.roots": "readings.approximation.roots",
    "readings.secret_weights": "readings.transform.secret_weights",
    "readings.signs": "readings.approximation.sign",
    "readings.simplified": "readings.transform.simplify",
    "readings.split": "readings.transform.split_at_owner",
    "run.he.beside": "run.he.packing.side_by_side",
    "run.he.bundle": "run.he.wire.key_file",
    "run.he.calibration": "run.he.owner.calibration",
    "run.he.chains": "run.he.evaluation.schedule",
    "run.he.circuit": "run.he.circuit.circuit",
    "run.he.compile": "run.he.packing.arrangement",
    "run.he.compiled": "run.he.compiler.compiler",
    "run.he.cost": "run.he.compiler.cost",
    "run.he.evaluator": "run.he.evaluation.evaluator",
    "run.he.filling": "run.he.compiler.slot_encoding",
    "run.he.forks": "run.he.evaluation.forked_map",
    "run.he.frames": "run.he.wire.framing",
    "run.he.layout": "run.he.packing.layout",
    "run.he.lower": "run.he.circuit.lowering",
    "run.he.machine": "run.he.evaluation.interpreter",
    "run.he.matching": "run.he.matching.matcher",
    "run.he.matching_cost": "run.he.matching.cost",
    "run.he.matching_secret": "run.he.owner.matching",
    "run.he.matching_spec": "run.he.matching.specification",
    "run.he.matrices": "run.he.circuit.linear_maps",
    "run.he.messages": "run.he.wire.messages",
    "run.he.openfhe": "run.he.backends.openfhe",
    "run.he.openfhe_secret": "run.he.owner.openfhe",
    "run.he.packing": "run.he.packing.diagonals",
    "run.he.paillier": "run.he.paillier_executor",
    "run.he.paillier_combine": "run.he.paillier.multi_exponentiation",
    "run.he.paillier_fixed": "run.he.paillier.fixed_point",
    "run.he.paillier_linear": "run.he.paillier.lowering",
    "run.he.paillier_scheme": "run.he.paillier.scheme",
    "run.he.paillier_secret": "run.he.owner.paillier",
    "run.he.paillier_slots": "run.he.paillier.slots",
    "run.he.paillier_steps": "run.he.paillier.rules",
    "run.he.paillier_sums": "run.he.paillier.sums",
    "run.he.pairs": "run.he.packing.complex_packing",
    "run.he.parameters": "run.he.compiler.parameters",
    "run.he.polynomial": "run.he.circuit.chebyshev",
    "run.he.reference": "run.he.circuit.reference",
    "run.he.rotations": "run.he.packing.rotations",
    "run.he.seal": "run.he.backends.seal",
    "run.he.seal_secret": "run.he.owner.seal",
    "run.he.secret": "run.he.owner.keys",
    "run.he.sharing": "run.he.packing.batching",
    "run.he.spec": "run.he.compiler.specification",
    "run.he.together": "run.he.packing.slot_per_image",
    "run.he.together_machine": "run.he.evaluation.batch_interpreter",
    "run.he.uncopied": "run.he.packing.hybrid_diagonals",
    "run.mpc.arithmetic": "run.mpc.lowering.linear",
    "run.mpc.calibration": "run.mpc.cost.calibration",
    "run.mpc.channel": "run.mpc.runtime.pipe",
    "run.mpc.compiled": "run.mpc.runtime.compile",
    "run.mpc.cost": "run.mpc.cost.predict",
    "run.mpc.fixed_point": "run.mpc.lowering.precision",
    "run.mpc.folding": "run.mpc.lowering.affine_folding",
    "run.mpc.held": "run.mpc.lowering.shared_tensor",
    "run.mpc.instructions": "run.mpc.cost.hlo",
    "run.mpc.local": "run.mpc.runtime.local",
    "run.mpc.lowering": "run.mpc.lowering.lower",
    "run.mpc.movement": "run.mpc.lowering.movement",
    "run.mpc.plan": "run.mpc.runtime.link",
    "run.mpc.presets": "run.mpc.protocols",
    "run.mpc.promises": "run.mpc.lowering.runtime_bounds",
    "run.mpc.selection": "run.mpc.lowering.comparison",
    "run.mpc.shares": "run.mpc.runtime.shares",
    "run.mpc.smooth": "run.mpc.lowering.nonlinear",
    "run.mpc.steps": "run.mpc.cost.protocol_steps",
    "run.mpc.supervisor": "run.mpc.runtime.supervisor",
    "run.mpc.traffic": "run.mpc.cost.communication",
    "run.mpc.worker": "run.mpc.runtime.worker",
    "serve.addresses": "serve.http.loopback",
    "serve.app": "serve.http.app",
    "serve.bodies": "serve.http.bodies",
    "serve.client": "serve.client.client",
    "serve.connections": "serve.http.connections",
    "serve.crew": "serve.workers.pool",
    "serve.endpoints": "serve.http.endpoints",
    "serve.estimate": "serve.offerings.estimate",
    "serve.gallery": "serve.offerings.gallery",
    "serve.gallery_owner": "serve.client.gallery_keys",
    "serve.headers": "serve.http.headers",
    "serve.homomorphic": "serve.offerings.program",
    "serve.jobs": "serve.workers.scheduler",
    "serve.key_folder": "serve.client.key_folder",
    "serve.memory": "serve.workers.memory",
    "serve.nursery": "serve.workers.fork_server",
    "serve.offering": "serve.offerings.offering",
    "serve.owner": "serve.client.program_keys",
    "serve.private_model": "serve.client.remote_model",
    "serve.remote": "serve.client.executor",
    "serve.server": "serve.http.server",
    "serve.tokens": "serve.http.tokens",
    "serve.worker": "serve.workers.worker",
    "stream": "io.resumable.run",
}
"""Former modules, and those that have their names now; all without ``privis.``."""

RENAMED = {
    "run.mpc.fixed_point.fixed_point": "run.mpc.lowering.precision.choose_fixed_point",
}
"""Former names that are spelled otherwise now, in full without ``privis.``."""


def former_names(module: str, present: Callable[[str], Any] | None = None) -> Callable[[str], Any]:
    """Give the ``__getattr__`` of ``module``: its present lazy names, then its former names.

    Args:
        module: full name of the module that the names are asked of.
        present: the module's own lazy ``__getattr__``, asked first.

    >>> from privis.privacy.releases.histogram import HistogramRelease
    >>> former_names("privis.privacy.counts")("HistogramRelease") is HistogramRelease
    True
    """

    def attribute(name: str) -> Any:
        homes = [] if name.startswith("__") else _homes(module.removeprefix(PACKAGE), name)
        if present is not None:
            try:
                return present(name)
            except AttributeError:
                if not homes:
                    raise
        for home, new_name in homes:
            found = vars(importlib.import_module(PACKAGE + home))
            if new_name in found:
                message = (
                    f"{module}.{name} is {PACKAGE}{home}.{new_name} now; the former name ends with the next version"
                )
                warnings.warn(message, DeprecationWarning, stacklevel=2)
                return found[new_name]
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return attribute


def install() -> None:
    """Have former modules found, once per process."""
    if _FormerModules not in sys.meta_path:
        sys.meta_path.append(_FormerModules)


def _homes(module: str, name: str) -> list[tuple[str, str]]:
    homes = [(home, name) for home in MOVED.get(module, "").split()]
    renamed = RENAMED.get(f"{module}.{name}")
    if renamed is not None:
        home, _, new_name = renamed.rpartition(".")
        homes.insert(0, (home, new_name))
    return homes


class _FormerModules:
    """Finds modules of earlier versions: empty ones, whose names are looked up where they are now."""

    @classmethod
    def find_spec(
        cls, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Give the spec of a former module of Privis; None for every other."""
        if not fullname.startswith(PACKAGE) or fullname.removeprefix(PACKAGE) not in MOVED:
            return None
        return ModuleSpec(fullname, cast("Loader", cls()), is_package=True)  # as some were

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave making the module to the import system."""

    def exec_module(self, module: ModuleType) -> None:
        """Let the empty module look its names up."""
        setattr(module, "__getattr__", former_names(module.__name__))  # noqa: B010 (no attribute that types know)

"""What can be measured of this machine: one measurement for each section of its profile.

The only module that knows the timings of several executors. None of them imports it, and no server does: measuring
takes secret keys.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic

from privis.run.machine_profile import Timings

if TYPE_CHECKING:
    from privis.run.mpc.protocols import Preset

GALLERY_DIMENSION = 512  # components of measured templates; operations are the same for all


@dataclass(frozen=True)
class Measurement(Generic[Timings]):
    """How one section of a `MachineProfile` is measured.

    Args:
        section: its name.
        subject: what is measured, in words.
        default: what holds where it was not measured.
        measure: takes seconds of all processors, and returns the timings.
        headline: one time among them, in words.
    """

    section: str
    subject: str
    default: Timings
    measure: Callable[[], Timings]
    headline: Callable[[Timings], str]


def homomorphic_measurements() -> tuple[Measurement, ...]:
    """The sections of homomorphic encryption; needs the extra ``he``."""
    from privis.run.he.compiler.circuit_cost import SECTION, CKKSTimings
    from privis.run.he.matching import matching_cost as matching
    from privis.run.he.matching.matching_specification import MatchingSpec
    from privis.run.he.owner.calibration import measured
    from privis.run.he.owner.matching import calibrate
    from privis.run.he.owner.paillier import SecretKey
    from privis.run.he.paillier import scheme
    from privis.run.he.paillier_executor import SECTION as PAILLIER
    from privis.run.he.paillier_executor import PaillierTimings

    def rotation(timings: CKKSTimings) -> str:
        seconds = timings.switch_square * 21**2 + timings.switch * 21
        return f"{seconds:.2f} s for a rotation of 2**14 slots at 20 levels"

    def block(timings: matching.MatchingTimings) -> str:
        seconds = matching.predicted(MatchingSpec(GALLERY_DIMENSION), 4096, 1, machine=timings).seconds or 0.0
        return f"{seconds:.2f} s for a query of 4,096 templates with {GALLERY_DIMENSION} components"

    def encryption(timings: PaillierTimings) -> str:
        return f"{1000 * timings.encryption:.1f} ms for an encryption under {timings.bits} bits"

    return (
        Measurement(SECTION, "CKKS", CKKSTimings(), measured, rotation),
        Measurement(
            matching.SECTION,
            "encrypted matching",
            matching.MatchingTimings(),
            lambda: calibrate(MatchingSpec(GALLERY_DIMENSION)),
            block,
        ),
        Measurement(
            PAILLIER,
            "Paillier",
            PaillierTimings(),
            lambda: PaillierTimings.measure(SecretKey.generate(scheme.DEFAULT_BITS)),
            encryption,
        ),
    )


def party_measurements() -> tuple[Measurement, ...]:
    """The sections of secure multi-party computation, one for each protocol that protects; needs the extra ``mpc``."""
    from privis.run.mpc.cost.calibration import calibrate
    from privis.run.mpc.cost.predict import MPCTimings, section
    from privis.run.mpc.protocols import PRESETS

    def of(preset: Preset) -> Measurement[MPCTimings]:
        def message(timings: MPCTimings) -> str:
            return f"{1000 * timings.message:.2f} ms for a message"

        subject = f"{preset.parties} parties, {preset.name}"
        return Measurement(section(preset), subject, MPCTimings(), lambda: calibrate(preset), message)

    return tuple(of(preset) for preset in PRESETS if preset.secure)

"""``EnergyCounter``: the joules that the processors of this machine have taken, where it says so (RAPL)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

POWER_CAPPING = Path("/sys/class/powercap")
PACKAGES = "intel-rapl:[0-9]*"  # a socket each, the name that AMD processors have there, too


@dataclass(frozen=True)
class EnergyCounter:
    """Counters of all processor sockets, as Linux shows them under ``/sys/class/powercap``.

    Reference: Intel Software Developer's Manual, volume 3B, 15.10 (running average power limit). Reading it usually
    takes the rights of the administrator; the counter counts everything that runs on the machine.

    Args:
        sockets: folders of the counters.

    >>> EnergyCounter(()).joules() is None
    True
    """

    sockets: tuple[Path, ...]

    @classmethod
    def of_this_machine(cls, folder: Path = POWER_CAPPING) -> EnergyCounter:
        """Find the counters of this machine.

        Args:
            folder: where the kernel shows them.

        Returns:
            The counter; of no socket where the machine shows none.
        """
        found = [path for path in sorted(folder.glob(PACKAGES)) if path.name.count(":") == 1]
        return cls(tuple(found))

    def joules(self) -> float | None:
        """Read what was taken so far.

        Returns:
            Joules since some moment; None where there is no counter, or it may not be read.
        """
        total = 0.0
        for socket in self.sockets:
            try:
                total += int((socket / "energy_uj").read_text(encoding="ascii")) / 1e6
            except (OSError, ValueError):
                return None
        return total if self.sockets else None

    def since(self, before: float | None) -> float | None:
        """How many joules were taken since ``before``.

        Args:
            before: what ``joules`` gave.

        Returns:
            Joules; None where either cannot be read, or a counter began anew in between.
        """
        now = self.joules()
        return now - before if now is not None and before is not None and now >= before else None

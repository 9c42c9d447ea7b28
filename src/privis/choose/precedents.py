"""What others chose: the deployments of OpenDP's registry, a pinned copy of their facts."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from importlib import resources

TABLE = "precedents.json"


@dataclass(frozen=True)
class Precedent:
    """One deployment of differential privacy, as the registry has it.

    Args:
        name: of the deployment.
        curators: whose data it is about.
        sector: as Healthcare or Finance.
        published: date, YYYY-MM-DD.
        variant: as Pure DP.
        model: Local, Central, …
        unit: of privacy, as the registry words it.
        epsilon: None where it states none.
        delta: a number or a formula; None where it states none.
        rho: of zero-concentrated privacy; None where it states none.
        status: in the registry: Draft and Pending entries were not approved by its editors.
    """

    name: str
    curators: tuple[str, ...]
    sector: str | None
    published: str
    variant: str | None
    model: str | None
    unit: str | None
    epsilon: float | None
    delta: float | str | None
    rho: float | None
    status: str


@dataclass(frozen=True)
class Precedents:
    """The pinned copy.

    Args:
        source: address of the registry.
        commit: that was copied.
        date: of the commit, YYYY-MM-DD.
        licence: of the registry's data.
        deployments: by growing epsilon; those without one come last.
    """

    source: str
    commit: str
    date: str
    licence: str
    deployments: tuple[Precedent, ...]

    def of_sector(self, sector: str | None) -> tuple[Precedent, ...]:
        """Choose deployments of one sector.

        Args:
            sector: as ``Healthcare``, in any case; None: all.

        Returns:
            The deployments.
        """
        wanted = None if sector is None else sector.lower()
        return tuple(one for one in self.deployments if wanted is None or (one.sector or "").lower() == wanted)


@functools.cache
def precedents() -> Precedents:
    """Read the copy that comes with Privis.

    Returns:
        The copy.

    >>> precedents().date, len(precedents().of_sector("finance"))
    ('2026-07-15', 1)
    """
    document = json.loads(resources.files("privis.choose").joinpath("data", TABLE).read_text(encoding="utf-8"))
    rows = tuple(
        Precedent(
            row["name"], tuple(row["curators"]), row["sector"], row["published"], row["variant"], row["model"],
            row["unit"], row["epsilon"], row["delta"], row["rho"], row["status"],
        )
        for row in document["deployments"]
    )  # fmt: skip
    return Precedents(document["source"], document["commit"], document["date"], document["licence"], rows)

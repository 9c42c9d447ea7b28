"""Which protocol runs between which number of parties, and what it protects against."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import ClassVar

from privis.errors import ParameterError, Problem


@dataclass(frozen=True)
class Preset:
    """A protocol of SecretFlow SPU with everything that decides its security.

    ``parties`` compute; ``corruptions`` of them may pool all they see and learn nothing; ``model`` says so in words.
    Presets that are not ``secure`` exist for debugging.
    """

    identifier: ClassVar[str] = "privis.mpc-preset/1"

    name: str
    parties: int
    corruptions: int
    secure: bool
    model: str
    reference: str


ABY3 = Preset(
    "aby3",
    parties=3,
    corruptions=1,
    secure=True,
    model="semi-honest parties, at most one of three corrupt, no dealer",
    reference="Mohassel and Rindal, 2018, doi:10.1145/3243734.3243760",
)
CHEETAH = Preset(
    "cheetah",
    parties=2,
    corruptions=1,
    secure=True,
    model="semi-honest parties, either of two corrupt, no dealer",
    reference="Huang et al., 2022, https://eprint.iacr.org/2022/207",
)
SEMI2K = Preset(
    "semi2k-insecure",
    parties=2,
    corruptions=0,
    secure=False,
    model="none: the first party deals the correlated randomness and can open every secret",
    reference="SPU's own default, for debugging only",
)
PRESETS = (ABY3, CHEETAH, SEMI2K)


class MPCProtocol(Enum):
    """The protocols of secure multi-party computation: members of presets, by name."""

    ABY3 = "aby3"
    CHEETAH = "cheetah"
    SEMI2K = "semi2k-insecure"


def preset(name: str, *, insecure: bool = False) -> Preset:
    """Return the preset called ``name``.

    One that protects nothing must be asked for with ``insecure=True``; else ParameterError, as for unknown names.
    SecureNN is not offered: SPU 0.9.5 returns wrong results with it.

    >>> preset("aby3").parties
    3
    """
    found = {known.name: known for known in PRESETS}.get(name)
    if found is None:
        known = ", ".join(known.name for known in PRESETS if known.secure)
        raise ParameterError(Problem("MPC preset", repr(name), f"one of {known}"))
    if not (found.secure or insecure):
        expected = "a protocol that protects its inputs"
        remedy = "use 'aby3' or 'cheetah', or pass insecure=True to debug with images that are not secret"
        raise ParameterError(Problem("MPC preset", f"{name!r}: {found.model}", expected, remedy))
    return found

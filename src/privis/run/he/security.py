"""Tables of secure parameters: how many bits the whole modulus may have for a ring degree and a secret's distribution.

Both tables are for 128 bits of security against classical attacks, with errors of standard deviation 3.2 (2018) or 3.19
(2024). They were read from code, not from memory: the standard of 2018 as libraries carry it (table 1 of Albrecht et
al., "Homomorphic encryption security standard", HomomorphicEncryption.org, 2018, https://eprint.iacr.org/2019/939), the
guidelines in the repository that belongs to them (table 5.2 of Bossuat et al., "Security guidelines for implementing
homomorphic encryption", 2024, https://eprint.iacr.org/2024/463). The later ones rest on newer estimates of the same
attacks and are stricter, by 13 bits in the largest ring of both.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType


class SecurityStandard(Enum):
    """Whose table parameters must meet. The values are those of ``--standard``."""

    STANDARD_2018 = "2018"
    GUIDELINES_2024 = "2024"

    @property
    def title(self) -> str:
        """What sentences call it."""
        return _TITLES[self]


class SecretDistribution(Enum):
    """What the coefficients of a secret key are drawn from."""

    TERNARY = "ternary"  # uniform on -1, 0, 1: Microsoft SEAL's, and every key of Privis
    GAUSSIAN = "gaussian"  # as the errors


DEFAULT_STANDARD = SecurityStandard.STANDARD_2018
"""The stricter one costs no time, but local binary patterns of 64 x 64 pixels miss their precision with it."""

_TITLES = {
    SecurityStandard.STANDARD_2018: "the standard of 2018",
    SecurityStandard.GUIDELINES_2024: "the guidelines of 2024",
}
_TERNARY_2018 = {1024: 27, 2048: 54, 4096: 109, 8192: 218, 16384: 438, 32768: 881}
_GAUSSIAN_2018 = {1024: 29, 2048: 56, 4096: 111, 8192: 220, 16384: 440, 32768: 883}
_TERNARY_2024 = {
    1024: 26, 2048: 53, 4096: 106, 8192: 214, 16384: 430, 32768: 868, 65536: 1747, 131072: 3523,
}  # fmt: skip
_GAUSSIAN_2024 = {
    1024: 28, 2048: 55, 4096: 108, 8192: 216, 16384: 432, 32768: 870, 65536: 1749, 131072: 3525,
}  # fmt: skip
_TABLES = {
    (SecurityStandard.STANDARD_2018, SecretDistribution.TERNARY): MappingProxyType(_TERNARY_2018),
    (SecurityStandard.STANDARD_2018, SecretDistribution.GAUSSIAN): MappingProxyType(_GAUSSIAN_2018),
    (SecurityStandard.GUIDELINES_2024, SecretDistribution.TERNARY): MappingProxyType(_TERNARY_2024),
    (SecurityStandard.GUIDELINES_2024, SecretDistribution.GAUSSIAN): MappingProxyType(_GAUSSIAN_2024),
}


def largest_modulus(
    standard: SecurityStandard, secret: SecretDistribution = SecretDistribution.TERNARY
) -> Mapping[int, int]:
    """The most bits of the whole modulus, special primes included, for each ring degree.

    Args:
        standard: whose table.
        secret: what secret keys are drawn from.

    Returns:
        Bits by ring degree.

    >>> largest_modulus(SecurityStandard.GUIDELINES_2024)[8192], largest_modulus(SecurityStandard.STANDARD_2018)[8192]
    (214, 218)
    """
    return _TABLES[standard, secret]


def sentence(degree: int, bits: int) -> str:
    """Say how secure keys of a ring of ``degree`` with a modulus of ``bits`` bits are; secrets are ternary.

    >>> sentence(16384, 345)
    'ring 16,384, 345 bits: 128-bit secure by the standard of 2018 and the guidelines of 2024'
    """
    ring, met = f"ring {degree:,}, {bits} bits", standards_met(degree, bits)
    if not met:
        return f"{ring}: less than 128-bit secure"
    secure = " and ".join(one.title for one in met)
    beyond = [f"{one.title} ({largest_modulus(one)[degree]} bits)" for one in SecurityStandard if one not in met]
    return f"{ring}: 128-bit secure by {secure}{', not by ' * bool(beyond)}{' and '.join(beyond)}"


def standards_met(
    degree: int, bits: int, secret: SecretDistribution = SecretDistribution.TERNARY
) -> tuple[SecurityStandard, ...]:
    """The tables that a ring of ``degree`` with a modulus of ``bits`` bits meets, the earliest first.

    >>> [standard.value for standard in standards_met(8192, 218)], standards_met(8192, 219)
    (['2018'], ())
    """
    return tuple(one for one in SecurityStandard if bits <= largest_modulus(one, secret).get(degree, 0))

"""The submission of fetch-by-similarity as a directory: stages that the harness runs, and the terms of each size.

References: https://github.com/fhe-benchmarking/fetch-by-similarity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from privis.errors import ParameterError, Problem
from privis.run.he.matching.decision_cost import decision_cost
from privis.run.he.matching.decision_specification import ACCURACY, DecisionSpec
from privis.run.he.matching.fetching.shifted_tables import ambiguity
from privis.run.he.security import SecurityStandard, largest_modulus
from privis.run.he.wire import key_file
from privis.run.he.wire.whole_folder import whole_folder
from privis.serve.submission.similarity import stages
from privis.serve.submission.similarity.fetch_call import SIZES, FetchCall
from privis.serve.submission.similarity.payload_bits import BITS, BYTES, WIDTH
from privis.serve.submission.submission_directory import copy_stages
from privis.serve.submission.submission_readme import DISTRIBUTIONS, TABLES, write_readme

_MODULES: Mapping[str, str] = MappingProxyType(
    {
        "client_key_generation": "gallery_key_generation",
        "client_encode_encrypt_db": "client_encode_encrypt_db",
        "server_preprocess_dataset": "server_preprocess_dataset",
        "client_encode_encrypt_query": "client_encode_encrypt_query",
        "server_encrypted_compute": "gallery_encrypted_compute",
        "client_decrypt_decode": "gallery_decrypt_decode",
    }
)
FETCH_STAGES = tuple(_MODULES)
"""Stages in the order in which the harness runs them; it needs no others."""

THRESHOLD = 0.8
_MATCHES = 32  # the harness compares payloads of so many matches at most


@dataclass(frozen=True)
class FetchSize:
    """Of a gallery: rows, components of a row, and the gap around the threshold.

    Rows that match have cosines of 0.917 on average, with a standard deviation of 0.085 over the root of the
    components, others are far below: the gap ends five of them or more before it.
    """

    rows: int
    dimension: int
    gap: float

    def specification(self, *, count_only: bool) -> DecisionSpec:
        """What owner and server agree on."""
        payload = 0 if count_only else BYTES
        return DecisionSpec(self.dimension, THRESHOLD, self.gap, self.rows, payload, encrypted=True)


FETCH_SIZES: Mapping[str, FetchSize] = MappingProxyType(
    {
        "toy": FetchSize(1_000, 128, 0.07),
        "small": FetchSize(50_000, 128, 0.07),
        "medium": FetchSize(1_000_000, 256, 0.085),
    }
)
"""The sizes of the harness; ``large``, of 20,000,000 rows, is more than an encrypted gallery holds."""


def write_fetch_submission(directory: Path, sizes: Mapping[str, FetchSize] = FETCH_SIZES) -> None:
    """Write a submission, whole or not at all.

    Args:
        directory: new, or empty.
        sizes: by the harness's names for them.

    Raises:
        OutputError: there is something in the directory, or it cannot be written.
    """
    with whole_folder(Path(directory)) as unfinished:
        copy_stages(unfinished, Path(stages.__file__).parent, _MODULES)
        for size, gallery in sizes.items():
            for count_only in (False, True):
                call, spec = FetchCall(unfinished, size, count_only), gallery.specification(count_only=count_only)
                call.terms_path.parent.mkdir(exist_ok=True)
                content = spec.to_json().encode()
                key_file.write(call.terms_path, key_file.KeyKind.PUBLIC, spec.digest, content, mode=0o644)
        write_readme(unfinished, fetch_readme)


def is_fetch_submission(directory: Path) -> bool:
    """Whether a directory is such a submission, by its stages."""
    return (directory / "client_encode_encrypt_db.py").is_file()


def fetch_readme(directory: Path) -> str:
    """Describe a submission from the terms in it: parameters, security, approximations, and what owners do.

    Args:
        directory: that `write_fetch_submission` wrote.

    Returns:
        The text, Markdown.

    Raises:
        ParameterError: it is none.
        ProtocolError: its terms are damaged.
    """
    calls = [call for size in SIZES if (call := FetchCall(directory, size)).terms_path.is_file()]
    if not calls:
        got, remedy = "no terms", "privis stage init writes one"
        raise ParameterError(Problem(str(directory), got, "a submission", remedy))
    specs = {call.size: call.specification() for call in calls}
    tables = SecurityStandard.STANDARD_2018, SecurityStandard.GUIDELINES_2024
    lines = [
        "# Fetch-by-similarity, by Privis",
        "",
        "Written by `privis stage init`; `privis stage readme` writes this page anew.",
        "",
        "| size | rows | components | ring | modulus, bits | most bits, 2018 | most bits, 2024 | threshold | gap "
        "| error of a comparison | keys, MB | gallery, MB | query, MB |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for size, spec in specs.items():
        parameters, cost = spec.parameters, decision_cost(spec)
        limits = [largest_modulus(table)[parameters.degree] for table in tables]
        lines.append(
            f"| {size} | {spec.templates:,} | {spec.dimension} | {parameters.degree:,} | {sum(parameters.bits)} "
            f"| {limits[0]} | {limits[1]} | {spec.threshold:g} | {spec.gap:g} | {spec.comparison.error:.1g} "
            f"| {cost.keys / 1e6:,.1f} | {spec.blocks * cost.change / 1e6:,.0f} | {cost.query / 1e6:,.2f} |"
        )
    worst = max(ambiguity(spec.halves, spec.layout.slots, _MATCHES) for spec in specs.values())
    lines += [
        "",
        "**Security.** " + " ".join(dict.fromkeys(f"{spec.parameters.security}." for spec in specs.values())),
        f"{TABLES} {DISTRIBUTIONS}",
        "The server is assumed to follow the protocol, and nothing decrypted may go back to it.",
        "",
        "**Approximations.** Cosines are compared under encryption by a composition of minimax polynomials (Lee et "
        "al., 2022, https://doi.org/10.1109/TDSC.2021.3105111), which gives 1 or 0 to within the error above for "
        "cosines that are further from the threshold than the gap; encrypted cosines are off by at most "
        f"{ACCURACY:g}, which the gap allows for. The workload's matches have cosines of 0.917 on average, its other "
        "rows of less than 0.7. Inside the gap the owner is told that the answer is undecided.",
        "",
        f"**Answers.** Payloads, {WIDTH} numbers of {BITS} bits, are multiplied by 1 or 0 and summed; two sums of "
        "differently shifted slots tell apart matches that meet in one. The owner is told when they do not: for "
        f"{_MATCHES} matches with a probability below {worst:.1g}. A count is one encrypted sum.",
        "",
        "**What is done in the clear.** Outside the server, the owner encrypts rows, payloads and queries under the "
        "secret key, decrypts sums, and sorts the payloads. No cosine leaves the server's ciphertexts.",
        "",
        "**Separation.** Server stages open `terms/`, `keys/`, `ciphertexts_upload/`, `server_data/` and "
        "`ciphertexts_download/`, and nothing of `secret_key/`; they load no code that decrypts.",
        "",
    ]
    return "\n".join(lines)

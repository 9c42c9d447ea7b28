"""What the rules of the harness ask of a submission: parameters, security, approximations, and what owners do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from privis.errors import ParameterError, Problem
from privis.io.atomic import replacing
from privis.run.he.compiler.program_specification import Spec
from privis.run.he.security import SecurityStandard, largest_modulus
from privis.serve.submission.remote.backend import AUTHORITY, TOKEN_FILE, URL
from privis.serve.submission.stage_call import SIZES, StageCall

README = "README.md"
TABLES = (
    "Tables, 128 bits against classical attacks: Albrecht et al., Homomorphic encryption security standard, 2018 "
    "(https://eprint.iacr.org/2019/939), and Bossuat et al., Security guidelines for implementing homomorphic "
    "encryption, 2024 (https://eprint.iacr.org/2024/463)."
)
DISTRIBUTIONS = (
    "Secret keys: uniform ternary, coefficients in {-1, 0, 1}. Errors: those of Microsoft SEAL as it is built for "
    "TenSEAL, of standard deviation about 3.2 (by default its centred binomial distribution). Scheme: CKKS in a "
    "residue number system; no bootstrapping."
)
_OWNER = (
    "the owner turns the harness's text into numbers (`client_preprocess_input`), encrypts them under the secret key "
    "(`client_encode_encrypt_input`), decrypts a score per class (`client_decrypt_decode`) and takes the class with "
    "the largest (`client_postprocess`). Pixels are normalised, and every layer is computed, on ciphertexts."
)

_REMOTE = (
    "**Server.** These stages ask a running server (the harness's `--remote`), which keeps `server/`: "
    "`privis serve --offer server/ --tokens FILE --answers unlimited`. Stages find it by the environment: "
    f"`{URL}`, `{TOKEN_FILE}`, and `{AUTHORITY}` where its certificate is not one that the system trusts. "
    "Evaluation keys are sent once, by `server_upload_ek`. The time of `server_encrypted_compute` includes the way to "
    "the server and back, and waiting in its queue."
)


def readme_of(directory: Path) -> str:
    """Describe a submission from the terms in it.

    Args:
        directory: that ``privis stage init`` wrote.

    Returns:
        The text, Markdown.

    Raises:
        ParameterError: it is none.
        ProtocolError: its terms are damaged.
    """
    calls = [StageCall(directory, size) for size in SIZES]
    missing = [call.terms_path for call in calls if not call.terms_path.is_file()]
    if missing:
        raise ParameterError(Problem(str(missing[0]), "no file", "a submission", "privis stage init writes one"))
    terms = [call.terms() for call in calls]
    workload = calls[0].workload()
    specs = [Spec.from_json(each.specification) for each in terms]
    tables = SecurityStandard.STANDARD_2018, SecurityStandard.GUIDELINES_2024
    lines = [
        f"# {workload.title}, by Privis",
        "",
        "Written by `privis stage init`; `privis stage readme` writes this page anew.",
        "",
        "| size | images | ring | modulus, bits | primes, bits | most bits, 2018 | most bits, 2024 "
        "| images in a ciphertext | keys, MB | upload, MB | result, MB |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for size, images, each, spec in zip(SIZES, workload.images, terms, specs, strict=True):
        parameters, expected = spec.parameters, each.estimate
        limits = [_limit(parameters.degree, sum(parameters.bits), table) for table in tables]
        messages = spec.groups(images)
        lines.append(
            f"| {size} | {images:,} | {parameters.degree:,} | {sum(parameters.bits)} "
            f"| {', '.join(map(str, parameters.bits))} | {limits[0]} | {limits[1]} | {spec.batch_size:,} "
            f"| {expected.keys_bytes / 1e6:,.1f} | {messages * expected.message_bytes / 1e6:,.1f} "
            f"| {messages * expected.reply_bytes / 1e6:,.2f} |"
        )
    approximations = sorted({text for spec in specs for text in spec.approximations})
    worst = max(spec.error for spec in specs)
    lines += [
        "",
        "**Security.** " + " ".join(dict.fromkeys(f"{spec.parameters.security}." for spec in specs)),
        f"{TABLES} {DISTRIBUTIONS}",
        "The server is assumed to follow the protocol. Decrypted scores must not go back to it: in CKKS their noise "
        "tells about the secret key (Li and Micciancio, 2021, https://doi.org/10.1007/978-3-030-77870-5_23).",
        "",
        f"**Approximations.** {'; '.join(approximations) or 'none: every activation of the network is a square'}. "
        f"Scores are off by at most {worst:.1g} of the largest, as predicted.",
        "",
        "**Accuracy.** The harness asks for the right class of a single image, and of 90 % of a batch. That is the "
        "network's own accuracy: encryption changes a class only where scores are closer than twice that error. "
        f"{workload.known}".rstrip(),
        "",
        f"**What is done in the clear.** Outside the server, {_OWNER}",
        "",
        "**Separation.** Server stages open `server/`, `public_keys/`, `ciphertexts_upload/` and "
        "`ciphertexts_download/`, and nothing of `secret_key/`; they load no code that decrypts.",
        "",
    ]
    if (directory / "server_upload_ek.py").is_file():
        lines += [_REMOTE, ""]
    return "\n".join(lines)


def write_readme(directory: Path, describe: Callable[[Path], str] = readme_of) -> str:
    """Write the description of a submission into it, as ``README.md``.

    Args:
        directory: that ``privis stage init`` wrote.
        describe: from the terms in it.

    Returns:
        The text.

    Raises:
        ParameterError: it is none.
        ProtocolError: its terms are damaged.
        OutputError: it cannot be written.
    """
    text = describe(directory)
    with replacing(directory / README) as unfinished:
        unfinished.write_text(text, encoding="utf-8")
    return text


def _limit(degree: int, bits: int, table: SecurityStandard) -> str:
    most = largest_modulus(table)[degree]
    return f"{most}, {'met' if bits <= most else 'not met'}"

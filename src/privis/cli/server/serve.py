"""``privis serve``: compute on encrypted images for clients with tokens."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from privis.cli.console import err, explained, working
from privis.cli.extract import Parameters
from privis.cli.server.offered_galleries import MatchingAnswers
from privis.cli.server.offered_heads import ExtractedBy, HeadOptions
from privis.cli.shell import completion
from privis.errors import ParameterError, Problem
from privis.extras import require
from privis.run.he.packing.batching import Batching
from privis.run.he.security import DEFAULT_STANDARD, SecurityStandard

if TYPE_CHECKING:
    from privis.serve.http.server import Certificate, Server
    from privis.serve.offerings.offering import Terms

FeatureName = Annotated[
    str | None,
    typer.Option(
        "-f", "--feature", help="A feature; `privis features` lists them.", autocompletion=completion.features
    ),
]
Programs = Annotated[list[Path] | None, typer.Option("--program", help="A saved program; repeatable.")]
Models = Annotated[list[Path] | None, typer.Option("--model", help="A network, ONNX; -p are its parameters.")]
PreparedOffers = Annotated[
    list[Path] | None,
    typer.Option("--offer", help="What `privis stage` prepared, a folder of such files, or words (TOML); repeatable."),
]
Galleries = Annotated[
    list[Path] | None,
    typer.Option("--gallery", help="A gallery of faces, or a table with a template in each row; repeatable."),
]
EncryptedGalleries = Annotated[
    list[str] | None,
    typer.Option("--encrypted-gallery", metavar="SIZE", help="Room for clients' encrypted templates, 10000x512."),
]
Threshold = Annotated[
    float | None,
    typer.Option(min=-1, max=1, help="Galleries: smallest cosine that is accepted; clients learn decisions alone."),
]
Gap = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="Galleries: distance from it where a template may be undecided; 0.05 unless said."),
]
Scores = Annotated[bool, typer.Option("--scores", help="Galleries: tell clients every cosine, instead of decisions.")]
HeadFile = Annotated[
    Path | None,
    typer.Option("--head", help="Private classifier behind -f: what `privis train` or `LinearHead.save` wrote."),
]
Extracting = Annotated[
    ExtractedBy, typer.Option("--extracted-by", help="Who computes -f before the head; a client encrypts its vector.")
]
PublicHead = Annotated[
    bool, typer.Option("--public-head", help="Clients may have the head's weights, where they normalise themselves.")
]
Name = Annotated[str | None, typer.Option(help="Name of the offer, if there is one; else that of feature or file.")]
Precision = Annotated[float, typer.Option(help="Largest error by encryption, relative to the largest output.")]
Signs = Annotated[int, typer.Option(help="Polynomials of degree 7 in a comparison, three levels each.")]
Inside = Annotated[bool, typer.Option("--inside", help="Normalise encrypted values too; else their owner does.")]
Promised = Annotated[bool, typer.Option("--promised", help="Rely on domains that owners check before they encrypt.")]
Shared = Annotated[Batching, typer.Option("--sharing", help="Images that share ciphertexts: cheaper for each.")]
Processes = Annotated[int, typer.Option(min=1, max=2, help="Processes that share one job; 2 may need larger keys.")]
Standard = Annotated[SecurityStandard, typer.Option("--standard", help="Table of 128-bit security that is met.")]
Samples = Annotated[
    list[str] | None,
    typer.Option("--samples", help="Public images that tell how large values are: a smaller ring may do; repeatable."),
]
Listen = Annotated[str, typer.Option(metavar="HOST:PORT", help="Where to listen; without TLS only on this machine.")]
TokensFile = Annotated[Path, typer.Option("--tokens", help="Digests of the clients' tokens; `privis keygen` adds one.")]
TlsCert = Annotated[Path | None, typer.Option("--tls-cert", help="Certificate chain, PEM.")]
TlsKey = Annotated[Path | None, typer.Option("--tls-key", help="Its private key, PEM.")]
State = Annotated[Path, typer.Option("--state", help="Folder for keys, messages and results; this server's alone.")]
LimitWords = Annotated[
    list[str] | None, typer.Option("--limit", help="NAME=VALUE, as in memory=8GiB; a wrong name lists all; repeatable.")
]
AnswerWords = Annotated[
    list[str] | None,
    typer.Option(
        "--answers",
        metavar="LIMIT",
        help="Answers about templates or models for each client: scores=64, scores-per-hour=8, decisions=…, unlimited.",
    ),
]
AnswerLedgerPath = Annotated[
    Path | None, typer.Option("--answer-ledger", help="Where answers are counted; STATE/answers unless said.")
]
Check = Annotated[bool, typer.Option("--check", help="Only compile, and check the settings.")]


def serve(
    context: typer.Context,
    tokens: TokensFile,
    feature: FeatureName = None,
    parameter: Parameters = None,
    program: Programs = None,
    model: Models = None,
    offer: PreparedOffers = None,
    gallery: Galleries = None,
    encrypted_gallery: EncryptedGalleries = None,
    threshold: Threshold = None,
    gap: Gap = None,
    scores: Scores = False,
    head: HeadFile = None,
    extracted_by: Extracting = ExtractedBy.SERVER,
    public_head: PublicHead = False,
    name: Name = None,
    precision: Precision = 1e-4,
    signs: Signs = 5,
    inside: Inside = False,
    promised: Promised = False,
    processes: Processes = 1,
    sharing: Shared = Batching.NONE,
    standard: Standard = DEFAULT_STANDARD,
    samples: Samples = None,
    listen: Listen = "127.0.0.1:8443",
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    state: State = Path("privis-state"),
    limit: LimitWords = None,
    answers: AnswerWords = None,
    answer_ledger: AnswerLedgerPath = None,
    check: Check = False,
) -> None:
    """Compute features of encrypted images for clients who keep their keys; stop with Ctrl-C.

    privis serve -f hog -p size=64x64 --tokens tokens --tls-cert server.pem --tls-key server.key --listen 0.0.0.0:8443

    privis serve --model net.onnx --gallery faces.parquet --threshold 0.4 --tokens tokens

    privis serve -f lbp -p size=64x64 --head head.npz --extracted-by client --answers scores=2000 --tokens tokens
    """
    with explained():
        require("he", "privis serve", "tenseal")  # the process that compiles is another one
        from privis.cli.server.offer_words import HOW_IT_COMPILES, prepared_offers, refuse_words_beside
        from privis.cli.server.offerings import OfferOptions
        from privis.run.he.compiler.compiler import Options
        from privis.serve.answering import settings_of, stated_limits
        from privis.serve.http.server import Server
        from privis.serve.http.tokens import Tokens
        from privis.serve.limits import limits_of

        options = Options(
            precision,
            signs=signs,
            inside=inside,
            promised=promised,
            processes=processes,
            batching=sharing,
            standard=standard,
        )
        files = (program or [], model or [], gallery or [], encrypted_gallery or [])
        behind = None if head is None else HeadOptions(head, extracted_by, public_head)
        if behind is None and (public_head or extracted_by is not ExtractedBy.SERVER):
            raise ParameterError(Problem("--extracted-by, --public-head", "no head", "--head that they are about"))
        matching = MatchingAnswers(threshold, gap, scores)
        if offer and feature is None and not program and not model:
            refuse_words_beside(context, HOW_IT_COMPILES)
        prepared = [made for path in offer or [] for made in prepared_offers(path)]
        offered = OfferOptions(feature, parameter or [], *files, name, samples or [], behind, matching, prepared)
        makers = offered.makers(options)
        host, port = address_of(listen)
        settings, limits = settings_of(answers or [], answer_ledger), limits_of(limit or [])
        certificate = _certificate(tls_cert, tls_key)
        server = Server(makers, Tokens.load(tokens), state, host, port, certificate, limits, settings)
        with working(f"compiling, encoding weights of {len(makers)} offer{'s' * (len(makers) != 1)}"):
            offers = server.open()
        for terms in offers:
            told = stated_limits(terms)
            err.print(f"{_described(terms)}. {told}" if told else _described(terms), markup=False, soft_wrap=True)
        if check:
            server.close()
            return
        _log_to_stderr()
        _say(server)
        server.run()


def _say(server: Server) -> None:
    clients = len(server.tokens.known)
    known = "1 client" if clients == 1 else f"{clients} clients"
    err.print(f"{server.url}: {known}; {server.url}/openapi.json describes it", markup=False, soft_wrap=True)


def _described(terms: Terms) -> str:
    estimate = terms.estimate
    sizes = f"keys {_bytes(estimate.keys_bytes)}, message {_bytes(estimate.message_bytes)}"
    job = "a job" if estimate.images == 1 else f"a job of up to {estimate.images:,} images"
    expected = f"about {estimate.seconds:.1f} s and {_bytes(estimate.memory)} of memory {job}"
    return f"{terms.name}: {terms.summary}; {expected}; {sizes}, result {_bytes(estimate.reply_bytes)}"


def _bytes(count: int) -> str:
    size, units = float(count), iter(("B", "kB", "MB", "GB", "TB"))
    unit = next(units)
    while size >= 999.5 and unit != "TB":
        size, unit = size / 1000, next(units)
    return f"{size:.3g} {unit}"


def _certificate(chain: Path | None, key: Path | None) -> Certificate | None:
    from privis.serve.http.server import Certificate

    if chain is None and key is None:
        return None
    if chain is None or key is None:
        raise ParameterError(Problem("TLS", "one of two files", "both --tls-cert and --tls-key"))
    return Certificate(chain, key)


def address_of(text: str) -> tuple[str, int]:
    """Host and port of ``HOST:PORT``.

    >>> address_of("127.0.0.1:8443"), address_of("[::1]:0")
    (('127.0.0.1', 8443), ('::1', 0))
    """
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ParameterError(Problem("--listen", repr(text), "HOST:PORT, as in 127.0.0.1:8443"))
    return host.strip("[]"), int(port)


def _log_to_stderr() -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s", "%Y-%m-%dT%H:%M:%S%z"))
    for name, level in (("privis.serve", logging.INFO), ("uvicorn.error", logging.WARNING)):
        logging.getLogger(name).addHandler(handler)
        logging.getLogger(name).setLevel(level)

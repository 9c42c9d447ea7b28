"""``privis stage``: encrypted computing in five steps on a folder, each a process of its own, without a network.

Files of the folder, and who may see them:

==================  ========================================  ====================================
folder              files                                     whose
==================  ========================================  ====================================
``server/``         ``offer.npz``                             the server's: it holds the weights
``public/``         ``public.key``, ``evaluation.key``        both
``upload/``         ``query.bin``                             both: encrypted images
``download/``       ``answer.bin``                            both: encrypted results
``secret/``         ``secret.key``, ``query.kept``            the owner's: never sent
(the folder)        ``inputs/``, ``outputs.parquet``          the owner's: images, and what is decrypted
==================  ========================================  ====================================

Every stage may be told the folder as ``--io`` and what is offered as ``--offer offer.toml``; it needs nothing else.

A file appears whole or not at all, so a stage that was killed is run again. ``prepare`` and ``compute`` open nothing of
``secret/``, the others nothing of ``server/``.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from privis.cli.console import EXIT_CODES, explained, out, working
from privis.cli.extract import Parameters
from privis.cli.server.offer_words import (
    HOW_IT_COMPILES,
    IN_WORDS,
    OfferWords,
    one_program,
    read_offer_words,
    refuse_words_beside,
)
from privis.cli.server.serve import (
    FeatureName,
    Inside,
    Name,
    Precision,
    Processes,
    Promised,
    Samples,
    Shared,
    Signs,
    Standard,
)
from privis.cli.server.stage_folder import (
    SEEN,
    StageFolder,
    card_metadata,
    flat_outputs,
    make_folder,
    query_of,
    says_feature,
    the_folder,
    write_terms,
)
from privis.cli.server.submission.submission_commands import init, readme
from privis.errors import OutputError, Problem
from privis.extras import require
from privis.file_formats import format_of
from privis.io.atomic import check_writable
from privis.run.he.packing.batching import Batching
from privis.run.he.security import DEFAULT_STANDARD, SecurityStandard

if TYPE_CHECKING:
    from privis.run.he.compiler.compiler import CompiledProgram
    from privis.serve.client.owner import Owner
    from privis.serve.offerings.offering import Terms

_WORDS = ("feature", "parameter", "program", "model", "name", "images", *HOW_IT_COMPILES)  # that a file says, too

stage = typer.Typer(
    name="stage",
    help="Encrypted computing in five steps on files, without a network: prepare, keygen, encrypt, compute, decrypt.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    rich_markup_mode="rich",
)

stage.command()(init)
stage.command()(readme)

Folder = Annotated[
    Path | None, typer.Argument(help="Folder of all stages; what others may not see lies in parts of it.")
]
Io = Annotated[Path | None, typer.Option("--io", metavar="DIR", help="The folder, where it is no argument.")]
WordsFile = Annotated[Path | None, typer.Option("--offer", help="What is offered, in words: a TOML file.")]
SecretFolder = Annotated[
    Path | None, typer.Option("--secret", help="Folder of the secret key; else FOLDER/secret. Never sent.")
]
OfferFile = Annotated[
    Path | None,
    typer.Option("--offer", help="What is offered, in words; or the server's file, else FOLDER/server/offer.npz."),
]
Model = Annotated[Path | None, typer.Option("--model", help="A network, ONNX; -p are its parameters.")]
SavedProgram = Annotated[Path | None, typer.Option("--program", help="A saved program.")]
Expected = Annotated[
    int | None, typer.Option("--images", min=1, help="Choose the sharing that is quickest for so many images.")
]


@stage.command()
def prepare(
    context: typer.Context,
    folder: Folder = None,
    io: Io = None,
    offer: WordsFile = None,
    feature: FeatureName = None,
    parameter: Parameters = None,
    program: SavedProgram = None,
    model: Model = None,
    name: Name = None,
    precision: Precision = 1e-4,
    signs: Signs = 5,
    inside: Inside = False,
    promised: Promised = False,
    processes: Processes = 1,
    sharing: Shared = Batching.NONE,
    images: Expected = None,
    standard: Standard = DEFAULT_STANDARD,
    samples: Samples = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="The server's file; else FOLDER/server/offer.npz.")
    ] = None,
    keep_weights: Annotated[
        bool, typer.Option("--keep-weights", help="Keep encoded weights on disk, so that compute reads them.")
    ] = False,
) -> None:
    """Server: compile what is offered; its weights stay in FOLDER/server, its terms go to FOLDER/public.

    privis stage prepare io/ --model net.onnx --samples training/ --precision 0.01
    """
    with explained():
        require("he", "privis stage", "tenseal")
        from privis.cli.server.offerings import OfferOptions
        from privis.run.he.compiler.compiler import Options
        from privis.serve.offerings.offer import Offer

        place = StageFolder(the_folder(folder, io), offer_path=output)
        if output is not None:
            check_writable(output)
        if offer is not None:
            refuse_words_beside(context, _WORDS)
            made = read_offer_words(offer).offered()
        else:
            options = Options(
                precision,
                signs=signs,
                inside=inside,
                promised=promised,
                processes=processes,
                batching=sharing,
                standard=standard,
            )
            given = [] if program is None else [program], [] if model is None else [model], [], []
            said = OfferOptions(feature, parameter or [], *given, name, samples or [])
            made = one_program(said, options, images)
        chosen = Offer.of(made)
        with working(f"compiling {chosen.name}"):
            terms = chosen.terms()
        _refuse_other_keys(place, terms)
        make_folder(place.public, 0o755)
        if output is None:
            make_folder(place.offer.parent, 0o700)
        chosen.save(place.offer)
        write_terms(place.terms, terms)
        _say_offer(terms, place)
        if keep_weights:
            _keep_weights(chosen.offering.compiled)


@stage.command()
def keygen(
    folder: Folder = None,
    io: Io = None,
    offer: WordsFile = None,
    secret: SecretFolder = None,
    terms: Annotated[Path | None, typer.Option(help="The server's terms; else FOLDER/public/public.key.")] = None,
    standard: Annotated[
        SecurityStandard | None, typer.Option(help="Refuse parameters beyond this table of 128-bit security.")
    ] = None,
) -> None:
    """Owner: make keys for the server's terms; an interrupted run is finished by the same command.

    Before the server has prepared, terms are compiled from the words of --offer; it has to come to the same.

    privis stage keygen io/
    """
    with explained():
        require("he", "privis stage", "tenseal")
        from privis.serve.client.owner import Owner, require_apart
        from privis.serve.offerings.offer_security import parameters_of, require_standard

        place = StageFolder(the_folder(folder, io), secret)
        found = _terms_of(place, terms, None if offer is None else read_offer_words(offer))
        require_standard(found, standard)
        require_apart(place.public, place.secret)
        with working(f"keys for {found.name}") as progress:
            if not place.secret.exists():
                if place.evaluation.exists():
                    got, remedy = (
                        "evaluation keys without their secret key",
                        "say where it is, --secret, or remove them",
                    )
                    raise OutputError(Problem(str(place.evaluation), got, "a folder without keys", remedy))
                Owner.generate(found, place.public, place.secret, progress=progress)
            else:
                owner = Owner.load(place.secret)
                _require_same(owner.terms, found, place.secret)
                if not place.evaluation.exists():
                    owner.publish(place.public, progress)
                elif terms is None and not place.terms.exists():
                    write_terms(place.terms, found)
        size = place.evaluation.stat().st_size / 1e6
        out.print(f"{place.evaluation}: {size:,.1f} MB for the server", markup=False, soft_wrap=True)
        out.print(parameters_of(found).security, markup=False, soft_wrap=True)
        told = f"{place.secret} never leaves you; whoever has it can read your images"
        out.print(told, markup=False, soft_wrap=True)


@stage.command()
def encrypt(
    folder: Folder = None,
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            help="Images: files, folders, globs, - for stdin; or one .npy or .npz of inputs. "
            "Else FOLDER/inputs, FOLDER/inputs.npy or FOLDER/inputs.npz."
        ),
    ] = None,
    io: Io = None,
    offer: WordsFile = None,
    secret: SecretFolder = None,
) -> None:
    """Owner: encrypt images for the server into FOLDER/upload; what is needed to read the answer stays in the secret
    folder.

    privis stage encrypt io/ scans/
    """
    with explained():
        require("he", "privis stage", "tenseal")
        given = inputs or []
        if io is not None and folder is not None:  # every argument is an input
            given, folder = [str(folder), *given], None
        place = StageFolder(the_folder(folder, io), secret)
        owner = _owner_of(place, offer)
        with working("encrypting"):
            query = query_of(owner, given or [str(place.inputs())])
        make_folder(place.query.parent, 0o755)
        query.save(place.query, place.kept)
        size = len(query.message) / 1e6
        count = len(query.factors)
        told = f"{place.query}: {count:,} image{'s' * (count != 1)}, {size:,.1f} MB for the server"
        out.print(told, markup=False, soft_wrap=True)


@stage.command()
def compute(
    folder: Folder = None,
    io: Io = None,
    offer: OfferFile = None,
    at_once: Annotated[
        int | None, typer.Option(min=1, max=64, help="Processes that share the images; else one for each core.")
    ] = None,
) -> None:
    """Server: compute on the encrypted images, without anything that decrypts, into FOLDER/download.

    privis stage compute io/
    """
    with explained():
        require("he", "privis stage", "tenseal")
        from privis.run.he.wire import key_file
        from privis.serve.offerings.offer import Offer

        words = read_offer_words(offer) if offer is not None and format_of(offer) in IN_WORDS else None
        place = StageFolder(the_folder(folder, io), offer_path=offer if words is None else None)
        message = key_file.read_message(place.query)
        chosen = Offer.load(place.offer)
        if words is not None:
            words.require_prepared(chosen.made, place.offer)
        with working(f"computing {chosen.name}") as progress:
            answer = chosen.evaluate(place.evaluation, message, progress, at_once=at_once)
        make_folder(place.answer.parent, 0o755)
        key_file.write_message(place.answer, answer)
        out.print(f"{place.answer}: {len(answer) / 1e6:,.1f} MB for the owner", markup=False, soft_wrap=True)


@stage.command()
def decrypt(
    folder: Folder = None,
    io: Io = None,
    offer: WordsFile = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Table: .parquet, .npz or .csv; else FOLDER/outputs.parquet."),
    ] = None,
    secret: SecretFolder = None,
) -> None:
    """Owner: decrypt the answer into a table. What is decrypted must not go back to the server.

    privis stage decrypt io/ -o features.parquet
    """
    with explained():
        require("he", "privis stage", "tenseal")
        from privis.cli.server.offerings import feature_of
        from privis.io import tables

        place = StageFolder(the_folder(folder, io), secret)
        output = output or place.outputs
        tables.check(output)
        owner = _owner_of(place, offer)
        feature = feature_of(owner.terms) if says_feature(owner.terms) else None
        if feature is None:
            labels, rows, names = flat_outputs(owner, place.kept, place.answer)
        else:
            labels, rows = owner.features(place.kept, place.answer, feature)
            names = feature.names(owner.specification.inputs[0])
        metadata = card_metadata(owner, feature, len(rows))
        tables.write(output, list(labels), [rows], names=names, metadata=metadata, scratch=output.parent)
        count = len(rows)
        told = f"{count:,} row{'s' * (count != 1)} of {rows.shape[1]:,} components in {output}"
        out.print(told, markup=False, soft_wrap=True)
        out.print(f"{SEEN} Decrypted results must not go back to the server.", markup=False, soft_wrap=True)


def _terms_of(place: StageFolder, terms: Path | None, words: OfferWords | None) -> Terms:
    """The server's terms, or where it has not prepared yet, those that its words compile to."""
    if words is None:
        return place.read_terms(terms)
    if terms is not None or place.terms.exists():
        found = place.read_terms(terms)
        words.require_named(found.name, found.words, terms or place.terms)
        return found
    from privis.serve.offerings.offer import Offer

    chosen = Offer.of(words.offered())
    with working(f"compiling {chosen.name}"):
        return chosen.terms()


def _owner_of(place: StageFolder, offer: Path | None) -> Owner:
    from privis.serve.client.owner import Owner

    words = None if offer is None else read_offer_words(offer)
    owner = Owner.load(place.secret)
    if words is not None:
        words.require_named(owner.terms.name, owner.terms.words, place.secret)
    return owner


def _keep_weights(made: CompiledProgram) -> None:
    from privis.run.he.evaluation.kept_weights import keep_weights, weights_bytes

    needed = weights_bytes(made)
    with working("encoding weights"):
        written = keep_weights(made)
    if written:
        told = f"{written / 1e6:,.1f} MB of encoded weights are kept on this machine: compute reads them"
    elif needed:
        told = f"weights are not kept: no room or no folder for {needed / 1e6:,.1f} MB; compute encodes them"
    else:
        told = "nothing to keep: each image has a slot, and weights stay numbers"
    out.print(told, markup=False, soft_wrap=True)


def _refuse_other_keys(place: StageFolder, terms: Terms) -> None:
    """Keys that are there already are for the terms that are there: others would make them useless without notice."""
    if place.evaluation.exists() and place.terms.exists() and place.read_terms().digest != terms.digest:
        got, remedy = "keys for other terms", "prepare in a new folder, or remove the keys of this one"
        raise OutputError(Problem(str(place.public), got, "keys for this offer, or none", remedy))


def _require_same(held: Terms, found: Terms, secret: Path) -> None:
    if held.digest != found.digest:
        got, expected = f"keys of {held.digest[:12]}…", f"keys of {found.digest[:12]}…, which the terms describe"
        remedy = "keys are never overwritten: choose another --secret folder"
        raise OutputError(Problem(str(secret), got, expected, remedy))


def _say_offer(terms: Terms, place: StageFolder) -> None:
    from privis.serve.offerings.offer_security import parameters_of

    expected, images = terms.estimate, terms.estimate.images
    job = "for one image" if images == 1 else f"for up to {images:,} images"
    sizes = f"keys {expected.keys_bytes / 1e6:,.1f} MB, query {expected.message_bytes / 1e6:,.2f} MB"
    told = f"{terms.name}: about {expected.seconds:.2f} s and {expected.memory / 2**20:,.0f} MiB {job}; {sizes}"
    out.print(told, markup=False, soft_wrap=True)
    out.print(parameters_of(terms).security, markup=False, soft_wrap=True)
    out.print(f"{place.terms}: for owners of images, who make keys for it", markup=False, soft_wrap=True)
    out.print(f"{place.offer}: the server's alone, it holds the weights", markup=False, soft_wrap=True)

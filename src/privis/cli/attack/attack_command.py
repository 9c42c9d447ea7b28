"""``privis attack``: attacks that know how an output was made, chosen by what the output is."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from privis.attack.attack_finding import attack_document
from privis.cards.table_bytes import digests
from privis.cli.attack.attack_results import tell, write_page
from privis.cli.attack.gallery_attacks import GALLERY_ATTACKS, INDEX_ATTACKS
from privis.cli.attack.model_attacks import MODEL_ATTACKS
from privis.cli.attack.offered_attack import Attacked, AttackOptions, OfferedAttack
from privis.cli.attack.server_attacks import SERVER_ATTACKS
from privis.cli.attack.table_attacks import TABLE_ATTACKS
from privis.cli.cards.card_subject import READERS
from privis.cli.console import SOME_FAILED, err, explained, working
from privis.cli.extract import Post
from privis.errors import MissingExtraError, ParameterError, PrivisError, Problem, UnsupportedError, refuse
from privis.file_formats import FileFormat, format_of
from privis.io.atomic import check_writable
from privis.io.images.sources import find

_MODELS = (FileFormat.HEAD, FileFormat.LINEAR_HEAD, FileFormat.CLASSIFIER, FileFormat.DETECTOR)


def attack(
    against: Annotated[
        str,
        typer.Option(metavar="TARGET", help="What is attacked: a table, classifier, gallery, index, or server's URL."),
    ],
    with_: Annotated[
        list[str] | None, typer.Option("--with", metavar="NAME", help="Only this attack; repeatable. All unless said.")
    ] = None,
    public: Annotated[
        Path | None, typer.Option(help="Folder of pictures of other people that the attacker learns from.")
    ] = None,
    originals: Annotated[
        Path | None, typer.Option(help="Folder of the pictures that were extracted: hits are counted by them.")
    ] = None,
    known: Annotated[
        Path | None, typer.Option(help="Folder of pictures of known people, a sub-folder each, that the attacker has.")
    ] = None,
    release_of: Annotated[
        Path | None,
        typer.Option(help="A second table or gallery of the same people, which is linked with the first."),
    ] = None,
    members: Annotated[
        Path | None, typer.Option(help="Folder of pictures that a model was trained on, a sub-folder for each class.")
    ] = None,
    non_members: Annotated[
        Path | None, typer.Option(help="Folder of pictures that it was not trained on, likewise.")
    ] = None,
    attribute_from: Annotated[
        str | None, typer.Option(help="Where it stands what attribute a picture has: folder, filename:REGEX.")
    ] = None,
    subject_from: Annotated[
        str, typer.Option(help="Where it stands whose a picture is: folder, filename:REGEX.")
    ] = "folder",
    feature: Annotated[
        str | None, typer.Option("-f", "--feature", help="What computed the rows, where their card does not say it.")
    ] = None,
    parameter: Annotated[
        list[str] | None, typer.Option("-p", "--parameter", help="Parameter of the feature, NAME=VALUE; repeatable.")
    ] = None,
    post: Post = None,
    most: Annotated[int, typer.Option(min=1, help="Rows that slow attacks look at, evenly chosen.")] = 50,
    keys: Annotated[
        Path | None, typer.Option(help="Server: folder of keys for its gallery, as of privis keygen.")
    ] = None,
    token_file: Annotated[Path | None, typer.Option(help="Server: the attacker's token.")] = None,
    authority: Annotated[Path | None, typer.Option(help="Server: certificate to trust, if it is its own.")] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Page of reconstructions beside originals, .html.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on stdout.")] = False,
) -> None:
    """Attack an output as somebody would who has it and knows how it was made, and say what they get.

    privis attack --against hog.npz --public others/ --originals people/ -o pictures.html

    privis attack --against hog.npz --known acquaintances/

    privis attack --against november.npz --release-of december.npz

    privis attack --against hog.npz --public others/ --attribute-from folder --with attribute --with epsilon

    privis attack --against scans.model --members trained/ --non-members held-out/ --public others/

    Attacks for which something was not given are listed with what they need, and the rest runs.
    """
    with explained():
        found = None if _is_address(against) else format_of(against)
        offered = _chosen(_offered(against, found), with_ or ())
        options = AttackOptions(
            against, found, public, originals, known, members, non_members, attribute_from, subject_from, feature,
            tuple(parameter or ()), post, most, output is not None, keys, token_file, authority, release_of,
        )  # fmt: skip
        ready = [each for each in offered if not each.missing(options)]
        lacking = [each for each in offered if each.missing(options)]
        if output is not None:
            check_writable(output)
        if release_of is not None and found is FileFormat.TABLE and format_of(release_of) is not found:
            raise ParameterError(Problem(f"--release-of {release_of}", str(format_of(release_of)), str(found)))
        folders = {"--public": public, "--originals": originals, "--known": known}
        _check_folders({**folders, "--members": members, "--non-members": non_members})
        if not ready:
            refuse(ParameterError, [_lack(each, options) for each in lacking])
        for each in lacking:
            err.print(f"privis: not run: {_lack(each, options)}", markup=False, soft_wrap=True)
        results: list[Attacked] = []
        stopped = _run(ready, options, results)
        findings = [finding for result in results for finding in result.findings]
        if output is not None:
            write_page(against, results, output)
        if as_json:
            print(json.dumps(attack_document(against, findings, _digest(against, found)), allow_nan=False))
        else:
            tell(findings, output)
        for warning in dict.fromkeys(warning for result in results for warning in result.warnings):
            err.print(f"privis: {warning}", markup=False, soft_wrap=True)
        failed = dict.fromkeys(name for result in results for name in result.failed)
        for name in failed:
            err.print(f"privis: {name}", markup=False, soft_wrap=True)
        if stopped:
            raise KeyboardInterrupt(f"interrupted in {stopped}: what was finished before is told above")
        raise SystemExit(SOME_FAILED if failed else 0)


def _check_folders(folders: Mapping[str, Path | None]) -> None:
    """Refuse what is no folder of pictures before anything is computed."""
    given = {name: folder for name, folder in folders.items() if folder is not None}
    refuse(
        ParameterError,
        [
            Problem(f"{name} {folder}", str(format_of(folder)), "a folder of pictures", "check the path")
            for name, folder in given.items()
            if not folder.is_dir()
        ],
    )
    if given:
        find([str(folder) for folder in given.values()])


def _digest(against: str, found: FileFormat | None) -> str:
    """SHA-256 of what was attacked, by which a card knows that figures are of the very same."""
    if found is FileFormat.TABLE:
        return digests(Path(against))[0]
    return READERS[found](Path(against)).described()["sha256"] if found in READERS else ""


def _is_address(against: str) -> bool:
    return against.startswith(("https://", "http://"))


def _offered(against: str, found: FileFormat | None) -> tuple[OfferedAttack, ...]:
    """The attacks against what is there, told by its content."""
    by_kind = {FileFormat.TABLE: TABLE_ATTACKS, FileFormat.FACE_GALLERY: GALLERY_ATTACKS}
    by_kind[FileFormat.SEARCH_INDEX] = INDEX_ATTACKS
    by_kind |= dict.fromkeys(_MODELS, MODEL_ATTACKS)
    offered = SERVER_ATTACKS if found is None else by_kind.get(found, ())
    if not offered:
        known = [kind for kind, attacks in by_kind.items() if attacks]
        words = [str(kind) for kind in known] + (["the address of a server"] if SERVER_ATTACKS else [])
        got = "the address of a server" if found is None else str(found)
        raise ParameterError(Problem(f"--against {against}", got, " or ".join(words)))
    return offered


def _chosen(offered: tuple[OfferedAttack, ...], names: Sequence[str]) -> list[OfferedAttack]:
    known = [each.name for each in offered]
    refuse(
        ParameterError,
        [Problem("--with", repr(name), f"one of {', '.join(known)}") for name in names if name not in known],
    )
    return [each for each in offered if not names or each.name in names]


def _lack(each: OfferedAttack, options: AttackOptions) -> Problem:
    return Problem(f"{each.name} ({each.summary})", "nothing", " and ".join(each.missing(options)))


def _run(ready: Sequence[OfferedAttack], options: AttackOptions, results: list[Attacked]) -> str:
    """Add what each finds to ``results``; the name of the one that was interrupted, or nothing.

    What one of them cannot do does not stop the others.
    """
    refused: list[PrivisError] = []
    for each in ready:
        with working(f"privis attack: {each.name}") as show:
            try:
                results.extend(each.run(options, show))
            except (ParameterError, UnsupportedError, MissingExtraError) as error:
                refused.append(error)
            except KeyboardInterrupt:
                if not results:
                    raise
                return each.name
    if refused and not results:
        first = refused[0]
        raise type(first)(*dict.fromkeys(problem for error in refused for problem in error.problems))
    if refused:
        problems = dict.fromkeys(problem for error in refused for problem in error.problems)
        results.append(Attacked((), warnings=tuple(f"not run: {problem}" for problem in problems)))
    return ""

"""A card that a site signed: what was computed, guaranteed, seen, spent and attacked, for a table of these very bytes.

Evolution of the format: ``format`` names it. Format 2 holds every key of format 1 (`privis.extraction.card`) with the
same meaning, so that what reads those reads these, and more. Keys may be added under the same number: readers skip
those that they do not know, and the signature covers them all. A key that goes, or means something else, takes the
next number, which earlier readers refuse. Cards of format 1 are not signed; tables go on carrying them. Format 3 is
format 2 of anything but a table: ``content`` takes the place of ``table``.

The file is this JSON document with an indent of 2 and a newline at its end, and is compared byte by byte; what is
signed is the same document without the signature's value, its keys in order and without spaces.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from privis.cards.card_contents import Declaration, cost_of, keys_of, limits_of, provenance_of, seen_by
from privis.cards.card_key import CardKey
from privis.cards.findings import Findings
from privis.cards.signed_content import SignedContent
from privis.cards.table_bytes import TableContent
from privis.errors import ParameterError
from privis.file_formats import FileFormat, misfit
from privis.stores.erasure.receipt_key import is_signed

FORMAT = "privis.card/2"
OF_CONTENT = "privis.card/3"
ALGORITHM = "Ed25519"
_NEEDED = ("feature", "under", "release", "guarantee", "threat_model", "programs", "images", "chain")
_KEYS = {FORMAT: TableContent.key, OF_CONTENT: SignedContent.key}
"""By format, the key that says what the card is of."""
_LARGEST = 1 << 26


@dataclass(frozen=True)
class SignedCard:
    """A card of format 2, or 3.

    Args:
        document: with its signature.
    """

    document: Mapping[str, Any]

    @classmethod
    def issued(
        cls,
        table: TableContent | SignedContent,
        key: CardKey,
        *,
        time: str,
        chain: Mapping[str, Any],
        attacks: Sequence[Mapping[str, Any]] = (),
        declared: Declaration | None = None,
        image_size: tuple[int, int] | None = None,
        cost: Mapping[str, Any] | None = None,
    ) -> SignedCard:
        """Make and sign a card.

        Args:
            table: that it is of, or another content.
            key: of the site.
            time: of signing, UTC, ISO 8601.
            chain: what `privis.cards.ledger_chain` gives of the ledgers.
            attacks: figures of attacks that were run.
            declared: what only who signs can know.
            image_size: (height, width) of the images in pixels, where noise is on pixels.
            cost: what is known of the run: ``predicted``, ``measured`` and ``source``.

        Returns:
            The card.
        """
        known = declared or Declaration()
        return cls.of(unsigned_document(table, time, chain, attacks, known, image_size, cost), key)

    @classmethod
    def of(cls, document: Mapping[str, Any], key: CardKey) -> SignedCard:
        """Sign a document.

        Args:
            document: of a card, without ``signature``.
            key: of the site.

        Returns:
            The card.
        """
        whole = {**document, "signature": {"algorithm": ALGORITHM, "public_key": key.public}}
        signature = {**whole["signature"], "value": key.sign(_signed_part(whole))}
        return cls({**whole, "signature": signature})

    def to_bytes(self) -> bytes:
        """Give the bytes of its file, which no other bytes stand for.

        Returns:
            JSON and a newline.
        """
        return (json.dumps(self.document, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()

    @classmethod
    def load(cls, path: Path) -> SignedCard:
        """Read a card; nothing is checked but its form.

        Args:
            path: of its file.

        Returns:
            The card.

        Raises:
            ParameterError: it is no card of this format, or its bytes are not those that stand for it.
        """
        try:
            if path.stat().st_size > _LARGEST:
                raise ValueError("a file that is too large")
            return cls.from_bytes(path.read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            reason = (error.strerror or "an error") if isinstance(error, OSError) else str(error)[:200]
            expected = "a signed card, as privis card wrote it"
            raise ParameterError(misfit(path, FileFormat.CARD, reason, expected)) from None

    @classmethod
    def from_bytes(cls, data: bytes) -> SignedCard:
        """Read a card; nothing is checked but its form.

        Args:
            data: of its file.

        Returns:
            The card.

        Raises:
            ValueError: it is none, or these are not the bytes that stand for it.
        """
        document = json.loads(data.decode("utf-8"))
        if not isinstance(document, dict) or document.get("format") not in _KEYS:
            raise ValueError(f"no document of a format of {' or '.join(_KEYS)}")
        content = _KEYS[document["format"]]
        missing = [key for key in (*_NEEDED, content) if key not in document]
        tables = [key for key in ("feature", "under", "guarantee", content, "chain") if key not in missing]
        missing += [key for key in tables if not isinstance(document[key], dict)]
        if missing:
            raise ValueError(f"without a proper {', '.join(missing)}")
        made = cls(document)
        if made.to_bytes() != data:
            raise ValueError("bytes that were not written so")
        return made

    @property
    def content(self) -> Mapping[str, Any]:
        """What it says of the table, or of the other content, that it is of."""
        return self.document[_KEYS[self.document["format"]]]

    @property
    def kind(self) -> str:
        """What it is of, in a word or two."""
        return TableContent.kind if self.document["format"] == FORMAT else str(self.content.get("kind"))

    @property
    def components(self) -> int | None:
        """Of the vectors, where it says how many."""
        counts = self.content if self.kind == TableContent.kind else self.content.get("counts")
        found = counts.get("components") if isinstance(counts, Mapping) else None
        return found if isinstance(found, int) else None

    @property
    def public_key(self) -> str:
        """That it names, hexadecimal; empty where it names none."""
        signature = self.document.get("signature")
        return str(signature.get("public_key", "")) if isinstance(signature, Mapping) else ""

    def signature_findings(self, expected: str | None = None) -> Findings:
        """Check the signature.

        Args:
            expected: public key of the site that is meant to have signed, hexadecimal.

        Returns:
            What is wrong with it.
        """
        signature = self.document.get("signature")
        if not isinstance(signature, Mapping) or signature.get("algorithm") != ALGORITHM:
            return Findings((f"no signature of {ALGORITHM}",))
        if not is_signed(_signed_part(self.document), str(signature.get("value")), self.public_key):
            return Findings(("the signature does not fit the card",))
        if expected is None:
            return Findings((), ("the signature",), ("whose signature it is: no public key was given",))
        if expected != self.public_key:
            return Findings((f"signed by another key: {self.public_key}",))
        return Findings((), ("the signature, by the public key that was given",))

    def content_findings(self, found: TableContent | SignedContent | tuple[str, str]) -> Findings:
        """Compare with what it is of.

        Args:
            found: the table or the other content, or only its digests, where it cannot be read.

        Returns:
            What differs.
        """
        if isinstance(found, SignedContent):
            return self._other_findings(found)
        if self.kind != TableContent.kind and isinstance(found, TableContent):
            return Findings((f"a table, and the card is of a {self.kind}",))
        said, problems = self.content, []
        pair = (found.sha256, found.record_sha256) if isinstance(found, TableContent) else found
        if (said.get("sha256"), said.get("record_sha256", "")) != pair:
            problems.append(f"the {self.kind}'s bytes are not those that the card was signed for")
        if isinstance(found, TableContent):
            if found.rows not in (None, said.get("rows")):
                problems.append(f"the table has {found.rows} rows")
            if found.components != said.get("components"):
                problems.append(f"the table has {found.components} components")
            if found.completeness != said.get("completeness"):
                problems.append("the table states another completeness than the card")
            carried = {name: value for name, value in found.card.items() if name != "format"}
            if any(self.document.get(name) != value for name, value in carried.items()):
                problems.append("the card that the table carries says something else")
        return Findings(tuple(problems), (f"every byte of the {self.kind}",))

    def _other_findings(self, found: SignedContent) -> Findings:
        said, now = self.content, found.described()
        problems = []
        if self.kind != found.kind:
            return Findings((f"a {found.kind}, and the card is of a {self.kind}",))
        if said.get("sha256") != found.sha256:
            problems.append(f"the {found.kind} is not as it was signed: {found.digest_of}")
        if any(said.get(name) != now[name] for name in ("digest_of", "counts")):
            problems.append(f"the {found.kind} holds something else: {found.counts}")
        carried = {name: value for name, value in found.card.items() if name != "format"}
        if any(self.document.get(name) != value for name, value in carried.items()):
            problems.append(f"what the {found.kind} says of itself is something else")
        return Findings(tuple(problems), (found.digest_of,))


def unsigned_document(
    table: TableContent | SignedContent,
    time: str,
    chain: Mapping[str, Any],
    attacks: Sequence[Mapping[str, Any]],
    declared: Declaration,
    image_size: tuple[int, int] | None = None,
    cost: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Say all that a card says, before it is signed.

    Args:
        table: that it is of, or another content.
        time: of signing, UTC, ISO 8601.
        chain: what `privis.cards.ledger_chain` gives of the ledgers.
        attacks: figures of attacks that were run.
        declared: what only who signs can know.
        image_size: (height, width) of the images in pixels, where noise is on pixels.
        cost: what is known of the run: ``predicted``, ``measured`` and ``source``.

    Returns:
        The document, without ``signature``.
    """
    card = table.card
    return {
        **card,
        "format": FORMAT if isinstance(table, TableContent) else OF_CONTENT,
        "issued": time,
        "site": declared.site,
        table.key: table.described(),
        **({} if image_size is None else {"image_size": list(image_size)}),
        "seen": seen_by(card, table.kind),
        "keys": keys_of(card, declared),
        "provenance": provenance_of(card, declared),
        "cost": cost_of(declared, cost or {}),
        "attacks": list(attacks),
        "chain": dict(chain),
        "limits": limits_of(card, chain, len(attacks), declared, table.kind),
    }


def _signed_part(document: Mapping[str, Any]) -> bytes:
    signature = {name: value for name, value in document["signature"].items() if name != "value"}
    whole = {**document, "signature": signature}
    return json.dumps(whole, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()

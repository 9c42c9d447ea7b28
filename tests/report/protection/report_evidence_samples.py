"""Evidence of reports that tests share: signed, broken, exact, stored and trained."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

from privis.cards.signed_content import model_card
from privis.extraction.card import Card, described
from privis.features.colour import ColourHistogram
from privis.privacy import FeatureRelease, Guarantee, Laplace, PixelRelease, Pixels, no_release
from privis.report.protection.given.report_declaration import SENTENCES, ReportDeclaration
from privis.report.protection.given.report_evidence import (
    AnswerFacts,
    BudgetFacts,
    CheckedFile,
    ReportEvidence,
    Standing,
)
from privis.report.protection.given.reported_attacks import AttackFigure
from privis.run.clear import Clear

HOSTILE = "<script>alert(1)</script>\"'><img src=http://evil.example/x>&amp;{epsilon}.npz"


def card_of(guarantee: Guarantee, release: Any) -> dict[str, Any]:
    """A card of format 1."""
    made = Card(
        described(ColourHistogram(bins=4)),
        described(Clear()),
        None if release is None else described(release),
        guarantee,
        ("ab" * 32,),
        12,
        "1.0",
        "The machine that runs Privis sees the images.",
    )
    return made.to_dict()


def files() -> tuple[CheckedFile, ...]:
    """A file of every kind and standing."""
    release = FeatureRelease(Laplace(2.0), clip=1.0)
    promised = release.guarantee((12,))
    on_pixels = PixelRelease(Laplace(4.0), Pixels(16)).guarantee((28, 28))
    counts = {"rows": 12, "components": 12, "images": 12}
    return (
        CheckedFile(
            "ward7.npz", "table", "12" * 32, Standing.SIGNED, promised, card_of(promised, release), counts, {},
            (), ("the signature, by the public key that was given", "every byte of the table"),
            ("the chain: an answer ledger was not given",), "ab" * 32,
        ),
        CheckedFile("pixels.npz", "card", "34" * 32, Standing.RECOMPUTED, on_pixels,
                    card_of(on_pixels, PixelRelease(Laplace(4.0), Pixels(16))), {"components": 12}),
        CheckedFile("exact.npz", "table", "56" * 32, Standing.RECOMPUTED, no_release(), card_of(no_release(), None),
                    counts),
        CheckedFile("forged.npz", "table", "78" * 32, Standing.BROKEN, promised, card_of(promised, release), counts, {},
                    ("the signature does not fit the card", "epsilon is stated as 0.1, and 2 was chosen")),
        CheckedFile("head.npz", "head", "9a" * 32, Standing.WITHOUT_CARD, promised,
                    model_card(described(ColourHistogram(bins=4)), promised, None, "1.0"),
                    {"classes": 2, "components": 12}, {"protection": "released"}),
        CheckedFile("faces.gallery", "gallery", "bc" * 32, Standing.WITHOUT_CARD, None, {},
                    {"people": 1240, "images": 2480, "usable": 1200}, {"protection": "keyed"}),
        CheckedFile("photos.index", "index", "", Standing.WITHOUT_CARD, None, {},
                    {"images": 20, "people": 4, "components": 64}, {"protection": "sealed"}),
    )  # fmt: skip


def figures() -> tuple[AttackFigure, ...]:
    """One above chance, one within, one of no share."""
    knows = ("the feature", "public images")
    return (
        AttackFigure("ridge", "hog, no release", knows, "re-identified", 0.41, 0.31, 0.51, 0.04, 100, 0.95, ""),
        AttackFigure("ridge", "hog, laplace", knows, "re-identified", 0.05, 0.016, 0.113, 0.04, 100, 0.95, ""),
        AttackFigure("answers", "gallery", (), "queries to 50 % acceptance", 21400.0, math.nan, math.nan, math.nan, 10,
                     0.95, "", True),
    )  # fmt: skip


def evidence(*, declared: bool = True, uses: tuple[str, ...] = ()) -> ReportEvidence:
    """Everything at once, with or without a declaration."""
    said = ReportDeclaration(
        {name: f"甲乙丙 {name}" for name in SENTENCES}, {"release key": "甲"}, {"clip": "乙"}, {"甲": "乙"},
        {"predicted": {"seconds": 40.0}, "measured": {"seconds": 41.5}},
        {"predicted": {"accuracy": 0.85}, "measured": {"accuracy": 0.83}}, ("丙",),
    )  # fmt: skip
    budgets = (
        BudgetFacts("budget", 8.0, 1e-6, "subject", "image", 12, 12, 2.0, "ab" * 32),
        BudgetFacts(
            "torn", math.nan, math.nan, "", "", 3, 1, math.nan, "cd" * 32, ("line 2 is another one than was written",)
        ),
    )
    answers = (AnswerFacts("answers", 2, 30, 4, 20, "ef" * 32),)
    given = said if declared else ReportDeclaration()
    return ReportEvidence(files(), figures(), budgets, answers, given, uses, date(2026, 11, 30))

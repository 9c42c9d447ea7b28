"""Short statements that several annexes hold: figures of the report in one sentence each."""

from __future__ import annotations

from collections.abc import Iterator

from privis.report.elements import bound
from privis.report.protection.given.report_evidence import ReportEvidence
from privis.report.protection.report_blocks import Fact, StatementKind, joined
from privis.report.protection.report_figures import figure_text
from privis.report.protection.report_words import Html, Words
from privis.report.protection.sections.work_sections import has_guarantee, strongest, unit_words


class Summaries:
    """Says what the report found, for headings of annexes.

    Args:
        evidence: of the report.
        words: of its language.
        group: of its labels: that of ``KEY`` is the message ``GROUP.label.KEY``.
    """

    def __init__(self, evidence: ReportEvidence, words: Words, group: str) -> None:
        self.evidence = evidence
        self.words = words
        self.group = group

    def fact(self, key: str, text: Html, kind: StatementKind, number: str = "") -> Fact:
        """Put a text under a heading.

        Args:
            key: of the heading.
            text: of the statement.
            kind: how it is known.
            number: of the heading.

        Returns:
            The statement.
        """
        return Fact(self.words.say(f"{self.group}.label.{key}"), text, kind, number)

    def stated(self, key: str, number: str = "", kind: StatementKind = StatementKind.DERIVED) -> Fact:
        """Put the message ``GROUP.KEY`` under its heading.

        Args:
            key: of heading and message.
            number: of the heading.
            kind: how it is known.

        Returns:
            The statement.
        """
        return self.fact(key, self.words.say(f"{self.group}.{key}"), kind, number)

    def protected(self, key: str, number: str = "") -> Fact:
        """Put the message ``GROUP.KEY`` under its heading as far as it is so: of files with a bound; others are named.

        Args:
            key: of heading and message.
            number: of the heading.

        Returns:
            The statement.
        """
        bounded = [has_guarantee(each) for each in self.evidence.files]
        if not any(bounded):
            return self.fact(key, self.words.say("short.no_bound"), StatementKind.DERIVED, number)
        text = self.words.say(f"{self.group}.{key}")
        if not all(bounded):
            names = [each.name for each, has in zip(self.evidence.files, bounded, strict=True) if not has]
            listed = self.words.say("short.not_so", {"names": self.words.messages["between.parts"].join(names)})
            text = joined([text, listed], self.words)
        return self.fact(key, text, StatementKind.DERIVED, number)

    def declared(self, key: str, sentence: str, number: str = "") -> Fact:
        """Give what the user declared, or say that it is open.

        Args:
            key: of the heading.
            sentence: key of the declaration.
            number: of the heading.

        Returns:
            The statement.
        """
        said = self.evidence.declared.sentences.get(sentence)
        if said:
            return self.fact(key, self.words.original(said), StatementKind.DECLARED, number)
        return self.fact(key, self.words.say(f"open.{sentence}"), StatementKind.LAWYER, number)

    def files(self, key: str, number: str = "") -> Fact:
        """Say what kind of data the files are.

        Args:
            key: of the heading.
            number: of the heading.

        Returns:
            The statement.
        """
        kinds = dict.fromkeys(each.kind for each in self.evidence.files)
        texts = [self.words.say(f"data.{kind}") for kind in kinds]
        return self.fact(key, joined(texts, self.words), StatementKind.DERIVED, number)

    def counts(self, key: str, number: str = "") -> Fact:
        """Say how much the files hold.

        Args:
            key: of the heading.
            number: of the heading.

        Returns:
            The statement.
        """
        texts = []
        for each in self.evidence.files:
            counted = [
                self.words.say(f"count.{name}", {"count": f"{value:,}"})
                for name, value in each.counts.items()
                if f"count.{name}" in self.words.messages
            ]
            if counted:
                listed = Html(self.words.messages["between.items"].join(counted))
                texts.append(self.words.say("count.of_file", {"name": each.name, "counted": listed}))
        if not texts:
            return self.fact(key, self.words.say("count.none"), StatementKind.LAWYER, number)
        return self.fact(key, joined(texts, self.words), StatementKind.MEASURED, number)

    def epsilons(self, key: str, number: str = "") -> Fact:
        """Say what every file guarantees.

        Args:
            key: of the heading.
            number: of the heading.

        Returns:
            The statement.
        """
        texts, kind = [], StatementKind.DERIVED
        for each in self.evidence.files:
            if not each.holds:
                kind = StatementKind.UNVERIFIED
                texts.append(self.words.say("short.broken", {"name": each.name}))
            elif not has_guarantee(each) or each.guarantee is None:
                texts.append(self.words.say("short.exact", {"name": each.name}))
            else:
                unit = unit_words(each.guarantee, self.words)
                shown = {"name": each.name, "epsilon": bound(strongest(each.guarantee)[0]), "unit": unit,
                         "whole": bound(each.guarantee.whole_image_epsilon)}  # fmt: skip
                texts.append(self.words.say("short.epsilon", shown))
        return self.fact(key, joined(texts, self.words), kind, number)

    def attacks(self, key: str, number: str = "") -> Fact:
        """Say what attacks reached.

        Args:
            key: of the heading.
            number: of the heading.

        Returns:
            The statement.
        """
        found = self.evidence.attacks
        if not found:
            return self.fact(key, self.words.say("short.no_attack"), StatementKind.LAWYER, number)
        above = [each for each in found if each.verdict == "above"]
        kind = StatementKind.DECLARED if all(each.signed for each in found) else StatementKind.MEASURED
        text = self.words.say("short.attacks", {"all": len(found), "above": len(above)})
        worst = max((each for each in above if each.is_share), key=lambda each: each.value, default=None)
        if worst is not None:
            values = {"attack": worst.attack, "figure": figure_text(worst, self.words)}
            text = joined([text, self.words.say("short.worst", values)], self.words)
        return self.fact(key, text, kind, number)

    def ledgers(self, key: str, number: str = "") -> Fact:
        """Say what releases add up to.

        Args:
            key: of the heading.
            number: of the heading.

        Returns:
            The statement.
        """
        texts = []
        for each in self.evidence.budgets:
            values = {
                "name": each.name, "most": bound(each.most_spent), "epsilon": bound(each.epsilon),
                "charges": f"{each.charges:,}",
            } if not each.problems else {"name": each.name}  # fmt: skip
            texts.append(self.words.say("short.ledger_damaged" if each.problems else "short.ledger", values))
        if not texts:
            return self.fact(key, self.words.say("short.no_ledger"), StatementKind.LAWYER, number)
        return self.fact(key, joined(texts, self.words), StatementKind.MEASURED, number)

    def executors(self, key: str, number: str = "") -> Fact:
        """Say who saw images while features were computed.

        Args:
            key: of the heading.
            number: of the heading.

        Returns:
            The statement.
        """
        texts = list(self._executors())
        if not texts:
            return self.fact(key, self.words.say("short.no_executor"), StatementKind.LAWYER, number)
        return self.fact(key, joined(texts, self.words), StatementKind.DERIVED, number)

    def _executors(self) -> Iterator[Html]:
        names = dict.fromkeys(str(each.card["under"].get("class", "")) for each in self.evidence.files
                              if isinstance(each.card.get("under"), dict))  # fmt: skip
        for name in names:
            key = f"short.under.{name}"
            yield self.words.say(key if key in self.words.messages else "short.under.other", {"name": name})

    def roles(self, key: str, number: str = "") -> Fact:
        """Say who is responsible.

        Args:
            key: of the heading.
            number: of the heading.

        Returns:
            The statement.
        """
        given = self.evidence.declared.roles
        if not given:
            return self.fact(key, self.words.say("open.roles"), StatementKind.LAWYER, number)
        listed = [self.words.original(f"{role}: {who}") for role, who in given.items()]
        return self.fact(key, joined(listed, self.words), StatementKind.DECLARED, number)

"""The lines of a ledger file, the head that commits to them, and what both add up to.

A ledger is a text file of JSON lines. The first states the budget, each other one is a charge, and each holds the
SHA-256 of the line before it: see `privis.privacy.ledger.chain`.

Nothing here is secret from whoever may write the file: they can make another chain that fits. A head that is written
down elsewhere is what shows that (``privis ledger verify --head``).

Records are stored as HMAC-SHA256 under a salt that stands in the first line. The same record looks different in every
ledger and no table of hashes helps; but who has the file can try whether a name they think of is in it. Keep a ledger
as private as the list of its file names.

Evolution of the format: the first line names it, and lines that are written never change, as each is hashed into the
next. A ledger goes on in the format that it began in; this version makes ``FORMAT``, reads and goes on with
``FORMER_FORMAT``, too, and refuses all others. Whatever changes what a charge costs or which account it counts for
takes the next number.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from typing import Any

from privis.errors import BudgetError, ParameterError, Problem
from privis.privacy.guarantee import Guarantee
from privis.privacy.ledger.budget import Budget, BudgetUnit, Per, PrivacyCost, cost_of, noise_cost
from privis.privacy.ledger.chain import START, LedgerHead
from privis.privacy.ledger.composition import Account, Spent, sum_of
from privis.privacy.ledger.records import equals_of

FORMAT = "privis ledger 2"  # accounts of images are named by content; format 1 named them by path
FORMER_FORMAT = "privis ledger 1"
CORPUS = "corpus"  # the one account of a budget per corpus


Figures = tuple[str, str, float, float, float]
"""Unit, mechanism, scale, and the nominal epsilon and delta of a charge."""


@dataclass(frozen=True)
class Charge:
    """One line: a release of a record.

    ``record`` is hashed. ``unit``, ``mechanism``, ``nominal_epsilon`` and ``nominal_delta`` are what the release states
    about itself, ``guarantee`` digests that and its words; ``epsilon`` and ``delta`` are what it costs of this
    budget. ``scale`` is that of Laplace noise in grid steps, otherwise 0; ``time`` is UTC.
    """

    time: str
    record: str
    release: str
    unit: str
    mechanism: str
    scale: float
    nominal_epsilon: float
    nominal_delta: float
    epsilon: float
    delta: float
    guarantee: str

    @property
    def figures(self) -> Figures:
        """What must be equal where a release is charged again: figures, as sentences get better over the years."""
        return self.unit, self.mechanism, self.scale, self.nominal_epsilon, self.nominal_delta

    @property
    def cost(self) -> PrivacyCost:
        """What the charge adds to its account, in the budget's figures."""
        return noise_cost(self.mechanism, self.scale, self.epsilon, self.delta)


def figures_of(guarantee: Guarantee) -> Figures:
    """The figures that a charge of ``guarantee`` states."""
    epsilon, delta = float(guarantee.epsilon), float(guarantee.delta)
    scale = noise_cost(guarantee.mechanism, float(guarantee.scale), epsilon, delta).scale
    return guarantee.unit, guarantee.mechanism, scale, epsilon, delta


@lru_cache(maxsize=4096)
def guarantee_digest(guarantee: Guarantee) -> str:
    """SHA-256 of all fields of a guarantee but its promises: of what it says, not of what that rests on.

    Ledgers hold it: fields that come later are left out where they would change it.
    """
    values = asdict(guarantee)
    del values["promises"]
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def first_line(budget: Budget, salt: str, time: str) -> bytes:
    """Return the line that opens a ledger: format, time, salt and budget."""
    words = {**asdict(budget), "per": budget.per.value, "unit": budget.unit.value}
    return _line({"format": FORMAT, "time": time, "salt": salt, "budget": words})


def charge_line(charge: Charge, previous: str) -> bytes:
    """Give the line of ``charge`` after a line whose SHA-256 is ``previous``."""
    return _line({"previous": previous, **vars(charge)})


def _line(values: dict[str, Any]) -> bytes:
    return json.dumps(values, allow_nan=False).encode() + b"\n"


def read_first_line(line: bytes) -> tuple[Budget, str, bool]:
    """Return budget, salt, and whether images may have former names; raises ``ValueError`` for anything else."""
    try:
        values = json.loads(line)
        words = values["budget"]
        budget = Budget(words["epsilon"], words["delta"], Per(words["per"]), BudgetUnit(words["unit"]))
        if values["format"] not in (FORMAT, FORMER_FORMAT):
            raise ValueError(f"format {values['format']!r}")
        return budget, str(values["salt"]), values["format"] == FORMER_FORMAT
    except (KeyError, TypeError, ParameterError, UnicodeDecodeError) as error:
        raise ValueError("no first line of a ledger") from error


@dataclass(eq=False)
class Books:
    """What the lines of one ledger add up to, as far as they were read; ``head`` says how far that is."""

    budget: Budget
    salt: str
    head: LedgerHead
    accounts: dict[str, Account] = field(default_factory=dict)
    releases: dict[str, tuple[Figures, set[str]]] = field(default_factory=dict)  # by id: what it states, and records
    former_names: bool = False

    @classmethod
    def opened(cls, line: bytes) -> Books:
        """Open the books with a ledger's first line; raises ``ValueError`` when it is none."""
        budget, salt, former_names = read_first_line(line)
        return cls(budget, salt, START.after(line), former_names=former_names)

    def hashed(self, record: str) -> str:
        """Give the name that ``record`` has in this ledger."""
        return hmac.digest(self.salt.encode(), record.encode("utf-8", "surrogatepass"), hashlib.sha256).hex()

    def account(self, hashed: str, formerly: Sequence[str] = ()) -> Account:
        """Give what charges of a record, under this and ``formerly`` other names, add up to; empty before the first."""
        own = self.accounts.get(self._name(hashed)) or Account()
        if not self.former_names or self.budget.per is not Per.SUBJECT:
            return own
        former = [account for name in formerly for account in self._formerly(name)]
        return sum_of([own, *former]) if former else own

    def _formerly(self, name: str) -> Iterator[Account]:
        """The accounts of a former name; equal images of one call had numbered ones."""
        numbered = equals_of(name)
        names = (numbered.format(number) for number in itertools.count(1)) if numbered else iter([name])
        yield from itertools.takewhile(bool, (self.accounts.get(self.hashed(each)) for each in names))

    @property
    def records(self) -> int:
        """How many records have charges."""
        return len(set[str]().union(*(records for _, records in self.releases.values())))

    def overspent(self) -> list[str]:
        """Sentences about accounts that have spent more than the budget."""
        most = self.budget.epsilon * (1 + 1e-6)
        spent = ((name, account.spent(self.budget).epsilon) for name, account in self.accounts.items())
        return [f"account {name[:16]} has spent more than the budget" for name, epsilon in spent if epsilon > most]

    def worst(self, most: int) -> list[tuple[str, Spent]]:
        """Give the ``most`` accounts that spent most: name and what it spent, most first."""
        rough = {name: account.spent(self.budget, precise=False) for name, account in self.accounts.items()}
        names = sorted(rough, key=lambda name: -rough[name].epsilon)[:most]
        return [(name, self.accounts[name].spent(self.budget)) for name in names]

    def _name(self, hashed: str) -> str:
        return hashed if self.budget.per is Per.SUBJECT else CORPUS

    def read(self, line: bytes) -> tuple[Charge, list[str]]:
        """Add a line and return its charge, with all that is wrong with it; raises ``ValueError`` when it is none."""
        digest, self.head = self.head.digest, self.head.after(line)
        previous, charge, wrong = self.counted(line)
        return charge, ([] if previous == digest else ["does not follow the line before it"]) + wrong

    def counted(self, line: bytes) -> tuple[str, Charge, list[str]]:
        """Add the charge of a line, wherever in the chain it stands.

        Args:
            line: of the ledger.

        Returns:
            SHA-256 of the line before it, as it says, its charge, and what is wrong with that.

        Raises:
            ValueError: it is no charge.
        """
        try:
            values = json.loads(line)
            previous = values.pop("previous")
            charge = Charge(**values)
            return previous, charge, self.add(charge)
        except (KeyError, TypeError, AttributeError, ArithmeticError, UnicodeDecodeError) as error:
            raise ValueError("not a charge") from error

    def add(self, charge: Charge) -> list[str]:
        """Add a charge; return what is wrong with it."""
        cost = charge.cost
        known, records = self.releases.setdefault(charge.release, (charge.figures, set()))
        self.accounts.setdefault(self._name(charge.record), Account()).add(cost)
        wrong = []
        if known != charge.figures:
            wrong.append("charges a release again with another guarantee")
        elif charge.record in records:
            wrong.append("charges a release of a record a second time")
        records.add(charge.record)
        return wrong

    def decided(
        self, record: str, guarantee: Guarantee, release_id: str, formerly: Sequence[str], time: str
    ) -> Charge | None:
        """Decide about a release: what every ledger charges, for the same reasons.

        Args:
            record: as of `privis.privacy.ledger.ledger_protocol.Ledger.charge`.
            guarantee: what the release costs.
            release_id: names the release.
            formerly: earlier names of the record.
            time: UTC, for the line.

        Returns:
            The charge to be written; None: the release was charged before, and is free.

        Raises:
            BudgetError: it is not within the budget, or was charged with another guarantee.
        """
        figures, hashed = figures_of(guarantee), self.hashed(record)
        if self.released(hashed, release_id, figures):
            return None
        cost = cost_of(guarantee, self.budget)
        account = self.account(hashed, formerly)
        if not account.fits(cost, self.budget):
            raise BudgetError(_refusal(record, account, cost, self.budget))
        return Charge(time, hashed, release_id, *figures, cost.epsilon, cost.delta, guarantee_digest(guarantee))

    def released(self, hashed: str, release_id: str, figures: Figures) -> bool:
        """Say whether the release was charged before; raises ``BudgetError`` if it was with another guarantee."""
        known, records = self.releases.get(release_id, (figures, set()))
        if known != figures:
            remedy = "a release_id names one release for ever: derive it from everything that decides the release"
            got = f"release {release_id[:16]} with another guarantee than it was charged with"
            raise BudgetError(Problem("ledger", got, "the same guarantee", remedy))
        return hashed in records


def _refusal(record: str, account: Account, cost: PrivacyCost, budget: Budget) -> Problem:
    """Say why ``cost`` cannot be charged to the account of ``record``, and what is left."""
    spent = account.spent(budget)
    left = max(0.0, budget.epsilon - spent.epsilon)
    who = {BudgetUnit.IMAGE: record, BudgetUnit.PERSON: "ledger, one person", BudgetUnit.DATASET: "ledger, the corpus"}
    where = who[budget.unit] if budget.per is Per.SUBJECT else "ledger, the corpus"
    got = (
        f"{spent.charges} releases that spent epsilon {spent.epsilon:.4g} of {budget.epsilon:.4g} "
        f"(delta {budget.delta:.1e}, {spent.bound}), and one more of epsilon {cost.epsilon:.4g}, delta {cost.delta:.1e}"
    )
    remedy = (
        "a smaller epsilon may fit, and repeating an earlier release with its key is free; what was released cannot be "
        "taken back"
    )
    return Problem(where, got, f"at most about epsilon {left:.4g} more", remedy)

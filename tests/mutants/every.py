"""All of them, in the order of the promises."""

from __future__ import annotations

from tests.mutants import Mutant
from tests.mutants.charges import CHARGES
from tests.mutants.identity import IDENTITY
from tests.mutants.jobs import JOBS
from tests.mutants.people import PEOPLE
from tests.mutants.server import SERVER
from tests.mutants.stated import STATED
from tests.mutants.training import TRAINING
from tests.mutants.vectors import VECTORS

MUTANTS: tuple[Mutant, ...] = tuple(
    sorted(
        (*IDENTITY, *TRAINING, *PEOPLE, *JOBS, *STATED, *CHARGES, *SERVER, *VECTORS),
        key=lambda mutant: mutant.number,
    )
)

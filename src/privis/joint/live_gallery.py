"""A gallery on running parties: enrol once, ask many times.

>>> import numpy as np
>>> from privis.tasks import Best, Claim, VectorGrid
>>> from privis.joint.gallery import Gallery
>>> from privis.joint.runners import InTheClear
>>> rng = np.random.default_rng(0)
>>> faces = rng.standard_normal((6, 8))
>>> with LiveGallery(Gallery(VectorGrid(8, 100)), InTheClear()) as gallery:
...     gallery.enrol("north", ["ann", "bob", "cy"], faces[:3])
...     gallery.enrol("south", ["dan", "eve", "flo"], faces[3:])
...     asked = gallery.ask(Best(threshold=0.9), faces[[4, 1]] + 0.01, owner="clinic", receivers=["clinic"])
...     claimed = gallery.ask(Claim(0.9), faces[[4]] + 0.01, owner="clinic", receivers=["clinic"], claims=["eve"])
...     gallery.remove(["eve"])
...     again = gallery.ask(Best(threshold=0.9), faces[[4]] + 0.01, owner="clinic", receivers=["clinic"])
>>> asked.names, again.names, claimed.matches.found.tolist()
((('eve',), ('bob',)), ((None,),), [True])
>>> print(again.revealed)
clinic learns of each query the index of the most similar if that reaches 0.9, else that none does; nobody learns \
anything else of queries and templates.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from numpy.typing import NDArray

from privis.errors import ParameterError, Problem, refuse
from privis.joint.answer_counts import GalleryAnswers, answer_count
from privis.joint.gallery import ANSWER, FIXED, QUERY, ROWS, Answer, Gallery
from privis.joint.runners import Runner
from privis.run.mpc.job import Job
from privis.tasks.questions import Question

if TYPE_CHECKING:
    from privis.run.mpc.runtime.local_parties import LocalParties

Progress = Callable[[int, int], None]


class LiveGallery:
    """A `Gallery` on running parties, for one thread: the gallery changes with every enrolment and removal.

    As a context manager without ``run`` it starts the parties on this machine and ends them.

    Args:
        gallery: the gallery to begin with.
        run: ``LocalParties.run`` or another runner of jobs; None: parties on this machine, for as long as the ``with``
            block lasts.
        answers: counts answers for the owner of the queries and every receiver, and refuses what goes beyond their
            limits before anything is shared; None: nobody counts.
    """

    def __init__(self, gallery: Gallery, run: Runner | None = None, answers: GalleryAnswers | None = None) -> None:
        self.gallery, self.answers = gallery, answers
        self._run = run
        self._parties: LocalParties | None = None

    def __enter__(self) -> Self:
        if self._run is None:
            from privis.run.mpc.runtime.local_parties import LocalParties

            self._parties = LocalParties(self.gallery.committee.preset, FIXED)
            self._run = self._parties.run
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._parties is not None:
            self._parties.__exit__(kind, error, trace)

    @property
    def parties(self) -> LocalParties | None:
        """The parties that this gallery started, while they run; they know what was sent."""
        return self._parties

    def enrol(
        self,
        owner: str,
        names: Sequence[str],
        vectors: NDArray[Any],
        progress: Progress | None = None,
        payloads: NDArray[Any] | None = None,
    ) -> None:
        """Add templates of one owner, normalised; the gallery may outgrow the capacity of its grid.

        A failure in between leaves the blocks that were shared before it.

        Args:
            owner: whose templates they are.
            names: one per vector, all of them new.
            vectors: (rows, dimension), finite and not zero.
            progress: called with how many templates are shared, and how many there are.
            payloads: whole numbers (rows, width), one row per vector, of a gallery with a payload; else None.

        Raises:
            ParameterError: as `Gallery.enrolment`, `VectorGrid.unit_vectors` and `PayloadFormat.checked`; names and
                vectors are not as many; or payloads where the gallery has none, or none where it has.
        """
        form = self.gallery.payload
        problems = []
        if len(names) != len(vectors):
            problems.append(Problem("names", f"{len(names)} for {len(vectors)} vectors", "one each"))
        if (form is None) != (payloads is None):
            got = "none" if payloads is None else "payloads"
            problems.append(Problem("payloads", got, "one row per vector" if form else "none: the gallery has none"))
        refuse(ParameterError, problems)
        carried = None if form is None or payloads is None else form.checked(payloads, len(names))
        for start in range(0, len(names), ROWS):
            chosen = slice(start, start + ROWS)
            job, after = self.gallery.enrolment(owner, names[chosen])
            lots = [self.gallery.grid.unit_vectors(vectors[chosen]), *([] if carried is None else [carried[chosen]])]
            self._do(job, dict(zip(job.sources, lots, strict=True)))
            self.gallery = after
            if progress:
                progress(min(start + ROWS, len(names)), len(names))

    def remove(self, names: Sequence[str]) -> None:
        """Erase templates; the parties rewrite the shares of the others.

        Args:
            names: of the templates.

        Raises:
            ParameterError: as `Gallery.removal`.
        """
        job, after = self.gallery.removal(names)
        self._do(job, {})
        self.gallery = after

    def ask(
        self,
        question: Question,
        queries: NDArray[Any],
        owner: str,
        receivers: Sequence[str],
        claims: Sequence[str] = (),
    ) -> Answer:
        """Compare query vectors with all templates, or with those that they claim.

        Args:
            question: what is asked of each query.
            queries: (rows, dimension), finite and not zero.
            owner: whose vectors they are.
            receivers: names of those who learn the result.
            claims: for the question `Claim`, the name of the template that each query claims, public to all parties.

        Returns:
            Matches by name, and a sentence that says who learned what.

        Raises:
            ParameterError: as `VectorGrid.unit_vectors` and `Gallery.query`, or a claimed name is not enrolled.
            AnswerLimitError: who asks or learns the answer may get no more of them; nothing was charged or computed.
        """
        places = {name: row for row, name in enumerate(self.gallery.names)} if claims else {}
        unknown = sum(name not in places for name in claims)
        if unknown:
            raise ParameterError(Problem("claims", f"{unknown} that are not here", "names of enrolled templates"))
        rows = self.gallery.grid.unit_vectors(queries)
        job = self.gallery.query(question, len(rows), owner, receivers, [places[name] for name in claims])
        limits = ""
        if self.answers is not None:
            asked = answer_count(question, len(rows), claims)
            limits = self.answers.charge(asked, self.gallery.grid.dimension, [owner, *receivers])
        revealed = self._do(job, {QUERY: rows})
        answer = self.gallery.answer(question, revealed[ANSWER], receivers)
        return replace(answer, revealed=f"{answer.revealed} {limits}") if limits else answer

    def _do(self, job: Job, arrays: dict[str, NDArray[Any]]) -> Any:
        if self._run is None:
            raise ParameterError(Problem("LiveGallery", "no parties", "a with statement, or run=", "see its docstring"))
        return self._run(job, arrays)

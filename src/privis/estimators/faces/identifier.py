"""``Identifier``: who somebody is, among the people of a gallery, at a stated false-match rate of each comparison."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from privis.errors import ParameterError, Problem
from privis.estimators.faces.face_comparison import FaceComparison, Verification
from privis.extraction.faces.face_templates import RefusedFace
from privis.extraction.images import image_record, label_of, listed_images
from privis.io.face_gallery import FaceGallery
from privis.subjects import subject_ids, warn_of_alike
from privis.tasks.matches import Decision, Matches


@dataclass(frozen=True)
class Identification:
    """Who somebody is.

    Args:
        subjects: people that match, the most similar first where the comparison tells; empty: nobody.
        undecided: whether an approximate comparison was too near to the threshold to tell, or more people match than an
            answer holds.
        fmr: the false-match rate of each comparison, that the threshold was chosen by.
        people: how many were compared with: somebody who is none of them matches one with a probability of at most
            ``fmr * people``.
        why: the reason, where it is undecided; else empty.
    """

    subjects: tuple[str, ...]
    undecided: bool
    fmr: float
    people: int
    why: str = ""

    @property
    def subject(self) -> str | None:
        """The person, or None."""
        return self.subjects[0] if self.subjects else None


@dataclass(frozen=True, eq=False)
class EnrolmentImages:
    """Pictures that are ready to be enrolled: what takes time, before any gallery is held.

    Args:
        subjects: whose each usable picture is.
        records: id of each, of its pixels.
        vectors: (usable pictures, components) of length 1.
        places: (usable pictures,) number of each among those that were given.
        refused: why, by the number of each other picture.
    """

    subjects: tuple[str, ...]
    records: tuple[str, ...]
    vectors: NDArray[np.float32] = field(repr=False)
    places: NDArray[np.int64] = field(repr=False)
    refused: dict[int, RefusedFace]


@dataclass(frozen=True, eq=False)
class EnrolledImages:
    """What an enrolment did.

    Args:
        gallery: after it.
        subjects: people with a picture that counts, each once, in the order of the pictures.
        images: pictures that count.
        new: those of them that were not there before.
        refused: why, by the number of each other picture.
    """

    gallery: FaceGallery
    subjects: tuple[str, ...]
    images: int
    new: int
    refused: dict[int, RefusedFace]


@dataclass(frozen=True, eq=False)
class Identifier(FaceComparison):
    """Enrol people and say who somebody is, one against many.

    Guarantee: of two people who are drawn as those of the calibration table, one matches the other's template with at
    most the stated rate, with confidence 95 %, for pairs that are independent; somebody who is not enrolled therefore
    matches anybody of N people with a probability of at most N times that.

    Args:
        extractor: makes templates of pictures, at their owner.
        fmr: the false-match rate of one comparison, in (0, 1).
        calibration: public impostor scores of the extractor's embedding; None: the table that comes with Privis.
        matcher: who compares templates.
        transform: what vectors go through before they are stored or compared; None: nothing.
        release: how stored templates are released; None: they are exact.

    Raises:
        ParameterError: naming everything that does not fit.
    """

    def empty_gallery(self) -> FaceGallery:
        """Begin a gallery.

        Returns:
            A gallery of nobody, bound to the embedding and the transform.
        """
        if self.transform is None:
            return FaceGallery(self.embedding, self.network)
        plain = self.extractor.embedding_identity, self.plain_network
        return FaceGallery(self.embedding, self.network, protection=self.transform.protection(*plain))

    def prepared(
        self,
        images: Iterable[Any],
        subjects: Sequence[Any],
        on_progress: Callable[[float], None] = lambda share: None,
    ) -> EnrolmentImages:
        """Make the templates of pictures that are to be enrolled.

        Args:
            images: paths, PIL images or uint8 arrays (H, W) or (H, W, 3) RGB, one person in each.
            subjects: whose each is, by the rules of `privis.subjects`.
            on_progress: is told the share that is done, in (0, 1].

        Returns:
            Templates, and why other pictures have none. A picture that was given for two people is refused for both.

        Raises:
            ParameterError: no images, another number of subjects, or subjects that are no ids.

        Warns:
            SubjectWarning: ids that may be one person's.
        """
        listed = listed_images(images)
        ids = subject_ids(subjects)
        if len(ids) != len(listed):
            raise ParameterError(Problem("subjects", f"{len(ids)} ids", f"{len(listed)}, one for each image"))
        warn_of_alike(ids)
        found = self.vectors(listed, on_progress)
        records = {int(place): image_record(listed[place]) for place in found.places}
        owners: dict[str, set[str]] = {}
        for place, record in records.items():
            owners.setdefault(record, set()).add(ids[place])
        refused = dict(found.refused)
        for place, record in records.items():
            if len(owners[record]) > 1:
                others = " and ".join(repr(each) for each in sorted(owners[record]))
                remedy = "give it to the person that it shows"
                problem = Problem(label_of(place, listed[place]), f"the same image of {others}", "one person", remedy)
                refused[place] = RefusedFace((), (problem,))
        rows = [row for row, place in enumerate(found.places) if int(place) not in refused]
        places = found.places[rows]
        kept = tuple(ids[place] for place in places)
        return EnrolmentImages(kept, tuple(records[int(p)] for p in places), found.rows[rows], places, refused)

    def enrolled(
        self,
        gallery: FaceGallery | None,
        prepared: EnrolmentImages,
        *,
        today: date | None = None,
        retain_until: date | None = None,
        where: str = "gallery",
    ) -> EnrolledImages:
        """Put prepared pictures into a gallery: all that can be, or nothing where an error is raised.

        Args:
            gallery: as it is; None: there is none yet.
            prepared: what `prepared` gave.
            today: day of the enrolment; None: this one.
            retain_until: last day on which the templates may be used; None: as it was, without a date for new people.
            where: what messages call the gallery.

        Returns:
            The gallery after it, and what was refused because the same image is another person's already, or because
            the person's template is released.

        Raises:
            ParameterError: a gallery of another network, transform or release, or more people than it may hold.
        """
        before = self.empty_gallery() if gallery is None else gallery
        before.require_embedding(self.embedding, self.network, where)
        refused, kept = dict(prepared.refused), []
        known = prepared.records
        if self.transform is not None and self.release is None:  # a release charges by the ids, and stores none
            known = tuple(self.transform.record(record) for record in known)
        if self.release is not None and before.people:
            self.release.require(before, where)
        drawn = frozenset(before.subjects if self.release is not None else ())  # never drawn again in silence
        for row, why in enumerate(before.conflicts(prepared.subjects, known)):
            place, subject = int(prepared.places[row]), prepared.subjects[row]
            if why:
                problem = Problem(f"images[{place}]", why, "one person", "give it to the person that it shows")
            elif subject in drawn:
                got = f"a picture of {subject!r}, whose template is released already"
                remedy = "leave it out; other pictures of the person are another release, with another charge"
                problem = Problem(f"images[{place}]", got, "one of somebody new", remedy)
            else:
                kept.append(row)
                continue
            refused[place] = RefusedFace((), (problem,))
        subjects = [prepared.subjects[row] for row in kept]
        records = [known[row] for row in kept]
        if not kept:
            return EnrolledImages(before, (), 0, 0, refused)
        warn_of_alike([*before.subjects, *subjects], where)
        stored = {(person.subject, record) for person in before.people for record in person.records}
        new = set(zip(subjects, records, strict=True)) - stored
        day = date.today() if today is None else today
        rows = prepared.vectors[kept]
        if self.release is None:
            after = before.with_images(subjects, records, rows, day, retain_until)
        else:
            after = self.release.enrolled(before, subjects, records, rows, day, retain_until)
        return EnrolledImages(after, tuple(dict.fromkeys(subjects)), len(set(records)), len(new), refused)

    def identify(
        self,
        gallery: FaceGallery,
        probes: Iterable[Any],
        *,
        count: int = 1,
        today: date | None = None,
        where: str = "gallery",
        on_progress: Callable[[float], None] = lambda share: None,
    ) -> list[Identification | RefusedFace]:
        """Say who is on each picture.

        Args:
            gallery: people who are known; those whose date of retention has passed do not count.
            probes: paths, PIL images or uint8 arrays (H, W) or (H, W, 3) RGB, one person in each.
            count: most people that an answer names.
            today: the day; None: this one.
            where: what messages call the gallery.
            on_progress: is told the share of the pictures that have a template, in (0, 1].

        Returns:
            For each picture who it is, or why it has no template, in order.

        Raises:
            ParameterError: no probes, an empty gallery, one of another network, transform or release, or a rate that
                the calibration does not support.
            UnsupportedError: the executor cannot run the embedder.
        """
        usable = self._usable(gallery, today, where)
        templates = usable.templates
        threshold, gap = self.threshold(templates.shape[1], len(templates))
        found = self.vectors(probes, on_progress)
        answers: dict[int, Identification | RefusedFace] = dict(found.refused)
        if len(found.rows):
            question = self.matcher.identification(count, threshold, gap)
            with self.matcher.holding(templates) as held:
                matches = held.ask(question, found.rows)
            for row, place in enumerate(found.places):
                answers[int(place)] = self._answer(matches, row, usable.subjects, count)
        return [answers[place] for place in sorted(answers)]

    def verify(
        self,
        gallery: FaceGallery,
        subject: Any,
        probe: Any,
        *,
        score: bool = False,
        today: date | None = None,
        where: str = "gallery",
    ) -> Verification:
        """Tell whether a picture shows the person of a gallery whom it is said to show.

        Args:
            gallery: people who are known.
            subject: id of the person, by the rules of `privis.subjects`.
            probe: a path, a PIL image or a uint8 array (H, W) or (H, W, 3) RGB.
            score: whether the cosine is revealed, too.
            today: the day; None: this one.
            where: what messages call the gallery.

        Returns:
            The answer.

        Raises:
            ImageError: the picture cannot be read, or has no face that is good enough.
            ParameterError: nobody of that id may be recognised, a gallery of another network, transform or release, or
                a rate that the calibration does not support.
            UnsupportedError: the executor cannot run the embedder.
        """
        (name,) = subject_ids([subject])
        usable = self._usable(gallery, today, where)
        if name not in usable.subjects:
            got = "one whose retention has ended" if name in gallery.subjects else "nobody"
            remedy = "privis face list says who is there"
            raise ParameterError(Problem(f"subject {name!r}", got, f"a person of {where}", remedy))
        template = usable.templates[[usable.subjects.index(name)]]
        found = self.vectors([probe])
        if found.refused:
            raise found.refused[0].error
        return self.compared(template, found.rows, score)

    def _usable(self, gallery: FaceGallery, today: date | None, where: str) -> FaceGallery:
        """People who may be recognised, if their templates are those of this comparison."""
        gallery.require_embedding(self.embedding, self.network, where)
        usable = gallery.usable(date.today() if today is None else today)
        if not usable.people:
            got = "nobody" if not gallery.people else f"{len(gallery.people)} people whose retention has ended"
            remedy = "enrol people with privis face enrol"
            raise ParameterError(Problem(where, got, "at least one person who may be recognised", remedy))
        if usable.guarantee is not None and self.release is None:
            remedy = "name the release that its templates were made with, as in --release privunit --epsilon 16"
            raise ParameterError(Problem(where, "released templates", "exact ones", remedy))
        if self.release is not None:
            self.release.require(usable, where)
        return usable

    def _answer(self, matches: Matches, row: int, subjects: Sequence[str], count: int) -> Identification:
        assert matches.indices is not None
        why = undecided_because(matches, row)
        named = () if why else tuple(subjects[index] for index in matches.indices[row] if index >= 0)
        return Identification(named[:count], bool(why), float(self.fmr), len(subjects), why)


def undecided_because(matches: Matches, row: int) -> str:
    """Say why an answer is undecided.

    Args:
        matches: answers to a question about who somebody is.
        row: of the probe.

    Returns:
        The reason in words; empty where the answer is decided.
    """
    assert matches.decisions is not None
    if int(matches.decisions[row]) != Decision.UNDECIDED:
        return ""
    count, most = 0 if matches.counts is None else int(matches.counts[row]), getattr(matches.question, "most", None)
    if count <= 0:
        return "somebody is too near to the threshold to tell"
    many = f"{count} people match" if most is None else f"more than {most} people match"
    return f"{many}, and encrypted decisions do not tell who is most similar"

"""Privacy units: which change of an image a release hides.

Every unit says how many ``images`` share the epsilon that is stated for it, and whether it ``needs_subjects``: whether
somebody has to say whose image each is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from privis.errors import ParameterError, refuse
from privis.identity import LATER
from privis.validation import whole_number


@dataclass(frozen=True)
class WholeImage:
    """Hide everything in the image but its dimensions (the default, and the strongest unit).

    >>> WholeImage().relation
    'one whole image replaced by any other of the same dimensions'
    """

    identifier: ClassVar[str] = "privis.whole-image/1"
    images: ClassVar[int] = 1
    needs_subjects: ClassVar[bool] = False

    @property
    def relation(self) -> str:
        """The neighbouring relation in words: which images a release cannot tell apart."""
        return "one whole image replaced by any other of the same dimensions"


@dataclass(frozen=True)
class Pixels:
    """Hide any change of at most ``count`` pixels, wherever they lie (a pixel is all channels of one
    position).

    Source: Fan, "Image pixelization with differential privacy", doi:10.1007/978-3-319-95729-6_10.

    Args:
        count: how many pixels, at least 1.

    Raises:
        ParameterError: the count is no such integer.

    >>> Pixels(16).relation
    'images that differ in at most 16 pixels'
    """

    identifier: ClassVar[str] = "privis.pixels/1"
    images: ClassVar[int] = 1
    needs_subjects: ClassVar[bool] = False

    count: int

    def __post_init__(self) -> None:
        refuse(ParameterError, whole_number("Pixels.count", self.count))
        object.__setattr__(self, "count", int(self.count))  # numpy's integers may overflow, Python's may not

    @property
    def relation(self) -> str:
        """The neighbouring relation in words: which images a release cannot tell apart."""
        return f"images that differ in at most {self.count} pixel{'s' if self.count > 1 else ''}"


@dataclass(frozen=True)
class Patch:
    """Hide any change inside one aligned patch of ``side`` x ``side`` pixels; the image is pixelised to such
    patches.

    Args:
        side: of the patch in pixels, at least 1.

    Raises:
        ParameterError: the side is no such integer.

    >>> Patch(4).relation
    'images that differ inside one aligned patch of 4 x 4 pixels'
    """

    identifier: ClassVar[str] = "privis.patch/1"
    images: ClassVar[int] = 1
    needs_subjects: ClassVar[bool] = False

    side: int

    def __post_init__(self) -> None:
        refuse(ParameterError, whole_number("Patch.side", self.side))
        object.__setattr__(self, "side", int(self.side))

    @property
    def relation(self) -> str:
        """The neighbouring relation in words: which images a release cannot tell apart."""
        return f"images that differ inside one aligned patch of {self.side} x {self.side} pixels"


@dataclass(frozen=True)
class Person:
    """Hide all images of one person, who may be in at most ``images`` of them; the epsilon that is stated is
    the person's.

    Every image is protected so much better that all of them together keep it (the releases say how). Who is in which
    image, and that nobody is in more of them, is for whoever runs the release over a corpus to know and to enforce.

    Args:
        images: of one person, at most; at least 1.

    Raises:
        ParameterError: the number is no such integer.

    >>> Person(5).relation
    'all of at most 5 images of one person replaced by any others of the same dimensions'
    """

    identifier: ClassVar[str] = "privis.person/1"
    needs_subjects: ClassVar[bool] = True

    images: int

    def __post_init__(self) -> None:
        refuse(ParameterError, whole_number("Person.images", self.images))
        object.__setattr__(self, "images", int(self.images))

    @property
    def relation(self) -> str:
        """The neighbouring relation in words: which images a release cannot tell apart."""
        most = "the one image" if self.images == 1 else f"all of at most {self.images} images"
        return f"{most} of one person replaced by any others of the same dimensions"


@dataclass(frozen=True)
class Dataset:
    """Hide whether an image is in the corpus at all: for results that are computed from many images.

    >>> Dataset().relation
    'corpora of which one holds one image more than the other'
    """

    identifier: ClassVar[str] = "privis.dataset/1"
    images: ClassVar[int] = 1
    needs_subjects: ClassVar[bool] = False

    @property
    def relation(self) -> str:
        """The neighbouring relation in words: which images a release cannot tell apart."""
        return "corpora of which one holds one image more than the other"


@dataclass(frozen=True)
class AddOrRemovePerson:
    """Hide whether one person, with up to ``images`` images, is in the corpus at all: for results that are computed
    from many images.

    Also called unbounded or add-or-remove adjacency, at the level of users. `Person` compares a corpus with one in
    which the person's images are others: that is one person removed and one added, two steps of this relation, so that
    sums and counts need half the noise here, and a person who is replaced is hidden at twice the epsilon.

    Args:
        images: of one person that count, at most; at least 1.

    Raises:
        ParameterError: the number is no such integer.

    >>> AddOrRemovePerson(5).relation
    'corpora of which one holds all images of one person more than the other, of which at most 5 count'
    """

    identifier: ClassVar[str] = "privis.add-or-remove-person/1"
    needs_subjects: ClassVar[bool] = True

    images: int

    def __post_init__(self) -> None:
        refuse(ParameterError, whole_number("AddOrRemovePerson.images", self.images))
        object.__setattr__(self, "images", int(self.images))

    @property
    def relation(self) -> str:
        """The neighbouring relation in words: which corpora a release cannot tell apart."""
        counted = f"of which at most {self.images} count"
        return f"corpora of which one holds all images of one person more than the other, {counted}"


@dataclass(frozen=True)
class PersonDay:
    """Hide everything of one person on one day, of which at most ``windows`` windows of time count: for counts over
    cameras.

    Also called user-day privacy, with bounded contributions: Aktay et al., arXiv:2004.04145. Two neighbouring days
    differ in one person who is there or not (add-or-remove), wherever and whenever they are seen. Days are released one
    by one, and what is released of several adds up. Where who is seen is known by the tracks of cameras alone, one
    person is several ids: a track that breaks off goes on under another id, and two cameras do not know each other's.

    Args:
        windows: of one id that count, at most; at least 1.
        ids: that one person has on the day, at all cameras together, at most; at least 1.

    Raises:
        ParameterError: a number is no such integer.

    >>> PersonDay(4).relation
    'days of which one holds everything of one person more than the other, of which at most 4 windows count'
    >>> PersonDay(4, ids=3)
    PersonDay(windows=4, ids=3)
    """

    identifier: ClassVar[str] = "privis.person-day/1"
    images: ClassVar[int] = 1
    needs_subjects: ClassVar[bool] = True

    windows: int
    ids: int = field(default=1, metadata=LATER)

    def __post_init__(self) -> None:
        refuse(
            ParameterError, whole_number("PersonDay.windows", self.windows) + whole_number("PersonDay.ids", self.ids)
        )
        object.__setattr__(self, "windows", int(self.windows))
        object.__setattr__(self, "ids", int(self.ids))

    def __repr__(self) -> str:
        # Noise streams name a release by its text, which stays what it was before people had several ids.
        return f"PersonDay(windows={self.windows}{'' if self.ids == 1 else f', ids={self.ids}'})"

    @property
    def relation(self) -> str:
        """The neighbouring relation in words: which days a release cannot tell apart."""
        whose = "" if self.ids == 1 else f" of each of their at most {self.ids} ids"
        counted = f"of which at most {self.windows} windows{whose} count"
        return f"days of which one holds everything of one person more than the other, {counted}"


@dataclass(frozen=True)
class Enrolment:
    """Hide all enrolled images of one person at once, as many as they are: for one vector that is a public function of
    all of them.

    `privis.release` takes the mean of a person's vectors and releases it once. Two neighbours differ in all images of
    one person, so this person's mean may be any vector instead of any other, and the vectors of everybody else stay.
    That is what every release of one vector bounds for `WholeImage`: nothing has to be shared among the images, and
    the epsilon is the person's. One image of them, replaced alone, is a special case. Enrolling other images of the
    same person is another release, with another charge.

    >>> Enrolment().relation
    'all enrolled images of one person, as many as they are, replaced by any others, more or fewer'
    """

    identifier: ClassVar[str] = "privis.enrolment/1"
    images: ClassVar[int] = 1
    needs_subjects: ClassVar[bool] = True

    @property
    def relation(self) -> str:
        """The neighbouring relation in words: which images a release cannot tell apart."""
        return "all enrolled images of one person, as many as they are, replaced by any others, more or fewer"


@dataclass(frozen=True)
class Metric:
    """Hide differences in proportion to how small they are: epsilon is per unit of distance between features.

    Also called d_X-privacy: Chatzikokolakis et al., doi:10.1007/978-3-642-39077-7_5.

    >>> Metric().relation
    'images whose features, brought to length 1, are at Euclidean distance d'
    """

    identifier: ClassVar[str] = "privis.metric/1"
    images: ClassVar[int] = 1
    needs_subjects: ClassVar[bool] = False

    @property
    def relation(self) -> str:
        """The relation, in words; epsilon times d is what holds for it."""
        return "images whose features, brought to length 1, are at Euclidean distance d"


Unit = WholeImage | Pixels | Patch | Person | AddOrRemovePerson | PersonDay | Enrolment | Dataset | Metric


def one_of(images: int) -> str:
    """Say that what a reason calls epsilon or concentration is one image's share of what is stated, where it is."""
    return "" if images == 1 else f"; each image has one of {images} shares of it"

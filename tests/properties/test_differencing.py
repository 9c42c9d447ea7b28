"""Differencing: two releases either have nothing in common that is random, or are one release with one charge.

Every block of random words is known by the secret of the stream it was taken from: streams of different secrets are
independent, equal ones give equal words. So the test needs no statistics: it collects the secrets that noise was drawn
from over some hundred pairs of configurations, and no secret may serve two releases.
"""

import itertools
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import ClassVar

import numpy as np
import pytest

import privis
from privis.features.feature import numbered
from privis.features.image_ops import grey, resize
from privis.privacy.ledger.records import record_of_pixels
from privis.privacy.sampling.release_key import NoiseStream
from privis.program import Input, trace

PAIRS = 600


@dataclass(frozen=True, eq=False)
class Mapped:
    """A feature of an author, as in the guide, with a public matrix."""

    matrix: np.ndarray
    factor: float = 1.0
    size: tuple[int, int] | None = (16, 16)
    name: ClassVar[str] = "mapped"
    luma_only: ClassVar[bool] = True

    def before(self, image):
        return grey(resize(image, self.size))

    def program(self, shape):
        return trace(lambda x: x.reshape(256) * (1 / 255), Input(shape))

    def after(self, values):
        return (self.matrix @ np.asarray(values, np.float64)).astype(np.float32)

    def names(self, shape):
        return numbered(self.name, (len(self.matrix),))


def edited() -> type:
    """The same class after its author changed the code and nothing else: same module, name and fields."""
    body = dict(vars(Mapped))
    body["after"] = lambda self, values: (self.matrix @ np.asarray(values, np.float64) * 0.5).astype(np.float32)
    return type("Mapped", (), body)


@dataclass(frozen=True)
class Erring(privis.Clear):
    """Errs a little differently each time, as encryption and truncated shares do."""

    draws: itertools.count = field(default_factory=itertools.count, metadata={"identified": False})

    def prepare(self, program):
        run = super().prepare(program)
        return lambda core: np.asarray(run(core), np.float64) + 1e-4 * (1 + next(self.draws))


def matrix(changed: bool) -> np.ndarray:
    """Over 1,000 numbers, of which one may differ where printing shows dots."""
    values = np.eye(16, 256)
    values[8, 100] = float(changed)
    return values


def features():
    words = np.random.default_rng(3).random((40, 64)).astype(np.float32)
    other = words.copy()
    other[20, 30] += 1e-3
    hog = privis.HOG(size=(32, 32), cell=8, block=2)
    program = trace(lambda x: x.sum(1, 2) * (1 / 256), Input((3, 16, 16)))
    near = trace(lambda x: x.sum(1, 2) * (1 / 255), Input((3, 16, 16)))
    yield from (
        hog, replace(hog, block=1), replace(hog, cell=4), replace(hog, size=(24, 24)),
        privis.LBP(), privis.LBP(grid=(1, 2)), privis.LBP(grid=(2, 1)), privis.LBP(privis.Patterns.UNIFORM),
        privis.ColourHistogram(bins=4), privis.ColourHistogram(bins=4, density=True), privis.ColourHistogram(bins=5),
        privis.CNN(program), privis.CNN(near), privis.CNN(program, mean=0.25),
        Mapped(matrix(False)), Mapped(matrix(True)), Mapped(matrix(False), 1.0 + 2**-52), edited()(matrix(False)),
    )  # fmt: skip
    for steps in (
        (privis.L2(),), (privis.L2(), privis.Quantise(0.5)), (privis.Quantise(0.5), privis.L2()), (privis.Hellinger(),),
        (privis.RandomProjection(8),), (privis.RandomProjection(8, seed="other"),),
        (privis.Projection(np.eye(4, 256), np.zeros(256), "made up"),),
        (privis.Projection(np.eye(4, 256) + np.eye(4, 256, 9) * 1e-9, np.zeros(256), "made up"),),
    ):  # fmt: skip
        yield privis.Posted(privis.LBP(), steps)


FEATURES = tuple(features())
RELEASES = (
    *(privis.FeatureRelease(privis.Laplace(eps), clip=clip) for eps in (1.0, 1.0 + 2**-52) for clip in (3.0, 4.0)),
    privis.FeatureRelease(privis.Gaussian(1.0, 1e-6), clip=3.0),
    privis.FeatureRelease(privis.Laplace(1.0), clip=3.0, unit=privis.Person(2)),
    *(privis.PixelRelease(privis.Laplace(1.0), unit) for unit in (privis.Pixels(1), privis.Pixels(2), privis.Patch(4))),
    privis.PixelRelease(privis.Laplace(1.0), privis.Pixels(2), block=4),
)
EXECUTORS = (privis.Clear(), privis.Clear(native=False), Erring())
KEYS = tuple(privis.ReleaseKey(bytes([number] * 32)) for number in range(2))  # test keys
SUBJECTS = ("ann", "bob", "Ann")


def images():
    rng = np.random.default_rng(1)
    first = rng.integers(0, 256, (32, 32), dtype=np.uint8)
    one = first.copy()
    one[5, 5] ^= 1
    colour = rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)
    return first, one, first.T.copy(), np.dstack([first] * 3), colour, colour[:, :, ::-1].copy()


IMAGES = images()


@dataclass(frozen=True)
class Configuration:
    """Indices into the tables above."""

    feature: int
    release: int
    executor: int
    key: int
    image: int
    subject: int

    TABLES: ClassVar = (FEATURES, RELEASES, EXECUTORS, KEYS, IMAGES, SUBJECTS)

    @property
    def of_pixels(self) -> bool:
        return isinstance(RELEASES[self.release], privis.PixelRelease)

    @property
    def errs(self) -> bool:
        """Whether no two runs hide the same values."""
        return isinstance(EXECUTORS[self.executor], Erring) and not self.of_pixels

    @property
    def named(self) -> tuple:
        """What makes it one release; with noise on pixels only what is read of the image counts."""
        image, feature = IMAGES[self.image], FEATURES[self.feature]
        read: tuple = (self.feature, self.executor)
        if self.of_pixels:
            shown = resize(image, feature.size)
            shown = grey(shown) if feature.luma_only else shown
            read = (shown.shape, shown.tobytes())
        return (record_of_pixels(image), SUBJECTS[self.subject], self.key, self.release, *read)


def varied(rng, one: Configuration) -> Configuration:
    """The same, or with one or two things changed."""
    other = list(one.__dict__.values())
    for place in rng.choice(6, rng.integers(0, 3), replace=False):
        other[place] = int(rng.integers(len(Configuration.TABLES[place])))
    return Configuration(*other)


@pytest.fixture
def drawn(monkeypatch):
    """The secrets of the streams that words were taken from, but for the names of releases."""
    secrets: set[bytes] = set()
    names: set[bytes] = set()
    narrowed, words, extra = NoiseStream.narrowed, NoiseStream.words, NoiseStream.extra

    def narrowing(self, purpose):
        stream = narrowed(self, purpose)
        if purpose == b"release id":
            names.add(stream._secret)
        return stream

    def taking(method):
        def take(self, *args):
            if self._secret not in names:
                secrets.add(self._secret)
            return method(self, *args)

        return take

    monkeypatch.setattr(NoiseStream, "narrowed", narrowing)
    monkeypatch.setattr(NoiseStream, "words", taking(words))
    monkeypatch.setattr(NoiseStream, "extra", taking(extra))
    return secrets


class Ledger:
    """Keeps what it is asked to charge."""

    def __init__(self):
        self.charged = set()

    def charge(self, record, guarantee, release_id, *, formerly=()):
        self.charged.add((record, release_id))


def released(configuration, drawn):
    """The row, the secrets of its noise, and what was charged."""
    feature, release, executor, key, image, subject = (
        table[index] for table, index in zip(Configuration.TABLES, configuration.__dict__.values(), strict=True)
    )
    ledger = Ledger()
    drawn.clear()
    subjects = [subject]
    row = privis.extract(
        feature, [image], under=executor, release=release, key=key, ledger=ledger, subjects=subjects
    ).features[0]
    assert drawn and len(ledger.charged) == 1
    return row, frozenset(drawn), next(iter(ledger.charged))


def test_two_releases_share_all_their_noise_and_one_charge_or_nothing(drawn):
    rng = np.random.default_rng(6)
    owner: dict[bytes, tuple] = {}
    charged: dict[tuple, set] = defaultdict(set)
    same = different = 0
    for number in range(PAIRS):
        first = Configuration(*(int(rng.integers(len(table))) for table in Configuration.TABLES))
        pair = (first, varied(rng, first))
        with np.printoptions(precision=1 + number % 3, threshold=5):
            rows = [released(each, drawn) for each in pair]
        one_release = pair[0].named == pair[1].named
        if one_release and pair[0].errs:  # the errors make two of it, unless a step rounds them away
            one_release = rows[0][2] == rows[1][2]
        if one_release:
            same += 1
            alike = (pair[0].feature, pair[0].executor) == (pair[1].feature, pair[1].executor)
            if alike and not isinstance(EXECUTORS[pair[0].executor], Erring):
                np.testing.assert_array_equal(rows[0][0], rows[1][0])
            assert rows[0][1:] == rows[1][1:], "one release has one set of noise words and one charge"
        else:
            different += 1
            assert not rows[0][1] & rows[1][1], f"{pair} share noise"
            assert rows[0][2] != rows[1][2], f"{pair} share a charge"
        for each, (_, secrets, charge) in zip(pair, rows, strict=True):
            release = (each.named, charge) if each.errs else each.named
            charged[charge].add(release)
            for secret in secrets:
                assert owner.setdefault(secret, release) == release, "noise of one release serves another"
    assert same > 50 and different > 300
    assert max(map(len, charged.values())) == 1, "one charge stands for two releases"


@pytest.mark.parametrize("shortened", [False, True])
def test_two_features_of_a_black_image_share_nothing_though_their_values_are_equal(drawn, monkeypatch, shortened):
    black = np.zeros((32, 32), np.uint8)
    monkeypatch.setitem(globals(), "IMAGES", (black,))
    monkeypatch.setattr(Configuration, "TABLES", (FEATURES, RELEASES, EXECUTORS, KEYS, (black,), SUBJECTS))
    seen: set[bytes] = set()
    charged = set()
    features = [index for index, feature in enumerate(FEATURES) if type(feature) is Mapped or feature.name != "mapped"]
    for index in features:  # without the class whose code alone is another one: on equal values it is the same release
        with np.printoptions(threshold=5 if shortened else 1000):
            _, secrets, charge = released(Configuration(index, 0, 0, 0, 0, 0), drawn)
        assert not seen & secrets
        seen |= secrets
        charged.add(charge)
    assert len(charged) == len(features)

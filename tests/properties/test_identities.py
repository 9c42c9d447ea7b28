"""Identities: equal content is equal, anything else is not, and stored digests pin the format."""

import dataclasses
import importlib
import itertools
import pkgutil
from dataclasses import dataclass, field
from enum import Enum
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import privis
from privis.errors import ParameterError
from privis.features.feature import Feature
from privis.identity import LATER, UNIDENTIFIED, identifier, identity
from privis.privacy.releases.corpus import CorpusHistogramRelease, MeanRelease, SumRelease
from tests.conformance.samples import SAMPLES

RELEASES = {
    "pixels": privis.PixelRelease(privis.Laplace(4.0), privis.Pixels(16)),
    "patch": privis.PixelRelease(privis.Gaussian(4.0, 1e-6), privis.Patch(8)),
    "feature": privis.FeatureRelease(privis.Gaussian(4.0, 1e-6), clip=1.5, unit=privis.Person(3)),
    "counts": privis.HistogramRelease(privis.Laplace(1.0), moves=3, total=192),
    "direction": privis.DirectionRelease(privis.PrivUnit(8.0)),
    "metric": privis.DirectionRelease(privis.VonMisesFisher(8.0), privis.Metric()),
    "code": privis.CodeRelease(privis.RandomisedResponse(4.0)),
    "sum": SumRelease(privis.Laplace(1.0), 1.0, privis.Dataset()),
    "mean": MeanRelease(privis.Laplace(1.0), 1.0),
    "corpus": CorpusHistogramRelease(privis.Laplace(1.0), (0.5,)),
}
EXECUTORS = {
    "clear": privis.Clear(),
    "definition": privis.Clear(native=False),
    "aby3": privis.MPC(privis.MPCProtocol.ABY3),
    "ckks": privis.CKKS(signs=2),
}
STORED = {
    "pixels": "17e0cbbb8f361e6425b7b1e2cca5884da4821c2e1cb7f8e202a8381d01e22495",
    "patch": "3a49331894ac5eaddf36a9e79be1dd01b62090793d4b6bb1eb7e36eb1359525d",
    "feature": "bc40af98fa27ffe103d9c3f7e4d7840eb8bda70ee8e9fb96e65f6780770b814e",
    "counts": "e79e315ae05d747d667182bf64580c96b65e870bc325042d892f9c46e5ba0757",
    "direction": "a8dae70e9784f78dec7abd0aa77ca93f4385297d090954fc931998e90c2951bf",
    "metric": "3602ae1828c36be35eb5564c7d26d80794dae0f3ba81b2a0688f67bbaa2ebf0d",
    "code": "8d765e7b630debc893723b00fa9796c753a3ab20f5aae3b601132691bd27003c",
    "sum": "13a4dfa2abca28f8d4352fd174d817921b288b51e1dec30a838937a4a906d9d7",
    "mean": "bc1ee024570f4e6d2c970cb036eaf3c5cd014ddfa908220176e3f1972957120b",
    "corpus": "30d1c3c7254ee31aa200c28e13c396b328c593b9da6c9acd647f7be289f9c934",
    "clear": "7ef9759a1b30cd6909320b5cd47869af2319bf1a9b826e6e383e45b29576ac44",
    "definition": "5df91a376280150844cd8326da234b4e78fa70262a5d535c268a49af7c0c29d9",
    "aby3": "35400a33e98c255cb2214146d9500c43c775cb3a1694ca34609990da73748b81",
    "ckks": "6e64139a250325d316d2debc8e4f83b4f085148822c5c45792f64ec657c5f6ec",
    "colour": "d709409423595f389bb7786a4fd6684dd9f2d3ef5b357507016eba1a717fc81a",
    "colour-hsv-joint": "1fcbeee259b18c4534217eefd513cb3dd859044b2fa4b387a07bb2c10e9bc8c5",
    "colour-lab": "b18576b076699cdf2bd47803f33ebbc48308cc983de08816b4a0c1ead4080814",
    "lbp": "6701cfb7d8afaa1b29bd5601c68ed5f05c4ab9496fa68df478a12374aae27a9d",
    "lbp-uniform": "f5476105047aeb211c0a9d90560d8650661a6589da5fa55815a495e195e01616",
    "lbp-rotation-invariant": "df3070ee6bb7efb345b9572099f12b9c6beb3ddb289fb645277782a584ad0763",
    "glcm": "1d0ceeb7a509cebcc5d56f829acc666d99c6da26d9709d939f9f81f1dbc7ea8c",
    "gabor": "cd8382a117684d3c0678720be9f512354c1027acd3789fbdb50137e8d3f90cfe",
    "hog": "495114929db8a85de0c45e12d1811021a7e175270c23bcf530be4fa0800a181f",
    "hog-L1": "edf1f8c603eac5ca02b56246a584662ab9c05d5cd2b94701842c4f8ffcfc3c81",
    "hog-unbiased": "54264fadffd9121fba14cc76cc89819cc3160c544eaa66f30fde98e68aacfa44",
    "hog-denoised": "4696213ab984f3f5418186be23e2ba9effb49d8e560b3af96bbb505f3fdde24c",
    "colour-projected": "7d14e9507e654fdf6f7962a8c791d3ce35ec207dea5c6b4a4083245c126baab2",
    "hog-opencv": "df34269151da39dfadfe05eb294f76f0ad4206f3a615e8dfbdae65feef9b8463",
    "scattering": "e055d5f7250bffe98bacc309305760b47e0392096318cbc7ebd86757fc7017b8",
    "sift": "6a59e76e9a6b245229f8abe6895db4ba7c9b8858238d94c327a7e196da3e63e0",
    "dense-sift": "79a8d95d29bd4b6a66fc43d108270b62212e4a5eff7301e7b926766b633dc62b",
    "surf": "78167cd163cbf6125202df44554296e1561af5e5706f4fa43489a523c0a4d0a2",
    "motion-energy": "4ee457ded08c78946ed1f6aea1db8e1952055a518dd9a705f4fade039da6daa3",
    "frame-difference": "d9faaefb3f65ae5903d1fcd474996a2700facbcd74b6cad138489ff7eeed9265",
    "foreground": "d32b6acdef24dcb818e2d0da3e56b0e506d36ebe1f264783ab63bcedc95ec92e",
    "motion-hog": "a79c320c353dac5f84a7c45252bbae5321d308fa19bdf7d953746df65f2c8d2d",
    "flow": "6a17e34e86c030076ec5fd6c55310283fd408448b3b9c75069d78da2164dafc7",
    "bag-of-words": "bea56dbafec3163fc8544233466a15e67add9b58217583f42439170ecf8ede6d",
    "vlad": "4faf0260eba785d1d08f4f43ba3f0b52a4a60244684a69f3e528e409f0dc6a2b",
}


class Grey(Enum):
    LUMA = "luma"


@dataclass(frozen=True)
class Mapped:
    values: object
    kept: dict = field(default_factory=dict, metadata=UNIDENTIFIED)


@dataclass(frozen=True)
class Renamed:
    identifier: ClassVar[str] = "tests.mapped/1"

    values: object


@dataclass(frozen=True)
class RenamedAgain:
    identifier: ClassVar[str] = "tests.mapped/1"

    numbers: object


@dataclass(frozen=True)
class Child(Renamed):
    pass


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary()
    | arrays.arrays(st.sampled_from([np.uint8, np.float32, np.int64]), arrays.array_shapes(max_dims=2, max_side=3)),
    lambda inner: st.lists(inner, max_size=3).map(tuple) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def alike(one, other):
    """Equality of content, as the module promises it, by a way of its own."""
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        both = isinstance(one, np.ndarray) and isinstance(other, np.ndarray)
        return both and one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes()
    if type(one) is not type(other):
        return False
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(one[key], other[key]) for key in one)
    return one.hex() == other.hex() if isinstance(one, float) else one == other


@given(plain, plain)
def test_identities_are_equal_exactly_where_content_is(one, other):
    assert (identity(one) == identity(other)) == alike(one, other)
    assert identity(one) == identity(one)


def test_names_of_classes_and_fields_do_not_count_where_a_class_says_what_it_is():
    assert identity(Renamed(1)) == identity(RenamedAgain(1)) != identity(Renamed(2))
    assert identity(Mapped(1)) != identity(Renamed(1))
    assert identifier(Child) == f"{__name__}.Child"
    assert identity(Child(1)) != identity(Renamed(1)), "a subclass may compute something else"
    assert identity(Mapped(1, {"cache": print})) == identity(Mapped(1))


@dataclass(frozen=True)
class Grown:
    identifier: ClassVar[str] = "tests.mapped/1"

    values: object
    first: int | None = field(default=None, metadata=LATER)
    second: int | None = field(default=None, metadata=LATER)


def test_fields_that_came_later_count_only_where_they_are_given():
    assert identity(Grown(1)) == identity(Renamed(1)), "an identity that was stored before there were the fields"
    found = [identity(Grown(1, *both)) for both in itertools.product((None, 0, 1), repeat=2)]
    assert len({*found, identity(Renamed(0)), identity(Renamed((1, 0)))}) == len(found) + 2


def test_arrays_go_by_type_shape_and_bytes_whatever_they_look_like():
    values = np.random.default_rng(0).random((40, 60))
    near = values.copy()
    near[20, 30] = np.nextafter(near[20, 30], 2)
    with np.printoptions(precision=1, threshold=3):
        short = identity(values)
    equal = [values.copy(), np.asfortranarray(values), values.astype(">f8"), np.ascontiguousarray(values[::-1])[::-1]]
    assert {identity(each) for each in equal} == {short}
    others = [near, values.T, values.ravel(), values.astype(np.float32), values.view(np.int64), -values, values * 0]
    assert len({identity(each) for each in others}) == len(others) and short not in map(identity, others)
    assert identity(np.float64(0.5)) == identity(0.5) and identity(Grey.LUMA) == identity("luma")


LONG = np.longdouble(1) / 3  # padded with bytes that mean nothing


@pytest.mark.parametrize(
    "value", [len, lambda x: x, object(), np.array([object()]), type, (1, (2, print)), LONG, np.array([LONG * 1j])]
)
def test_what_has_no_content_is_refused(value):
    with pytest.raises(ParameterError, match=r"byte by byte|numbers or text"):
        identity(Mapped(value), "feature")


def test_every_part_without_content_is_named():
    with pytest.raises(ParameterError) as caught:
        identity((Mapped(print), Mapped((1, len))), "extract")
    assert [problem.where for problem in caught.value.problems] == ["extract[0].values", "extract[1].values[1]"]


def own_dataclasses(value):
    """All dataclasses in ``value`` that count."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield type(value)
        if not hasattr(value, "identified"):
            for each in dataclasses.fields(value):
                if each.metadata.get("identified", True):
                    yield from own_dataclasses(getattr(value, each.name))
    elif isinstance(value, tuple):
        for item in value:
            yield from own_dataclasses(item)


def test_whatever_privis_brings_has_an_identifier_of_its_own():
    values = [*(sample.feature for sample in SAMPLES), *RELEASES.values(), *EXECUTORS.values()]
    kinds = set(itertools.chain.from_iterable(map(own_dataclasses, values)))
    without = {kind.__name__ for kind in kinds if not vars(kind).get("identifier", "").startswith("privis.")}
    assert not without
    assert len({identifier(kind) for kind in kinds}) == len(kinds)


def test_every_feature_and_executor_of_privis_has_an_identifier():
    """Also those that no sample shows: without one, a run over a folder fails."""
    without = []
    for module in pkgutil.walk_packages(privis.__path__, "privis."):
        if "openfhe" in module.name or module.name.endswith("__main__"):
            continue
        for kind in vars(importlib.import_module(module.name)).values():
            if not dataclasses.is_dataclass(kind) or not isinstance(kind, type) or kind.__module__ != module.name:
                continue
            feature = all(hasattr(kind, name) for name in ("before", "program", "after", "names"))
            executor = all(hasattr(kind, name) for name in ("supports", "prepare", "seen"))
            if (feature or executor) and not vars(kind).get("identifier"):
                without.append(f"{module.name}.{kind.__qualname__}")
    assert not without


def test_features_releases_and_executors_are_told_apart():
    values = [*(sample.feature for sample in SAMPLES), *RELEASES.values(), *EXECUTORS.values()]
    assert len({identity(value) for value in values}) == len(values)
    assert all(isinstance(sample.feature, Feature) for sample in SAMPLES)


@pytest.mark.parametrize("name", STORED)
def test_stored_digests_pin_the_format(name):
    """Another digest is another identity: every key would draw other noise, and every release cost again."""
    values = {**RELEASES, **EXECUTORS, **{sample.label: sample.feature for sample in SAMPLES}}
    assert identity(values[name]).hex() == STORED[name]

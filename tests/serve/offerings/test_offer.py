"""Offers, owners and their files in Python; damaged files of every kind raise errors of Privis and nothing else.

Answers for `privis.serve.offerings.offer`, `privis.serve.offerings.offer_file`, `privis.serve.client.owner`,
`privis.run.he.compiler.quickest` and `privis.run.he.wire.answer`.
"""

from __future__ import annotations

import io
import json
import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

pytest.importorskip("tenseal")

import privis
from privis.errors import ImageError, OutputError, ParameterError, PrivisError, ProtocolError, UnsupportedError
from privis.program import Input, ops, save, trace
from privis.readings import evaluate
from privis.run.he.owner.keys import Query
from privis.run.he.wire import key_file
from privis.run.he.wire.answer import Kept
from privis.run.he.wire.key_file import KeyKind
from privis.serve.offerings.offer_file import load_offer

RANDOM = np.random.default_rng(11)
WEIGHTS = RANDOM.normal(size=(6, 6))
PROGRAM = trace(lambda x: (x * x) >> ops.Dense(WEIGHTS), Input((6,), -1.0, 1.0, None))
INPUTS = [RANDOM.uniform(-1, 1, 6) for _ in range(3)]
SAMPLES = [RANDOM.uniform(-1, 1, 6) for _ in range(4)]


class Files:
    """Everything that stages exchange, in one folder each."""

    def __init__(self, folder: Path) -> None:
        self.public, self.secret, self.up = folder / "public", folder / "secret", folder / "up"
        self.up.mkdir()
        offer = privis.Offer(PROGRAM, name="squares", samples=SAMPLES, precision=1e-2)
        self.offer = folder / "offer.npz"
        offer.save(self.offer)
        owner = privis.Owner.generate(offer.terms(), self.public, self.secret)
        self.terms = self.public / "public.key"
        self.query, self.kept, self.answer = self.up / "query.bin", self.secret / "query.kept", folder / "answer.bin"
        owner.encrypt(INPUTS).save(self.query, self.kept)
        self.evaluation = self.public / "evaluation.key"
        self.answer.write_bytes(offer.evaluate(self.evaluation, self.query, at_once=1))
        self.opened, self.results = offer, owner.decrypt(self.kept, self.answer)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return Files(tmp_path_factory.mktemp("offer"))


def test_results_are_those_of_the_program(files):
    for own, (found,) in zip(INPUTS, files.results, strict=True):
        exact = evaluate(PROGRAM, own)
        assert np.abs(found - exact).max() < 0.02 * np.abs(exact).max()


def test_an_offer_of_a_file_has_the_same_terms_as_the_one_that_was_saved(files):
    again = privis.Offer.load(files.offer)
    assert again.terms() == files.opened.terms() and again.made.private
    assert again.terms().program == "", "a program is private unless it is said to be public"
    assert privis.Offer(PROGRAM, private=False, precision=1e-2).terms().program != ""
    weights = json.dumps(again.terms().to_json())
    assert not any(repr(float(weight)) in weights for weight in WEIGHTS.ravel())


def test_weights_lie_in_memory_as_they_do_in_a_file():
    """In another order sums differ in their last bit, and with them the terms of an offer and of its file."""
    first = RANDOM.normal(size=(6, 4))
    first.setflags(write=False)
    program = trace(lambda x: x >> ops.Dense(first.T), Input((6,), -1.0, 1.0, None))
    (matrix,) = [node.op.matrix for node in program.nodes if isinstance(node.op, ops.Dense)]
    assert matrix.flags.c_contiguous and np.array_equal(matrix, first.T)


def test_samples_and_the_way_of_sharing_are_kept_in_the_file(tmp_path):
    wide = trace(lambda x: x * x, Input((2,), -100.0, 100.0, None))
    offer = privis.Offer(wide, samples=[np.ones(2)], sharing=None, images=9000, precision=1e-2)
    offer.save(tmp_path / "offer")
    again = privis.Offer.load(tmp_path / "offer")
    assert again.terms().digest == offer.terms().digest and again.terms().estimate.images > 1000
    assert privis.Offer(wide, precision=1e-2).terms().estimate.images == 1
    assert privis.Offer(wide, precision=1e-2, sharing=privis.Batching.SIDE_BY_SIDE).terms().estimate.images > 1
    assert (tmp_path / "offer").stat().st_mode & 0o077 == 0, "it holds the weights"


def test_features_in_features_out(tmp_path):
    feature = privis.ColourHistogram(bins=4, size=(8, 8))
    images = [RANDOM.integers(0, 256, (9, 10, 3), dtype=np.uint8) for _ in range(2)]
    for number, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{number}.png")
    offer = privis.Offer(feature, samples=[images[0], str(tmp_path / "1.png")])
    assert offer.terms().program, "a feature is public"
    owner = privis.Owner.generate(offer.terms(), tmp_path / "public", tmp_path / "secret")
    query = owner.encrypt([tmp_path / "0.png", str(tmp_path / "1.png")], feature)
    labels, rows = owner.features(query, offer.evaluate(tmp_path / "public" / "evaluation.key", query.message), feature)
    assert (rows == privis.extract(feature, images).features).all()
    assert labels == (str(tmp_path / "0.png"), str(tmp_path / "1.png"))
    (tmp_path / "broken.png").write_text("no picture")
    with pytest.raises(ImageError, match=r"(?s)broken.png.*nothing.png"):
        owner.encrypt([tmp_path / "broken.png", tmp_path / "0.png", tmp_path / "nothing.png"], feature)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: privis.Offer(PROGRAM, precision=1.0), r"Offer.precision"),
        (lambda: privis.Offer(PROGRAM, signs=0), r"Offer.signs"),
        (lambda: privis.Offer(PROGRAM, sharing="slots"), r"Offer.sharing: got 'slots'"),
        (lambda: privis.Offer(PROGRAM, standard="2024"), r"Offer.standard: got '2024'"),
        (lambda: privis.Offer(PROGRAM, images=0, processes=3), r"(?s)Offer.images.*Offer.processes"),
        (lambda: privis.Offer(privis.HOG).terms(), r"Offer.what: got HOG"),
        (lambda: privis.Offer(privis.LBP()).terms(), r"any size, expected one size"),
        (lambda: privis.Offer(__file__).terms(), r"expected an ONNX network or a saved program"),
        (lambda: privis.Offer(7).terms(), r"Offer.what: got int"),
        (lambda: privis.Offer(PROGRAM, samples=[np.zeros(5)]).terms(), r"samples\[0\]: got shapes"),
        (lambda: privis.Offer(PROGRAM, samples=[]).terms(), r"no sample"),
    ],
)
def test_what_is_no_offer_is_refused_in_words(make, said):
    with pytest.raises((ParameterError, UnsupportedError), match=said):
        make()


def test_a_file_of_a_program_and_one_of_a_network_are_told_by_their_content(tmp_path):
    save(PROGRAM, tmp_path / "net.onnx")
    assert privis.Offer(tmp_path / "net.onnx", precision=1e-2).terms().name == "net"


def test_folders_of_keys_are_apart_whatever_they_are_called(files, tmp_path):
    terms = files.opened.terms()
    (tmp_path / "link").symlink_to(tmp_path / "a")
    (tmp_path / "a").mkdir()
    for public, secret in (("a", "a"), ("a", "a/b"), ("a/b", "a"), ("link", "a/s"), ("a/../a", "link/x")):
        with pytest.raises(OutputError, match="one inside the other"):
            privis.Owner.generate(terms, tmp_path / public, tmp_path / secret)
    with pytest.raises(OutputError, match="never overwritten"):
        privis.Owner.generate(terms, tmp_path / "new", files.secret)
    with pytest.raises(OutputError, match="never overwritten"):
        privis.Owner.generate(terms, files.public, tmp_path / "other")
    assert not (tmp_path / "other").exists() and not (tmp_path / "new").exists()
    with pytest.raises(OutputError, match="must not share a folder"):
        privis.Owner.load(files.secret).encrypt(INPUTS).save(tmp_path / "a" / "q", tmp_path / "link" / "k")


def test_a_secret_is_never_printed_or_pickled(files):
    owner = privis.Owner.load(files.secret)
    assert "secret" not in repr(owner).replace("Owner object", "")
    for one in (owner, owner.secret):
        with pytest.raises(TypeError, match="never pickled"):
            pickle.dumps(one)
    query = owner.encrypt(INPUTS)
    assert repr(query).count("factors") == 0 and repr(query.kept).count("factors") == 0


def test_an_owner_reads_answers_to_its_own_queries_alone(files, tmp_path):
    owner = privis.Owner.load(files.secret)
    again = owner.encrypt(INPUTS)
    with pytest.raises(ProtocolError, match="an answer to another query"):
        owner.decrypt(again, files.answer)
    other = privis.Owner.generate(files.opened.terms(), tmp_path / "public", tmp_path / "secret")
    foreign = other.decrypt(files.kept, files.answer)  # of this program, under another key: noise, and no error
    assert not np.allclose(foreign[0][0], files.results[0][0], atol=0.1)
    with pytest.raises(ParameterError, match="no image"):
        owner.encrypt([])
    with pytest.raises(ParameterError, match=r"image 1, input 0: got shape \(5,\)"):
        owner.encrypt([INPUTS[0], np.zeros(5)])


def test_owners_may_insist_on_a_table(files, tmp_path):
    standard = privis.SecurityStandard.GUIDELINES_2024
    privis.Owner.generate(files.opened.terms(), tmp_path / "p", tmp_path / "s", standard=standard)

    def power(x):
        made = x
        for _ in range(5):
            made = made * x
        return made

    earlier = privis.SecurityStandard.STANDARD_2018
    deep = privis.Offer(trace(power, Input((4,), -1.0, 1.0, None)), precision=1e-2, standard=earlier).terms()
    with pytest.raises(ParameterError, match="not by the guidelines of 2024"):
        privis.Owner.generate(deep, tmp_path / "p2", tmp_path / "s2", standard=standard)
    assert not (tmp_path / "s2").exists()


def damaged(content: bytes, kind: str, where: int, value: int) -> bytes:
    """Another content: cut, changed in a byte, longer, or of nothing."""
    at = where % max(len(content), 1)
    match kind:
        case "cut":
            return content[:at]
        case "flipped":
            return content[:at] + bytes([content[at] ^ (value or 1)]) + content[at + 1 :]
        case "inserted":
            return content[:at] + bytes([value]) * 3 + content[at:]
        case "doubled":
            return content + content
        case _:
            return bytes([value]) * (at % 200)


READERS = {
    "offer": lambda f: privis.Offer.load(f.offer).terms().digest,
    "terms": lambda f: privis.Terms.from_json(key_file.read(f.terms, KeyKind.PUBLIC)),
    "evaluation": lambda f: len(f.opened.evaluate(f.evaluation, f.query, at_once=1)),
    "query": lambda f: len(f.opened.evaluate(f.evaluation, f.query, at_once=1)),
    "kept": lambda f: repr(privis.Owner.load(f.secret).decrypt(f.kept, f.answer)),
    "answer": lambda f: repr(privis.Owner.load(f.secret).decrypt(f.kept, f.answer)),
    "secret key": lambda f: repr(privis.Owner.load(f.secret).decrypt(f.kept, f.answer)),
    "public key": lambda f: repr(privis.Owner.load(f.secret).decrypt(f.kept, f.answer)),
}
PLACES = {"secret key": "secret.key", "public key": "public.key"}


@pytest.mark.parametrize("name", READERS)
@given(
    kind=st.sampled_from(["cut", "flipped", "inserted", "doubled", "other"]),
    where=st.integers(0, 1 << 22) | st.integers(0, 200),
    value=st.integers(0, 255),
)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damaged_files_raise_errors_of_privis_or_read_as_what_they_were(files, name, kind, where, value):
    place = files.secret / PLACES[name] if name in PLACES else getattr(files, name)
    whole = place.read_bytes()
    right = WHOLE.setdefault(name, READERS[name](files)) if name not in WHOLE else WHOLE[name]
    try:
        place.write_bytes(damaged(whole, kind, where, value))
        assert READERS[name](files) == right
    except PrivisError as error:
        assert all(problem.where and problem.got for problem in error.problems)
    finally:
        place.write_bytes(whole)


WHOLE: dict[str, object] = {}


@pytest.mark.parametrize("one", READERS)
def test_each_file_in_the_place_of_each_other_is_named(files, one, tmp_path):
    place = files.secret / PLACES[one] if one in PLACES else getattr(files, one)
    whole = place.read_bytes()
    try:
        for other in READERS:
            source = files.secret / PLACES[other] if other in PLACES else getattr(files, other)
            if source.read_bytes() == whole:
                continue
            place.write_bytes(source.read_bytes())
            with pytest.raises(PrivisError):
                READERS[one](files)
    finally:
        place.write_bytes(whole)


anything = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 1 << 70) | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=5,
)


@given(key=st.sampled_from(["format", "query", "factors", "labels"]), value=anything)
@settings(max_examples=30, deadline=None)
def test_whatever_is_said_to_be_kept_is_that_or_an_error_of_privis(key, value):
    kept = Kept("ab" * 32, (1.0, 2.0), ("a", "b"))
    assert Kept.from_bytes(kept.to_bytes(), "kept") == kept
    found = {**json.loads(kept.to_bytes()), key: value}
    try:
        read = Kept.from_bytes(json.dumps(found).encode(), "kept")
    except ProtocolError:
        return
    assert all(factor > 0 for factor in read.factors) and len(read.labels) in (0, len(read.factors))


@given(key=st.sampled_from(["name", "words", "options", "images", "private", "samples"]), value=anything)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_said_to_be_an_offer_is_one_or_an_error_of_privis(files, tmp_path_factory, key, value):
    with np.load(files.offer) as members:
        found = {name: members[name] for name in members.files}
    text = {**json.loads(found["offer"].tobytes()), key: value}
    buffer = io.BytesIO()
    np.savez(buffer, **{**found, "offer": np.frombuffer(json.dumps(text).encode(), np.uint8)})
    place = files.offer.parent / "changed.npz"
    place.write_bytes(buffer.getvalue())
    try:
        load_offer(place)
    except PrivisError as error:
        assert "offer" in str(error)


@given(
    key=st.sampled_from(["name", "summary", "digest", "specification", "estimate", "program", "words"]), value=anything
)
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_server_says_are_terms_or_an_error_of_privis(files, key, value):
    found = json.dumps({**json.loads(files.opened.terms().to_json()), key: value})
    try:
        terms = privis.Terms.from_json(found)
        privis.Owner.generate(terms, files.public, files.secret)
    except PrivisError:
        return
    raise AssertionError("there are keys already")


def test_typed_files_are_replaced_only_where_that_is_said(tmp_path):
    key_file.write(tmp_path / "k", KeyKind.KEPT, "00" * 32, b"first")
    with pytest.raises(OutputError, match="never overwritten"):
        key_file.write(tmp_path / "k", KeyKind.KEPT, "00" * 32, b"second")
    assert key_file.read(tmp_path / "k", KeyKind.KEPT) == b"first"
    key_file.write(tmp_path / "k", KeyKind.KEPT, "00" * 32, b"second", replace=True)
    assert key_file.read(tmp_path / "k", KeyKind.KEPT) == b"second"
    (tmp_path / "k").chmod(0o640)
    with pytest.raises(ParameterError, match="mode 0640"):
        key_file.read(tmp_path / "k", KeyKind.KEPT)
    with pytest.raises(ProtocolError, match="an encrypted answer"):
        key_file.read(tmp_path / "k", KeyKind.ANSWER)
    with pytest.raises(OutputError, match="a file for an encrypted query"):
        key_file.write_message(tmp_path / "none" / "q", b"message")
    with pytest.raises(ParameterError, match="privis stage encrypt"):
        key_file.read_message(tmp_path / "q")


def test_what_is_kept_of_another_program_is_refused(files, tmp_path):
    other = privis.Offer(trace(lambda x: x * x, Input((6,), -1.0, 1.0, None)), precision=1e-2)
    owner = privis.Owner.generate(other.terms(), tmp_path / "public", tmp_path / "secret")
    with pytest.raises(ProtocolError, match="of another program"):
        owner.decrypt(files.kept, files.answer)
    with pytest.raises(ProtocolError, match="of another program"):
        owner.decrypt(Query.load_kept(files.kept), files.answer)
    with pytest.raises(ProtocolError, match="keys of another program"):
        other.evaluate(files.evaluation, files.query)
    shutil.copy(files.secret / "secret.key", tmp_path / "secret" / "secret.key")
    with pytest.raises(ProtocolError, match="keys of another program"):
        privis.Owner.load(tmp_path / "secret")
    assert replace(owner.terms, name="x").digest == owner.terms.digest

"""What client and server agree on for decisions: secure parameters, comparisons that decide, a slot for everyone.

Answers for `privis.run.he.matching.decision_specification`, `decision_layout` and `decision_messages`.
"""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.polynomial import chebyshev

from privis.errors import ParameterError, ProtocolError
from privis.run.he.matching.decision_layout import DecisionLayout
from privis.run.he.matching.decision_messages import Ask, Request
from privis.run.he.matching.decision_specification import ACCURACY, DecisionSpec
from privis.run.he.security import SecurityStandard

WORDS = {"dimension": 512, "threshold": 0.4, "gap": 0.05, "templates": 10_000}


@settings(max_examples=25, deadline=None)
@given(st.floats(-1, 1), st.floats(0.004, 1), st.sampled_from([1, 500, 10_000, 131_072]))
def test_comparisons_decide_all_but_the_gap_within_the_tables_of_2024(threshold, gap, templates):
    try:
        spec = DecisionSpec(64, threshold, gap, templates)
    except ParameterError as error:
        assert "wider gap" in str(error) and gap < 0.02
        return
    assert SecurityStandard.GUIDELINES_2024 in spec.parameters.standards
    cosines = np.concatenate([np.linspace(-1.001, 1.001, 2001), threshold + (gap - ACCURACY) * np.array([-1, 1])])
    value = (cosines - threshold) / spec.span
    for coefficients in spec.comparison.polynomials:
        assert np.abs(value).max() <= 1
        value = chebyshev.chebval(value, coefficients)
    outside = np.abs(cosines - threshold) >= gap - ACCURACY
    assert np.abs(value - np.sign(cosines - threshold))[outside].max() <= spec.most_error + 1e-12
    away = np.abs(cosines - threshold) > 1e-9
    assert (np.sign(value) == np.sign(cosines - threshold))[away].all()  # never the wrong side, inside the gap either


@pytest.mark.parametrize("dimension", [1, 5, 16, 17, 128, 512, 1000, 8192])
def test_every_component_meets_its_own_once_and_every_template_has_a_slot(dimension):
    layout = DecisionLayout(dimension, 8192)
    generator = np.random.default_rng(0)
    query, places = generator.normal(size=dimension), generator.permutation(layout.block)[:9]
    rows = generator.normal(size=(9, dimension))
    slots = layout.query(query)
    total = sum(np.roll(slots, -turn) * held for turn, held in enumerate(layout.ciphertexts(places, rows)))
    sums = total.reshape(layout.rows, layout.columns).sum(0)
    sums = np.stack([sums.real, sums.imag * layout.signs]).reshape(-1)
    np.testing.assert_allclose(sums[places], rows @ query, atol=1e-9)
    assert np.abs(np.delete(sums, places)).max() < 1e-9
    numbers = generator.integers(0, 5 * layout.group, 50).tolist()
    assert [layout.template(*layout.place(number)) for number in numbers] == numbers
    there = np.zeros(2 * layout.group, bool)
    there[[n % (2 * layout.group) for n in numbers]] = True
    assert all(
        layout.filled(there, group)[half, slot] == there[layout.template(group, half, slot)]
        for group, half, slot in (layout.place(n) for n in range(0, 2 * layout.group, 37))
    )


def test_the_specification_is_read_as_it_was_written_and_every_field_makes_other_keys():
    spec = DecisionSpec(**WORDS, payload=4, encrypted=True)
    assert DecisionSpec.from_json(spec.to_json()) == spec
    others = [{"threshold": 0.5}, {"gap": 0.06}, {"dimension": 511}, {"templates": 9_999}, {"payload": 4}]
    assert len({DecisionSpec(**{**WORDS, **other}).digest for other in [{}, *others]}) == 6
    text = json.loads(spec.to_json())
    for wrong in (
        {**text, "decisions": 2},
        {**text, "more": 1},
        {**text, "encrypted": 1},
        {**text, "gap": "0.1"},
        [text],
    ):
        with pytest.raises(ProtocolError, match="decisions"):
            DecisionSpec.from_json(json.dumps(wrong))
    for damaged in ("", "{}", "[" * 100_000, "null"):
        with pytest.raises(ProtocolError):
            DecisionSpec.from_json(damaged)


def test_all_that_is_wrong_with_a_specification_is_said_at_once():
    with pytest.raises(ParameterError) as raised:
        DecisionSpec(0, threshold=float("nan"), gap=0.0, templates=True, payload=-1)
    assert len(raised.value.problems) == 5
    with pytest.raises(ParameterError, match="wider gap"):
        DecisionSpec(64, 0.5, 0.0021, 100_000)


def test_a_gallery_has_sizes_that_are_told_before_it_is_made():
    spec = DecisionSpec(**WORDS)
    assert spec.blocks == 20 and spec.layout.rows == 32 and spec.payloads == 0
    assert DecisionSpec(**WORDS, payload=5).payloads == 3
    message = Request(Ask.CLAIM, 7).message(b"query")
    assert Request.read(message, spec) == (Request(Ask.CLAIM, 7), b"query")
    with pytest.raises(ProtocolError, match="has none"):
        Request.read(Request(Ask.PAYLOAD).message(b""), spec)

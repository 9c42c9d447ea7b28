"""privis.privacy.units and privis.privacy.stage: what everybody may ask of a unit and of a release."""

from dataclasses import fields
from typing import get_args

import pytest

import privis
from privis.privacy import (
    AddOrRemovePerson,
    Dataset,
    Enrolment,
    Metric,
    Patch,
    Person,
    PersonDay,
    Pixels,
    Release,
    Stage,
    Unit,
    WholeImage,
)
from privis.privacy.stage import is_on_image

LAPLACE = privis.Laplace(4.0)
PEOPLE = (Person(5), AddOrRemovePerson(5), PersonDay(4), Enrolment())
UNITS = (WholeImage(), Pixels(3), Patch(4), *PEOPLE, Dataset(), Metric())
RELEASES = (
    privis.PixelRelease(LAPLACE),
    privis.FeatureRelease(LAPLACE, clip=1.0),
    privis.DirectionRelease(privis.VonMisesFisher(3.0)),
    privis.CodeRelease(privis.RandomisedResponse(4.0)),
    privis.HistogramRelease(LAPLACE, moves=1, total=16),
)


def test_every_unit_says_how_many_images_share_an_epsilon_and_whether_people_must_be_named():
    assert {type(unit) for unit in UNITS} == set(get_args(Unit))
    assert [(unit.images, unit.needs_subjects) for unit in UNITS] == [
        (5 if isinstance(unit, Person | AddOrRemovePerson) else 1, unit in PEOPLE) for unit in UNITS
    ]


def test_every_release_says_where_its_noise_goes():
    assert {type(release) for release in RELEASES} == set(get_args(Release))
    assert [release.stage for release in RELEASES] == [Stage.IMAGE, *[Stage.FEATURE] * 4]
    assert [is_on_image(release) for release in (*RELEASES, None)] == [True, *[False] * 5]


@pytest.mark.parametrize("value", [*UNITS, *RELEASES], ids=repr)
def test_neither_is_a_parameter_that_a_card_or_an_identity_holds(value):
    """Cards and identities are made of fields."""
    names = {field.name for field in fields(value)}
    assert not names & {"stage", "needs_subjects"} and ("images" in names) == isinstance(
        value, Person | AddOrRemovePerson
    )

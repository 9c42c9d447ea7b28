"""Trainings here are accounted on a coarser grid (`tests.conftest.coarse_accounting`)."""

import pytest


@pytest.fixture(autouse=True, scope="module")
def coarse(coarse_accounting):
    return None

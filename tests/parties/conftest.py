"""Fixtures of the attacks on jobs."""

import pytest

from tests.parties.homes import Homes
from tests.parties.ideal_group import play


@pytest.fixture()
def homes(tmp_path):
    return Homes(tmp_path)


@pytest.fixture()
def joint(homes, monkeypatch):
    def run(job, **how):
        return play(monkeypatch, homes.folder, job, homes.members, **how)

    return run

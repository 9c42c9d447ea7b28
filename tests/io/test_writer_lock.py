"""Answers for `privis.io.writer_lock`: one writer at a time, whoever else asks."""

import math
import multiprocessing
import os
import signal
import time

import pytest

from privis.errors import OutputError
from privis.io.writer_lock import one_writer


def hold(place, held) -> None:
    with one_writer(place):
        held.set()
        time.sleep(60)


@pytest.fixture
def holder(tmp_path):
    context = multiprocessing.get_context("spawn")
    held = context.Event()
    process = context.Process(target=hold, args=(tmp_path, held), daemon=True)
    process.start()
    assert held.wait(60)
    yield process
    process.kill()
    process.join()


def test_another_writer_is_told_of_and_the_next_goes_on_where_it_is_killed(tmp_path, holder):
    with (
        pytest.raises(OutputError, match="the gallery: got another writer"),
        one_writer(tmp_path, 0.05, "the gallery"),
    ):
        raise AssertionError("two writers")
    os.kill(holder.pid, signal.SIGKILL)
    with one_writer(tmp_path, math.inf):
        pass


def test_an_error_lets_the_next_writer_in(tmp_path):
    with pytest.raises(KeyError), one_writer(tmp_path, 0):
        raise KeyError
    with one_writer(tmp_path, 0):
        pass

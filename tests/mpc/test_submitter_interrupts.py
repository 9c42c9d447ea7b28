"""Ctrl-C of a submitter counts wherever its main thread is."""

import os
import signal
import threading
import weakref

import pytest

from privis.parties.submitter import _interrupts


def test_ctrl_c_inside_of_a_callback_is_not_lost():
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals come to the main thread, and this is another")
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        pytest.skip("whoever runs the tests handles SIGINT")
    told: list[str] = []

    class Watched:
        pass

    with _interrupts(lambda: told.append("interrupted")):
        watched = Watched()
        weakref.finalize(watched, os.kill, os.getpid(), signal.SIGINT)
        del watched  # an exception out of this would only be printed
    assert told == ["interrupted"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

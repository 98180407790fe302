"""Ctrl-C that comes while something must be whole is not lost, and comes after it."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from psmr.cluster.interrupts import holding_interrupts


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


@holding_interrupts()
def interrupted(done: list[str]) -> None:
    interrupt()
    done.append("all of it")


@holding_interrupts()
def interrupted_and_wrong() -> float:
    interrupt()
    return 1 / 0


def test_an_interrupt_waits_for_the_end_of_the_block() -> None:
    done: list[str] = []
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        interrupted(done)
    assert done == ["all of it"]
    assert signal.getsignal(signal.SIGINT) is before


def test_without_an_interrupt_nothing_happens() -> None:
    before = signal.getsignal(signal.SIGINT)
    with holding_interrupts():
        pass
    assert signal.getsignal(signal.SIGINT) is before


def test_what_goes_wrong_in_the_block_comes_first() -> None:
    with pytest.raises(ZeroDivisionError):
        interrupted_and_wrong()


def test_another_thread_may_use_it_and_changes_nothing() -> None:
    before = signal.getsignal(signal.SIGINT)
    handlers: list[object] = []

    @holding_interrupts()
    def look() -> None:
        handlers.append(signal.getsignal(signal.SIGINT))

    other = threading.Thread(target=look)
    other.start()
    other.join()
    assert handlers == [before]


def test_who_ignores_ctrl_c_goes_on_ignoring_it() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with holding_interrupts():
            interrupt()
    finally:
        signal.signal(signal.SIGINT, before)

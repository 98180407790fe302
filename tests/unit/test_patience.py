"""How long workers wait for each other: by what the kernel counts, and without a count."""

from __future__ import annotations

from pathlib import Path

import pytest

from psmr.execution.patience import LOOK_NS, Patience, Pressure

LEAST, MOST = 500, 20_000


class Machine:
    """A clock and a count of waited microseconds, both moved by hand."""

    def __init__(self) -> None:
        self.now_ns = 7
        self.waited_us: int | None = 1_000

    def pass_by(self, share: float, ns: int = LOOK_NS) -> None:
        self.now_ns += ns
        assert self.waited_us is not None
        self.waited_us += round(share * ns / 1000)

    def patience(self, least: int = LEAST, most: int = MOST) -> Patience:
        return Patience(least, most, lambda: self.waited_us, lambda: self.now_ns)


def test_nobody_is_patient_before_the_machine_was_seen_calm() -> None:
    assert Machine().patience().look() == LEAST


@pytest.mark.parametrize(("share", "spins"), [(0.0, MOST), (0.2, MOST), (0.4, LEAST), (0.9, LEAST)])
def test_a_calm_machine_makes_patient(share: float, spins: int) -> None:
    machine = Machine()
    patience = machine.patience()
    machine.pass_by(share)
    assert patience.look() == spins


@pytest.mark.parametrize(("share", "spins"), [(0.4, MOST), (0.6, LEAST)])
def test_who_is_patient_stays_so_until_the_machine_is_pressed(share: float, spins: int) -> None:
    machine = Machine()
    patience = machine.patience()
    machine.pass_by(0.0)
    assert patience.look() == MOST
    machine.pass_by(share)
    assert patience.look() == spins


def test_the_count_is_looked_at_once_a_while() -> None:
    machine = Machine()
    patience = machine.patience()
    machine.pass_by(0.0, LOOK_NS - 1)
    assert patience.look() == LEAST
    machine.pass_by(0.0, 1)
    assert patience.look() == MOST


def test_without_a_count_waiting_is_brief() -> None:
    machine = Machine()
    machine.waited_us = None
    patience = machine.patience()
    machine.now_ns += 10 * LOOK_NS
    assert patience.look() == LEAST


def test_a_count_that_ends_makes_waiting_brief_for_good() -> None:
    machine = Machine()
    patience = machine.patience()
    machine.pass_by(0.0)
    assert patience.look() == MOST
    machine.now_ns += LOOK_NS
    machine.waited_us = None
    assert patience.look() == LEAST
    machine.waited_us = 0
    machine.pass_by(0.0)
    assert patience.look() == LEAST


def test_no_patience_asked_for_needs_no_count() -> None:
    def refuse() -> int:
        raise AssertionError("expected no look at the count")

    assert Patience(LEAST, 0, refuse).look() == LEAST


def test_the_kernels_count_is_read(tmp_path: Path) -> None:
    file = tmp_path / "cpu"
    file.write_text("some avg10=1.02 avg60=2.27 avg300=6.78 total=12636597120\nfull avg10=0.00 total=3\n")
    pressure = Pressure(file)
    assert pressure.waited_us() == 12636597120
    pressure.close()
    assert pressure.waited_us() is None


def test_a_kernel_that_counts_nothing_gives_no_count(tmp_path: Path) -> None:
    assert Pressure(tmp_path / "none").waited_us() is None

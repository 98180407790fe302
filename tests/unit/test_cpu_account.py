"""Processor time by role: from two readings of the kernel's counters to nanoseconds a command."""

from __future__ import annotations

import os
import threading

from bench._cpu import CpuSample, ThreadTime, account, cpu_table, read_threads


def sample(at_s: float, busy_ticks: int, **threads: ThreadTime) -> CpuSample:
    places = {
        (name.rstrip("0123456789").replace("_", " "), number): time
        for number, (name, time) in enumerate(threads.items())
    }
    return CpuSample(places, at_s, busy_ticks)


def test_threads_of_one_role_count_together_and_new_ones_from_nothing() -> None:
    before = sample(10.0, 0, leader_loop=ThreadTime(500, 90, 1, 1), leader_network1=ThreadTime(70, 0, 0, 0))
    after = sample(
        12.0,
        0,
        leader_loop=ThreadTime(1500, 190, 4, 2),
        leader_network1=ThreadTime(170, 40, 0, 2),
        leader_network2=ThreadTime(200, 60, 0, 2),
        leader_workers=ThreadTime(),
    )
    row = account(before, after, commands=10)
    assert row["cpu_ns_per_command"] == {"leader loop": 100.0, "leader network": 30.0}
    assert row["cpu_wait_ns_per_command"] == {"leader loop": 10.0, "leader network": 10.0}
    assert row["cpu_system_share"] == {"leader loop": 0.25, "leader network": 1.0}


def test_what_others_used_is_said() -> None:
    second = os.sysconf("SC_CLK_TCK")
    before = sample(10.0, 0, client_loop=ThreadTime())
    after = sample(12.0, 3 * second, client_loop=ThreadTime(1_000_000_000))
    assert account(before, after, commands=1)["cores_elsewhere"] == 1.0
    # Ticks are coarse: what comes out below nothing is nothing.
    assert account(before, sample(12.0, 0, client_loop=ThreadTime(10**9)), commands=1)["cores_elsewhere"] == 0.0


def test_threads_of_a_process_are_told_apart() -> None:
    end = threading.Event()
    other = threading.Thread(target=end.wait)
    other.start()
    try:
        found = {(part, thread) for part, thread, _ in read_threads(os.getpid())}
    finally:
        end.set()
        other.join()
    assert ("loop", os.getpid()) in found
    assert ("other threads", other.native_id) in found


def test_a_process_that_has_ended_has_no_threads() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    assert list(read_threads(child)) == []


def test_the_table_has_a_role_a_row_and_adds_up() -> None:
    rows = {
        "disk": account(sample(0, 0), sample(1, 0, leader_loop=ThreadTime(1500), log_writer=ThreadTime(500)), 10),
        "memory": account(sample(0, 0), sample(1, 0, leader_loop=ThreadTime(12_345_000)), 10),
    }
    table = {line[0]: line[1:] for line in cpu_table(rows)}
    assert table["leader loop"] == ("150", "1,234,500")
    assert table["log writer"] == ("50.0", "–")
    assert table["all"] == ("200", "1,234,500")

"""A type checker sees through the decorators: a handler keeps its signature, and misuse is an error."""

from __future__ import annotations

from pathlib import Path

import pytest
from mypy import api

SERVICE = """
from __future__ import annotations

from typing import Annotated

from cdep import Max, StateMachine, dependent, i64, independent, partially_dependent, u64


class Accounts(StateMachine, version=2, spread_reads=("account",)):
    @partially_dependent("source", "target", domain="account", access={"source": "read"})
    def transfer(self, source: u64, target: u64, amount: i64) -> bool:
        return True

    @partially_dependent("name", access="read")
    def find(self, name: Annotated[bytes, Max(32)]) -> u64 | None:
        return u64(len(name))

    @dependent
    def close(self) -> None: ...

    @dependent(access="read")
    def total(self) -> i64:
        return i64(0)

    @independent
    def ping(self, code: u64) -> u64:
        return code


accounts = Accounts()
reveal_type(accounts.transfer)
reveal_type(accounts.find)
reveal_type(accounts.close)
reveal_type(accounts.total)
reveal_type(accounts.ping)
accounts.ping("one")
partially_dependent("key", access="reed")
dependent("key")
partially_dependent("key", acess="read")
"""


@pytest.mark.slow
def test_signatures_survive_and_misuse_is_found(tmp_path: Path) -> None:
    file = tmp_path / "accounts.py"
    file.write_text(SERVICE)
    out, err, _ = api.run(["--strict", "--cache-dir", str(tmp_path / "cache"), str(file)])
    assert err == ""
    lines = [line.split(": ", 1)[1] for line in out.splitlines() if line.startswith(str(file))]
    revealed = [line.split('"')[1] for line in lines if line.startswith("note: Revealed type")]
    wide = "signedinteger[numpy._typing._nbit_base._64Bit]"
    signed, unsigned = f"numpy.{wide}", f"numpy.un{wide}"
    assert revealed == [
        f"def (source: {unsigned}, target: {unsigned}, amount: {signed}) -> bool",
        f"def (name: bytes) -> {unsigned} | None",
        "def ()",
        f"def () -> {signed}",
        f"def (code: {unsigned}) -> {unsigned}",
    ]
    errors = [line for line in lines if line.startswith("error:")]
    assert [line.split()[-1] for line in errors] == ["[arg-type]", "[arg-type]", "[call-overload]", "[call-arg]"]
    assert 'Argument 1 to "ping"' in errors[0]
    assert "Literal['reed']" in errors[1]
    assert '"dependent"' in errors[2]
    assert '"acess"' in errors[3]

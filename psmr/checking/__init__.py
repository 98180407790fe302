"""Checking what clients saw: histories, and whether they are linearizable.

from psmr.checking import Operation, check

class Register:
    initial = 0
    read_only = {"get"}
    def step(self, state, command, arguments):
        return (arguments[0], None) if command == "put" else (state, state)
    def key(self, command, arguments):
        return None

verdict = check([Operation("a", 0, 9, "put", (1,), None), Operation("b", 3, 5, "get", (), 1)], Register())
print(verdict.text())
"""

from psmr.checking.history import Operation
from psmr.checking.linearizability import check
from psmr.checking.model import Model, Parting
from psmr.checking.verdict import Counterexample, Unplaceable, Verdict

__all__ = ["Counterexample", "Model", "Operation", "Parting", "Unplaceable", "Verdict", "check"]

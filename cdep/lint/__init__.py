"""A static check for what makes replicas differ: `lint` reads handlers and all that they call, and runs nothing.

rules.py        the codes: why replicas would differ, and the cure
names.py        names of libraries, by code
looking.py      `lint`: from a service's class to a report
program.py      which functions are read, and with what arguments
statements.py   on expressions.py on calls.py on unit.py: one function read
"""

from cdep.lint.looking import lint
from cdep.lint.report import Allowed, CannotLint, Finding, Report
from cdep.lint.rules import RULES, Rule

__all__ = ["RULES", "Allowed", "CannotLint", "Finding", "Report", "Rule", "lint"]

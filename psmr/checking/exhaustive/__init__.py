"""Every history of a few operations on a register, checked, and searched for an order in every way: this tests the checker."""

from psmr.checking.exhaustive.brute_force import has_an_order
from psmr.checking.exhaustive.groups import Group, groups
from psmr.checking.exhaustive.shapes import Shape, shapes

__all__ = ["Group", "Shape", "groups", "has_an_order", "shapes"]

"""Floats that are divided by zero, infinite or no number give the same replies and state interpreted and compiled."""

from __future__ import annotations

import itertools
import math

from execution_support import Raised, decode, engines, execute

from psmr import Array, StateMachine, f64, i64, independent, partially_dependent, u8

NUMBERS = (0.0, -0.0, 1.0, -7.5, 1e308, math.inf, -math.inf, math.nan)


class Division(StateMachine):
    """Every way to divide."""

    kept = Array(f64, capacity=200)

    @partially_dependent("row")
    def divide(self, row: u8, left: f64, right: f64) -> f64:
        """Notes how far it came."""
        self.kept[row] = 1.0
        self.kept[row] = left / right
        return self.kept[row]

    @independent
    def floor(self, left: f64, right: f64) -> f64:
        """The quotient, rounded down."""
        return left // right

    @independent
    def rest(self, left: f64, right: f64) -> f64:
        """What a division leaves."""
        return left % right

    @independent
    def divide_integers(self, left: i64, right: i64) -> f64:
        """A quotient of integers."""
        return left / right

    @independent
    def subtract(self, left: f64, right: f64) -> f64:
        """Gives a NaN, too, and raises nowhere."""
        return left - right


def test_whatever_is_divided_the_answers_are_the_same() -> None:
    pairs = list(itertools.product(NUMBERS, NUMBERS))
    calls = [("divide", (row, *pair)) for row, pair in enumerate(pairs)]
    calls += [(name, pair) for name in ("floor", "rest", "subtract") for pair in pairs]
    calls += [("divide_integers", pair) for pair in itertools.product((0, 1, -5), (0, 2))]
    with engines(Division, [1]) as made:
        replies = {name: execute(engine, [calls])[0] for name, engine in made.items()}
        assert len(set(replies.values())) == 1, {n: decode(e.layout, calls, replies[n]) for n, e in made.items()}
        assert len({engine.digest() for engine in made.values()}) == 1
        layout = next(iter(made.values())).layout
        answers = dict(zip(calls, decode(layout, calls, next(iter(replies.values()))), strict=True))
    assert isinstance(answers["divide_integers", (1, 0)], Raised)
    assert math.isnan(answers["subtract", (math.inf, math.inf)])

"""An exchange: orders reserve credit, are matched by price and time, and both parties of a fill are booked."""

from apps.exchange.file_flow import judge
from apps.exchange.model import ExchangeMeaning, ExchangeModel
from apps.exchange.plain import PlainExchange
from apps.exchange.staged import Exchange
from apps.exchange.workload import workload
from psmr.workload import Application

MESSAGES = "a LOBSTER message file"
CHECKED_PER_S = 4_000
"""A history of an exchange is checked whole: credit joins a client's instruments, and a fill two clients."""
APPLICATION = Application(Exchange, ExchangeModel, workload, ExchangeMeaning(), judge, CHECKED_PER_S, MESSAGES)
VARIANTS = {
    "staged": APPLICATION,
    "plain": Application(PlainExchange, ExchangeModel, workload, ExchangeMeaning(), judge, CHECKED_PER_S, MESSAGES),
}

__all__ = ["APPLICATION", "VARIANTS", "Exchange", "PlainExchange"]

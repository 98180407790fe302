"""A credit matrix: bilateral lines, gross limits, reservations that never exceed either."""

from apps.credit.codes import Answer
from apps.credit.model import CreditMeaning, CreditModel
from apps.credit.service import Credit
from apps.credit.workload import workload
from psmr.workload import Application

APPLICATION = Application(Credit, CreditModel, workload, CreditMeaning())

__all__ = ["APPLICATION", "Answer", "Credit"]

"""The key-value stores: get, put, delete, compare-and-set, clear, size."""

from apps.kv.model import KeyValueMeaning, KeyValueModel
from apps.kv.service import KV, IntegerKV
from apps.kv.trace import KEY_STREAM
from apps.kv.workload import byte_workload, integer_workload
from psmr.workload import Application

APPLICATION = Application(KV, KeyValueModel, byte_workload, KeyValueMeaning(), input=KEY_STREAM)
VARIANTS = {"integer": Application(IntegerKV, KeyValueModel, integer_workload, KeyValueMeaning(), input=KEY_STREAM)}

__all__ = ["APPLICATION", "KV", "VARIANTS", "IntegerKV"]

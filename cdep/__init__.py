"""From annotations at handlers to the dependency relation (C-Dep) and the groups that deliver a command (C-G).

Pure: no clock, no network, no processes; it knows nothing of the engine that uses it.
"""

from cdep.annotations import Annotation, annotation_of, dependent, independent, partially_dependent
from cdep.command import Access, Command, CommandKind, Dependency, EarlyStage, Parameter, Stage
from cdep.drawing import GroupsRow, RelationRow, groups_table, relation_svg, relation_table
from cdep.errors import CallError, DeclarationError
from cdep.groups import ALL_GROUPS, BytesColumn, Column, execution_order, group_of, mask, masks
from cdep.hashing import GROUPS
from cdep.relation import Call, Condition, condition, conflict, relation
from cdep.service import Service, StateField, StateMachine, fields_of, service_of
from cdep.staging import WAIT, Carried, early
from cdep.types import Max, Size, ValueType, f64, i8, i16, i32, i64, u8, u16, u32, u64, value_type

__all__ = [
    "ALL_GROUPS",
    "WAIT",
    "Access",
    "Annotation",
    "BytesColumn",
    "Call",
    "CallError",
    "Carried",
    "Column",
    "Command",
    "CommandKind",
    "Condition",
    "DeclarationError",
    "Dependency",
    "EarlyStage",
    "GROUPS",
    "GroupsRow",
    "Max",
    "Parameter",
    "RelationRow",
    "Service",
    "Size",
    "Stage",
    "StateField",
    "StateMachine",
    "ValueType",
    "annotation_of",
    "condition",
    "conflict",
    "dependent",
    "early",
    "execution_order",
    "f64",
    "fields_of",
    "group_of",
    "groups_table",
    "i16",
    "i32",
    "i64",
    "i8",
    "independent",
    "mask",
    "masks",
    "partially_dependent",
    "relation",
    "relation_svg",
    "relation_table",
    "service_of",
    "u16",
    "u32",
    "u64",
    "u8",
    "value_type",
]

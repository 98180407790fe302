"""What the file system means to `psmr.checking`: a pure step, path by path."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, NamedTuple

from apps.netfs.layout import DIRECTORY, FILE
from apps.netfs.model import NetFSModel
from apps.netfs.nodes import ROOT, Directory, File, Node, fault_of, split, with_name, without_name


class Unknown:
    """What can no longer be told of a path from its own history, and the reply to whatever is asked of it: any."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return 0

    def __repr__(self) -> str:
        return "(unknown)"


UNKNOWN = Unknown()
State = frozenset[tuple[bytes, Any]]
"""Each path that there is, and its node; in the history of one path it may be `UNKNOWN`."""


class Own(NamedTuple):
    """A change of structure as the path sees it that appears or goes."""

    path: bytes


class Entry(NamedTuple):
    """A change of structure as the directory sees it: the name that appears or goes."""

    directory: bytes
    name: bytes


class Lost(NamedTuple):
    """A change of structure after which nothing is known of a path."""

    path: bytes


_MADE: dict[str, tuple[int, Node]] = {"create": (FILE, File()), "mkdir": (DIRECTORY, Directory())}
_STRUCTURE = frozenset({"create", "mkdir", "unlink", "rmdir", "rename"})


class NetFSMeaning:
    """A step of the file system; see `psmr.checking.Model`.

    A change of structure concerns a path and its directory, and neither's own history says all that decides it. Where a path
    is made, its directory is taken to be there, and the file system to have room. After a renaming nothing is known
    of both paths and directories, after the removal of a directory nothing of the one that it was in: any reply will do.
    """

    initial: State = frozenset()
    read_only = frozenset({"read", "stat", "readdir"})

    def step(self, state: State, command: str, arguments: tuple[Any, ...], /) -> tuple[State, Any]:
        """The state after a call, and its reply."""
        match arguments[0]:
            case Lost(path):
                return _with(state, path, UNKNOWN), None
            case Own(path):
                return _with(state, path, _own(_node(state, path), command)), None
            case Entry(directory, name):
                return _with(state, directory, _entry(_node(state, directory), command, name)), None
        if any(node is UNKNOWN for _, node in state):
            return state, UNKNOWN
        model = NetFSModel()
        model.nodes = dict(state)
        reply = model.apply(command, arguments)
        return state if command in self.read_only else frozenset(model.nodes.items()), reply

    def key(self, command: str, arguments: tuple[Any, ...], /) -> Hashable | None:
        """The path; changes of structure have several."""
        return None if command in _STRUCTURE else arguments[0]

    def parts(self, command: str, arguments: tuple[Any, ...], /) -> dict[Hashable, tuple[Any, ...]]:
        """A change of structure, path by path."""
        if any(fault_of(path) or path == ROOT for path in arguments):
            return {}
        if command == "rename":
            source, target = arguments
            paths = () if source == target else (source, target, split(source)[0], split(target)[0])
            return {path: (Lost(path),) for path in paths}
        (path,) = arguments
        directory, name = split(path)
        return {path: (Own(path),), directory: (Entry(directory, name),)}


def _node(state: State, path: bytes) -> Any:
    return dict(state).get(path, Directory() if path == ROOT else None)


def _with(state: State, path: bytes, node: Any) -> State:
    rest = frozenset(entry for entry in state if entry[0] != path)
    return rest if node is None else rest | {(path, node)}


def _own(node: Any, command: str) -> Any:
    """What is under a path after it is made or removed."""
    if node is None and command in _MADE:
        return _MADE[command][1]
    is_removed = (command == "unlink" and isinstance(node, File)) or (
        command == "rmdir" and isinstance(node, Directory) and not node.names
    )
    return None if is_removed else node


def _entry(node: Any, command: str, name: bytes) -> Any:
    """A directory after a name in it is made or removed."""
    if not isinstance(node, Directory):
        return node
    kind = node.kind_of(name)
    if command in _MADE:
        return with_name(node, name, _MADE[command][0]) if kind is None and node.room(name) else node
    if command == "unlink":
        return without_name(node, name) if kind == FILE else node
    return UNKNOWN if kind == DIRECTORY else node

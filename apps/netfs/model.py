"""What the file system means: for each path a file or a directory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from apps.netfs import nodes
from apps.netfs.layout import NODES_MAX, Error, failed, pack_names
from apps.netfs.nodes import ROOT, Directory, File, Node, split


class NetFSModel:
    """The file system in plain sequential Python."""

    def __init__(self) -> None:
        self.nodes: dict[bytes, Node] = {}
        """By path; the root is here once it was changed."""
        self._commands: dict[str, Callable[..., Any]] = {
            "read": lambda path, *rest: self._told(path, lambda node: nodes.read(node, *rest)),
            "stat": lambda path: self._told(path, nodes.stat),
            "readdir": lambda path, after: self._told(path, lambda node: nodes.listed(node, after)),
            "write": lambda path, *rest: self._changed(path, lambda node: nodes.written(node, *rest)),
            "truncate": lambda path, size: self._changed(path, lambda node: nodes.truncated(node, size)),
            "utimens": lambda path, time_us: self._changed(path, lambda node: nodes.timed(node, time_us)),
            "create": lambda path: self._make(path, File()),
            "mkdir": lambda path: self._make(path, Directory()),
            "unlink": self._unlink,
            "rmdir": self._rmdir,
            "rename": self._rename,
        }

    def apply(self, command: str, arguments: Sequence[Any]) -> Any:
        """Execute one call; what cannot be done is told by the reply."""
        return self._commands[command](*arguments)

    def node(self, path: bytes) -> Node | None:
        """What is under a path."""
        return self.nodes.get(path, Directory() if path == ROOT else None)

    def state(self) -> dict[str, Any]:
        """As `layout` says that it lies."""
        found: dict[str, dict[bytes, Any]] = {"nodes": {}, "times": {}, "names": {}, "blocks": {}}
        for path, node in self.nodes.items():
            kind, size, changes, _ = node.status()
            found["nodes"][path] = kind | size << 1 | changes << 32
            if node.modified_us is not None:
                found["times"][path] = node.modified_us
            if isinstance(node, File):
                found["blocks"].update((path + bytes([number]), data) for number, data in node.blocks().items())
            elif node.names:
                found["names"][path] = pack_names(name for name, _ in node.names)
        return found

    def _told(self, path: bytes, tell: Callable[[Node], bytes]) -> bytes:
        node = self.node(path)
        return failed(nodes.fault_of(path) or Error.ENOENT) if node is None else tell(node)

    def _changed(self, path: bytes, change: Callable[[Node], tuple[Node, Error]]) -> Error:
        node = self.node(path)
        if node is None:
            return nodes.fault_of(path) or Error.ENOENT
        after, error = change(node)
        if after != node:
            self.nodes[path] = after
        return error

    def _directory(self, path: bytes) -> Directory | Error:
        found = self.node(path)
        if isinstance(found, Directory):
            return found
        return Error.ENOENT if found is None else Error.ENOTDIR

    def _make(self, path: bytes, made: Node) -> Error:
        if fault := nodes.fault_of(path):
            return fault
        if self.node(path) is not None:
            return Error.EEXIST
        parent, name = split(path)
        directory = self._directory(parent)
        if isinstance(directory, Error):
            return directory
        if len(self.nodes) >= NODES_MAX or not directory.room(name):
            return Error.ENOSPC
        self.nodes[path] = made
        self.nodes[parent] = nodes.with_name(directory, name, made.status().kind)
        return Error.OK

    def _unlink(self, path: bytes) -> Error:
        match self.node(path):
            case None:
                return nodes.fault_of(path) or Error.ENOENT
            case Directory():
                return Error.EISDIR
        self._remove(path)
        return Error.OK

    def _rmdir(self, path: bytes) -> Error:
        node = self.node(path)
        if node is None:
            return nodes.fault_of(path) or Error.ENOENT
        if path == ROOT:
            return Error.EBUSY
        if isinstance(node, File):
            return Error.ENOTDIR
        if node.names:
            return Error.ENOTEMPTY
        self._remove(path)
        return Error.OK

    def _remove(self, path: bytes) -> None:
        del self.nodes[path]
        parent, name = split(path)
        directory = self.node(parent)
        assert isinstance(directory, Directory)
        self.nodes[parent] = nodes.without_name(directory, name)

    def _rename(self, source: bytes, target: bytes) -> Error:
        if fault := nodes.fault_of(source) or nodes.fault_of(target):
            return fault
        if ROOT in (source, target):
            return Error.EBUSY
        moved = self.node(source)
        if moved is None:
            return Error.ENOENT
        if source == target:
            return Error.OK
        if fault := self._no_rename(source, moved, target):
            return fault
        is_new = self.node(target) is None
        self._remove(source)
        self.nodes[target] = moved
        parent, name = split(target)
        directory = self.node(parent)
        assert isinstance(directory, Directory)
        added = nodes.with_name(directory, name, moved.status().kind)
        self.nodes[parent] = added if is_new else nodes.counted(directory)
        return Error.OK

    def _no_rename(self, source: bytes, moved: Node, target: bytes) -> Error:
        if target.startswith(source + b"/"):
            return Error.EINVAL
        if isinstance(moved, Directory) and moved.names:
            return Error.EXDEV
        parent, name = split(target)
        directory = self._directory(parent)
        if isinstance(directory, Error):
            return directory
        replaced = self.node(target)
        if replaced is None:
            if parent == split(source)[0]:
                directory = nodes.without_name(directory, split(source)[1])
            return Error.OK if directory.room(name) else Error.ENOSPC
        if isinstance(replaced, File) != isinstance(moved, File):
            return Error.EISDIR if isinstance(replaced, Directory) else Error.ENOTDIR
        return Error.ENOTEMPTY if isinstance(replaced, Directory) and replaced.names else Error.OK

"""A strict reader of EDN (github.com/edn-format/edn), the notation of Jepsen's histories.

It knows what data can hold: nil, booleans, numbers, strings, characters, keywords, symbols, vectors, lists, maps, sets,
tagged values and `#_`. A map with a tag (`#jepsen.history.Op{...}`) is read as the map.
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple, NoReturn

from psmr.checking.values import FALSE, TRUE, FrozenMap, Keyword, Symbol, Tagged
from psmr.errors import ConfigurationError

DEPTH_MAX = 64
DIGITS_MAX = 1000

_TOKEN = re.compile(
    r"""(?:[\s,]|;[^\n]*+)*+(?:
        (?P<open>[\[({]|\#\{) | (?P<close>[\])}]) | "(?P<string>(?:[^"\\]|\\.)*+)" | (?P<discard>\#_)
      | \#(?P<tag>[A-Za-z][\w.*+!?$%&=<>/-]*+) | \\(?P<character>u[0-9a-fA-F]{4}(?!\w)|[a-z]{2,}+|\S)
      | (?P<atom>[^\s,;"()\[\]{}\\\#][^\s,;"()\[\]{}\\]*+) | (?P<end>\Z))""",
    re.VERBOSE | re.DOTALL,
)
_INTEGER = re.compile(r"[+-]?(?:0|[1-9][0-9]*+)N?", re.ASCII)
_FLOAT = re.compile(r"[+-]?(?:0|[1-9][0-9]*+)(?:\.[0-9]*+)?(?:[eE][+-]?[0-9]++)?M?", re.ASCII)
_NAME = re.compile(r"(?:[^\W\d]|[.*+!?$%&=<>/_-])[\w.*+!?$%&=<>/:'#-]*+")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_CODE_POINT = re.compile(r"u[0-9a-fA-F]{4}")
_ESCAPED = {"t": "\t", "r": "\r", "n": "\n", "b": "\b", "f": "\f", "\\": "\\", '"': '"'}
_CHARACTERS = {"newline": "\n", "return": "\r", "space": " ", "tab": "\t", "backspace": "\b", "formfeed": "\f"}
_CLOSED_BY = {"[": "]", "(": ")", "{": "}", "#{": "}"}
_CONSTANTS = {"nil": None, "true": TRUE, "false": FALSE}
_NOTHING = object()


class _Open(NamedTuple):
    """A collection that has been begun, and the `#_` and `#tag` that wait for its next element, outermost first."""

    kind: str
    at: int
    elements: list[Any]
    prefixes: list[str]


def read_edn(text: str) -> list[Any]:
    """Every value of `text`; sequences as tuples, maps as `FrozenMap`, sets as frozensets.

    Raises ConfigurationError, with the line, for what is not EDN, and for nesting deeper than 64.
    """
    return _Reader(text).read()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._atoms: dict[str, Any] = dict(_CONSTANTS)
        self._stack = [_Open("", 0, [], [])]

    def read(self) -> list[Any]:
        text, match, atoms = self._text, _TOKEN.match, self._atoms
        at = 0
        while True:
            found = match(text, at)
            if found is None:
                self._fail(at, "a value", f"{_rest(text, at)}, which begins none")
            at, kind = found.end(), found.lastgroup
            if kind == "atom":
                word = found["atom"]
                value = atoms.get(word, _NOTHING)
                if value is _NOTHING:
                    value = atoms[word] = self._atom(word, found.start("atom"))
                self._add(value)
            elif kind == "string":
                self._add(self._string(found["string"], at))
            elif kind == "open":
                self._open(found["open"], at)
            elif kind == "close":
                self._close(found["close"], at)
            elif kind == "end":
                return self._end(at)
            elif kind == "character":
                self._add(self._character(found["character"], at))
            else:
                self._prefix("" if kind == "discard" else found["tag"], at)

    def _add(self, value: Any) -> None:
        top = self._stack[-1]
        while top.prefixes:
            tag = top.prefixes.pop()
            if not tag:
                return
            value = value if isinstance(value, FrozenMap) else Tagged(tag, value)
        top.elements.append(value)

    def _prefix(self, tag: str, at: int) -> None:
        prefixes = self._stack[-1].prefixes
        if len(prefixes) == DEPTH_MAX:
            self._fail(at, f"at most {DEPTH_MAX} tags on one value", "more")
        prefixes.append(tag)

    def _open(self, kind: str, at: int) -> None:
        if len(self._stack) > DEPTH_MAX:
            self._fail(at, f"values nested at most {DEPTH_MAX} deep", "deeper ones")
        self._stack.append(_Open(kind, at, [], []))

    def _close(self, bracket: str, at: int) -> None:
        top = self._stack[-1]
        if top.prefixes:
            self._fail(at, "a value after # and a tag", f'"{bracket}"')
        if _CLOSED_BY.get(top.kind) != bracket:
            self._fail(at, f'"{_CLOSED_BY[top.kind]}"' if top.kind else "a value", f'"{bracket}"')
        self._stack.pop()
        self._add(self._collection(top.kind, top.elements, at))

    def _collection(self, kind: str, elements: list[Any], at: int) -> Any:
        if kind == "{":
            if len(elements) % 2:
                self._fail(at, "a value for every key of a map", "a key without one")
            made = FrozenMap(zip(elements[::2], elements[1::2], strict=True))
            if len(made) * 2 != len(elements):
                self._fail(at, "keys of a map to differ", "two equal ones")
            return made
        if kind == "#{":
            distinct = frozenset(elements)
            if len(distinct) != len(elements):
                self._fail(at, "elements of a set to differ", "two equal ones")
            return distinct
        return tuple(elements)

    def _end(self, at: int) -> list[Any]:
        top = self._stack[-1]
        if top.prefixes:
            self._fail(at, "a value after # and a tag", "the end")
        if top.kind:
            begun = self._line(top.at)
            self._fail(at, f'"{_CLOSED_BY[top.kind]}" for the "{top.kind}" of line {begun}', "the end")
        return top.elements

    def _atom(self, word: str, at: int) -> Any:
        if word[0] == ":" and _NAME.fullmatch(word, 1):
            return Keyword(word[1:])
        if len(word) > DIGITS_MAX:
            self._fail(at, f"names and numbers of at most {DIGITS_MAX} characters", f"one of {len(word)}")
        if _INTEGER.fullmatch(word):
            return int(word.rstrip("N"))
        if _FLOAT.fullmatch(word):
            return float(word.rstrip("M"))
        if word[0] != ":" and not re.match(r"[+-]?\d", word) and _NAME.fullmatch(word):
            return Symbol(word)
        self._fail(at, "a value", f"{_rest(word, 0)}, which is neither a number nor a name")

    def _string(self, raw: str, at: int) -> str:
        if "\\" not in raw:
            return raw

        def unescaped(found: re.Match[str]) -> str:
            code = found[1]
            if len(code) == 5:
                return chr(int(code[1:], 16))
            if code not in _ESCAPED:
                self._fail(at, 'one of \\t \\r \\n \\b \\f \\\\ \\" \\uXXXX in a string', f"\\{code}")
            return _ESCAPED[code]

        return _ESCAPE.sub(unescaped, raw)

    def _character(self, code: str, at: int) -> Tagged:
        if len(code) == 1:
            return Tagged("char", code)
        if _CODE_POINT.fullmatch(code):
            return Tagged("char", chr(int(code[1:], 16)))
        if code not in _CHARACTERS:
            self._fail(at, "a character", f"\\{code[:20]}")
        return Tagged("char", _CHARACTERS[code])

    def _line(self, at: int) -> int:
        return self._text.count("\n", 0, at) + 1

    def _fail(self, at: int, expected: str, found: str) -> NoReturn:
        raise ConfigurationError(f"line {self._line(at)}: expected {expected}, found {found}: mend the EDN")


def _rest(text: str, at: int) -> str:
    return repr(text[at : at + 200].strip()[:20])

"""What a client of one kind says when it is used as one of the other, in place of Python's word for a missing method.

A type checker must not see these methods: it would take the mistake for right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NoReturn

from psmr.errors import InvalidCall

_NOT_BLOCKING: Final = (
    "expected `async with` for a client that awaits its calls, found `with`: write `async with connect(...)`, or "
    "`with connect_blocking(...)` for one that waits"
)
_NOT_ASYNCHRONOUS: Final = (
    "expected `with` for a client that waits, found `async with` or `await`: write `with connect_blocking(...)`, or "
    "`async with connect(...)` for one whose calls are awaited"
)


class NotBlocking:
    """An asynchronous client, or what becomes one."""

    __slots__ = ()

    if not TYPE_CHECKING:

        def __enter__(self) -> NoReturn:
            raise InvalidCall(_NOT_BLOCKING)

        def __exit__(self, *_: object) -> None:
            """Python looks for it before it enters."""


class NotYet:
    """What becomes a client when it is awaited."""

    __slots__ = ()

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            raise AttributeError(
                f"{name}: expected a client that is connected, found one that is not yet: write "
                "`async with connect(...) as client`, or `client = await connect(...)`"
            )


class NotAsynchronous:
    """A blocking client; it has connected already when the mistake shows, so it hangs up."""

    __slots__ = ()

    if not TYPE_CHECKING:

        def __await__(self) -> NoReturn:
            self.close()
            raise InvalidCall(_NOT_ASYNCHRONOUS)

        async def __aenter__(self) -> NoReturn:
            self.close()
            raise InvalidCall(_NOT_ASYNCHRONOUS)

        async def __aexit__(self, *_: object) -> None:
            """Python looks for it before it enters."""

"""Every wrong declaration is refused while the class is defined, in one line with class, method and cure."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Annotated, Any

import pytest

from cdep import (
    DeclarationError,
    Max,
    StateField,
    StateMachine,
    dependent,
    early,
    f64,
    i64,
    independent,
    partially_dependent,
    service_of,
    u64,
)


class Cell(StateField):
    def specification(self) -> str:
        return "Cell()"


def key_unknown() -> None:
    class Bank(StateMachine):
        @partially_dependent("acount")
        def pay(self, account: u64) -> None: ...


def key_without_type() -> None:
    class Bank(StateMachine):
        @partially_dependent("account")
        def pay(self, account) -> None: ...  # type: ignore[no-untyped-def]


def keys_forgotten() -> None:
    class Bank(StateMachine):
        @partially_dependent  # type: ignore[arg-type]
        def pay(self, account: u64) -> None: ...


def initialised() -> None:
    class Bank(StateMachine):
        def __init__(self) -> None:
            self.accounts = 0


def unannotated() -> None:
    class Bank(StateMachine):
        def pay(self, account: u64) -> None: ...


def annotated_twice() -> None:
    class Bank(StateMachine):
        @dependent
        @independent
        def pay(self) -> None: ...


def private_but_annotated() -> None:
    class Bank(StateMachine):
        @dependent
        def _pay(self) -> None: ...


def star_args() -> None:
    class Bank(StateMachine):
        @dependent
        def pay(self, *accounts: u64) -> None: ...


def star_keywords() -> None:
    class Bank(StateMachine):
        @dependent
        def pay(self, **accounts: u64) -> None: ...


def keyword_only() -> None:
    class Bank(StateMachine):
        @dependent
        def pay(self, *, account: u64) -> None: ...


def default() -> None:
    class Bank(StateMachine):
        @dependent
        def pay(self, account: bool = True) -> None: ...


def no_self() -> None:
    class Bank(StateMachine):
        @dependent
        def pay() -> None: ...  # type: ignore[misc]


def no_return_type() -> None:
    class Bank(StateMachine):
        @dependent
        def pay(self, account: u64): ...  # type: ignore[no-untyped-def]


def wrong_parameter_type() -> None:
    class Bank(StateMachine):
        @dependent
        def pay(self, account: int) -> None: ...


def wrong_reply_type() -> None:
    class Bank(StateMachine):
        @dependent
        def pay(self) -> str:
            return ""


def reply_of_two_types() -> None:
    class Bank(StateMachine):
        @dependent
        def pay(self) -> u64 | i64 | None: ...


def unknown_type_name() -> None:
    class Bank(StateMachine):
        @dependent
        def pay(self, account: Missing) -> None: ...  # type: ignore[name-defined]  # noqa: F821


def unreadable_type() -> None:
    class Bank(StateMachine):
        @dependent
        def pay(self, account: Annotated.missing) -> None: ...  # type: ignore[name-defined]


def float_key() -> None:
    class Bank(StateMachine):
        @partially_dependent("price")
        def pay(self, price: f64) -> None: ...


def same_key_twice() -> None:
    class Bank(StateMachine):
        @partially_dependent("account", "account")
        def pay(self, account: u64) -> None: ...


def no_key() -> None:
    class Bank(StateMachine):
        @partially_dependent()
        def pay(self, account: u64) -> None: ...


def key_is_no_name() -> None:
    class Bank(StateMachine):
        @partially_dependent(7)  # type: ignore[arg-type]
        def pay(self, account: u64) -> None: ...


def wrong_access() -> None:
    class Bank(StateMachine):
        @partially_dependent("account", access="reed")  # type: ignore[arg-type]
        def pay(self, account: u64) -> None: ...


def wrong_access_of_dependent() -> None:
    class Bank(StateMachine):
        @dependent(access="none")  # type: ignore[call-overload, untyped-decorator]
        def pay(self, account: u64) -> None: ...


def access_for_no_key() -> None:
    class Bank(StateMachine):
        @partially_dependent("account", access={"amount": "read"})
        def pay(self, account: u64, amount: u64) -> None: ...


def domain_for_no_key() -> None:
    class Bank(StateMachine):
        @partially_dependent("account", domain={"amount": "account"})
        def pay(self, account: u64, amount: u64) -> None: ...


def empty_domain() -> None:
    class Bank(StateMachine):
        @partially_dependent("account", domain="")
        def pay(self, account: u64) -> None: ...


def public_static() -> None:
    class Bank(StateMachine):
        @staticmethod
        def pay(account: u64) -> None: ...


def public_class_method() -> None:
    class Bank(StateMachine):
        @classmethod
        def pay(cls, account: u64) -> None: ...


def public_property() -> None:
    class Bank(StateMachine):
        @property
        def pay(self) -> u64:
            return u64(1)


def annotated_property() -> None:
    class Bank(StateMachine):
        @independent  # type: ignore[prop-decorator]
        @property
        def pay(self) -> u64:
            return u64(1)


def coroutine() -> None:
    class Bank(StateMachine):
        @dependent
        async def pay(self) -> None: ...


def generator() -> None:
    class Bank(StateMachine):
        @dependent
        def pay(self) -> u64:  # type: ignore[misc]
            yield u64(1)


def kinds_of_key_differ() -> None:
    class Bank(StateMachine):
        @partially_dependent("account")
        def open(self, account: u64) -> None: ...

        @partially_dependent("name", domain="account")
        def pay(self, name: Annotated[bytes, Max(8)]) -> None: ...


def command_hidden() -> None:
    class Base(StateMachine):
        @dependent
        def pay(self) -> None: ...

    class Bank(Base):
        pay = 5  # type: ignore[assignment]


def state_hidden() -> None:
    class Base(StateMachine):
        pay = Cell()

    class Bank(Base):
        @dependent
        def pay(self) -> None: ...  # type: ignore[override]


def state_with_two_names() -> None:
    class Bank(StateMachine):
        other = pay = Cell()


@pytest.mark.parametrize(
    ("declare", "found", "cure"),
    [
        (key_unknown, "names 'acount', which is no parameter", "use one of: account"),
        (key_without_type, "parameter 'account' has no type", "add one, such as 'account: u64'"),
        (keys_forgotten, "@partially_dependent names no parameter", 'write @partially_dependent("...")'),
        (initialised, "is never called", "declare state in the class as a Map, Array or Table"),
        (unannotated, "is public but not annotated", "annotate it with @independent, @partially_dependent(...)"),
        (annotated_twice, "has two annotations", "keep the one that is true"),
        (private_but_annotated, "is private, yet annotated", "remove the annotation or the '_'"),
        (star_args, "variadic positional", "give each parameter a name and a type"),
        (star_keywords, "variadic keyword", "give each parameter a name and a type"),
        (keyword_only, "keyword-only", "give each parameter a name and a type"),
        (default, "parameter 'account' has a default", "remove it"),
        (no_self, "has no 'self'", "make it the first parameter"),
        (no_return_type, "has no return type", "add '-> None'"),
        (wrong_parameter_type, "parameter 'account' has the type int", "give it a width"),
        (wrong_reply_type, "the reply has the type str", "use Annotated[bytes, Max(n)]"),
        (reply_of_two_types, "the reply has the type", "use one type T, or 'T | None'"),
        (unknown_type_name, "a type is called 'Missing'", "import it in the service's module"),
        (unreadable_type, "a type cannot be read", "correct the annotation"),
        (float_key, "key 'price' is an f64", "use an integer, bool or bytes"),
        (same_key_twice, "names 'account' twice", "name it once"),
        (no_key, "names no parameter", "name its keys, or use @dependent or @independent"),
        (key_is_no_name, "@partially_dependent(7) names no parameter", 'write names: @partially_dependent("key")'),
        (wrong_access, "'reed' is no access", 'use "read" or "write"'),
        (wrong_access_of_dependent, "'none' is no access", 'use "read" or "write"'),
        (access_for_no_key, "access is given for 'amount', which is no key", "use one of: account"),
        (domain_for_no_key, "domain is given for 'amount', which is no key", "use one of: account"),
        (empty_domain, "'' is no domain", "use a plain name"),
        (public_static, "is a public staticmethod", "make it a plain annotated method, or start its name with '_'"),
        (public_class_method, "is a public classmethod", "make it a plain annotated method"),
        (public_property, "is a public property", "make it a plain annotated method"),
        (annotated_property, "the annotation is on a property", "put it on a plain method"),
        (coroutine, "is no sequential function", "without async and yield"),
        (generator, "is no sequential function", "without async and yield"),
        (kinds_of_key_differ, "is bytes, but open(account) is integer", "give them one type, or name another domain"),
        (command_hidden, "hides an inherited command", "give it another name"),
        (state_hidden, "hides inherited state", "give it another name"),
        (state_with_two_names, "is the same state as 'other'", "declare each name with a field of its own"),
    ],
)
def test_message_names_class_method_and_cure(declare: Callable[[], None], found: str, cure: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        declare()
    message = str(caught.value)
    assert message.startswith(("Bank.pay: ", "Bank._pay: ", "Bank.__init__: "))
    assert found in message
    assert cure in message
    assert "\n" not in message


def test_dependent_takes_no_key() -> None:
    with pytest.raises(DeclarationError, match=r"@dependent\('account'\) takes no key; write @partially_dependent"):
        dependent("account")  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (
            lambda: partially_dependent("account", acess="read"),  # type: ignore[call-arg]
            "@partially_dependent has no option 'acess' (did you mean access?); write @partially_dependent(\"key\", ",
        ),
        (
            lambda: dependent(reads=True),  # type: ignore[call-overload]
            "@dependent has no option 'reads' (it has access); write @dependent or @dependent(access=\"read\")",
        ),
        (lambda: dependent(len, len), "@dependent: too many positional arguments; write @dependent or "),  # type: ignore[call-overload]
        (independent, "@independent: missing a required argument: 'function'; write @independent, without brackets"),
        (
            lambda: independent(access="read"),  # type: ignore[call-arg]
            "@independent has no option 'access' (it has none); write @independent, without brackets",
        ),
        (
            lambda: early(len, domian="bank"),  # type: ignore[call-arg]
            '@early has no option \'domian\' (did you mean domain?); write @early(handler, "key", domain="...")',
        ),
    ],
)
def test_a_decorator_says_how_it_is_written(declare: Callable[[], object], message: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        declare()
    where, _, said = str(caught.value).partition(": ")
    assert where.startswith(f"{__file__}:")
    assert said.startswith(message)
    assert "\n" not in str(caught.value)


def _bank(**keywords: Any) -> type[StateMachine]:
    class Bank(StateMachine, **keywords):
        @partially_dependent("account")
        def pay(self, account: u64) -> None: ...

    return Bank


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"spread_reads": ("acount",)}, "Bank: spread_reads names 'acount', which is no domain; use one of: account"),
        ({"spread_reads": "account"}, "Bank: spread_reads is a string; write spread_reads=('account',)"),
        ({"version": 0}, "Bank: 0 is no version; use a whole number from 1 on"),
        (
            {"versoin": 2},
            "Bank: has no option 'versoin' (did you mean version?); write class Bank(StateMachine, version=2)",
        ),
        (
            {"replicas": 3},
            "Bank: has no option 'replicas' (it has version, spread_reads, order); write class Bank(StateMachine, version=2)",
        ),
        ({"version": "2"}, "Bank: '2' is no version; use a whole number from 1 on"),
    ],
)
def test_class_keywords(keywords: dict[str, Any], message: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        _bank(**keywords)
    assert str(caught.value) == message


def test_an_op_has_16_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is lowered: 65,536 real handlers would take a minute to declare and show no more."""

    def act(self: object) -> None: ...

    def declare(count: int) -> type[StateMachine]:
        copies = {f"act_{at}": FunctionType(act.__code__, act.__globals__, f"act_{at}") for at in range(count)}
        for copy in copies.values():
            copy.__annotations__ = {"return": None}
        return type("Bank", (StateMachine,), {name: dependent(copy) for name, copy in copies.items()})

    monkeypatch.setattr("cdep.service.LIMIT_OF_COMMANDS", 3)
    assert len(service_of(declare(3)).commands) == 3
    with pytest.raises(DeclarationError, match="Bank: has 4 commands, and an op has 16 bits; use at most 3"):
        declare(4)

"""Finding a service, or the application around it, from what a user wrote.

    kv                  the module apps.kv (or, if there is none, a module kv): its service
    kv:integer          its variant of that name
    apps.kv:KV          that class of that module
    bank.ledger         the module's SERVICE, its APPLICATION's service, or its only state machine

Modules in the current directory are found as by `python -m`. What cannot be found or imported is a ConfigurationError
of one line; a class with a wrong annotation is a DeclarationError, passed on as it is.
"""

from __future__ import annotations

import difflib
import importlib
import os
import pkgutil
import re
import sys
import sysconfig
import traceback
from types import ModuleType
from typing import NoReturn, TypeGuard

from cdep import DeclarationError, StateMachine
from psmr.errors import ConfigurationError
from psmr.workload import Application

APPS = "apps"
_TEXT = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(:[A-Za-z_]\w*)?", re.ASCII)
_FORMS = '"kv", "kv:integer", "apps.kv:KV" or "package.module"'
_LIBRARY = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})


def find_service(text: str) -> type[StateMachine]:
    """The state machine that `text` names."""
    module, name = _open(text)
    if not name:
        return _service_of_module(module, text)
    found = getattr(module, name, None)
    if _is_service(found):
        return found
    if isinstance(found, Application):
        return found.service
    variant = _variants(module).get(name)
    if variant is None:
        _fail_for_name(module, name, found)
    return variant.service


def find_application(text: str) -> Application:
    """The application that `text` names: a service with its model and its workload."""
    module, name = _open(text)
    variants = _variants(module)
    main = getattr(module, "APPLICATION", None)
    known = [application for application in (main, *variants.values()) if isinstance(application, Application)]
    if not name:
        if isinstance(main, Application):
            return main
        _fail(text, "a module with an APPLICATION (service, model, workload)", "none", _cure_for_application())
    if name in variants:
        return variants[name]
    found = getattr(module, name, None)
    if isinstance(found, Application):
        return found
    for application in known:
        if application.service is found:
            return application
    if _is_service(found):
        _fail(text, f"an Application with the service {name}", "a service without one", _cure_for_application())
    _fail_for_name(module, name, found)


def variants_of(app: str) -> dict[str, Application]:
    """The variants of an application, by name."""
    module, _ = _open(app)
    return _variants(module)


def find_object(text: str) -> object:
    """What "module:name" names: a variant of an application, or whatever the module has under that name."""
    module, name = _open(text)
    if not name:
        _fail(text, "the name of an object too", "a module's alone", f"name one: {text}:NAME")
    found = _variants(module).get(name, getattr(module, name, None))
    if found is None:
        names = [known for known in vars(module) if not known.startswith("_")]
        close = difflib.get_close_matches(name, names, n=1)
        cure = f"did you mean {close[0]}?" if close else "name what is at the top of that module"
        _fail(text, "an object of that name", "none", cure)
    return found


def service_text(owner: type[StateMachine]) -> str:
    """What `find_service` finds the class by, in another process too: "module:class"."""
    if owner.__module__ == "__main__" or owner.__qualname__ != owner.__name__:
        _fail(
            owner.__qualname__,
            "a class that other processes can import by module and name",
            f"one defined in {owner.__module__ if owner.__module__ == '__main__' else owner.__qualname__}",
            "move it to the top of a module of its own",
        )
    return f"{owner.__module__}:{owner.__name__}"


def app_names() -> list[str]:
    """The short names of the applications that come with the engine."""
    try:
        package = importlib.import_module(APPS)
    except ModuleNotFoundError:
        return []
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__) if module.ispkg)


def _open(text: str) -> tuple[ModuleType, str]:
    """The module that `text` names, imported, and the name after its colon, or nothing."""
    if not _TEXT.fullmatch(text):
        _fail(text or '""', f"a service such as {_FORMS}", f"{text!r}", "correct it")
    module_name, _, name = text.partition(":")
    here = os.getcwd()
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)
    names = [module_name] if "." in module_name else [f"{APPS}.{module_name}", module_name]
    for candidate in names:
        module = _import(candidate)
        if module is not None:
            return module, name
    _fail_for_module(module_name)


def _import(name: str) -> ModuleType | None:
    """The module, or None if there is none of that name; whatever its own code raises is the caller's fault."""
    try:
        return importlib.import_module(name)
    except DeclarationError:
        raise
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a module may raise anything while it is imported
        if isinstance(error, ModuleNotFoundError) and error.name and f"{name}.".startswith(f"{error.name}."):
            return None
        found = f"{type(error).__name__}: {_first_line(error)} ({_place(error)})"
        _fail(name, "a module that can be imported", found, "correct it there")


def _place(error: BaseException) -> str:
    """Where the user's code went wrong: the deepest line that is not the library's."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith("<") and frame.filename not in (__file__, importlib.__file__)
    ]
    own = [frame for frame in frames if not frame.filename.startswith(_LIBRARY)] or frames
    return f"{own[-1].filename}:{own[-1].lineno}" if own else "while importing"


def _first_line(error: BaseException) -> str:
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    return (text.splitlines() or ["no message"])[0]


def _service_of_module(module: ModuleType, text: str) -> type[StateMachine]:
    declared = getattr(module, "SERVICE", None)
    if _is_service(declared):
        return declared
    application = getattr(module, "APPLICATION", None)
    if isinstance(application, Application):
        return application.service
    services = _services(module)
    if len(services) == 1:
        return next(iter(services.values()))
    if not services:
        _fail(text, "a module with a class based on psmr.StateMachine", "none", "define one, or name another module")
    choices = " or ".join(f"{module.__name__}:{name}" for name in services)
    _fail(text, "one state machine", f"{len(services)}", f"name one: {choices}")


def _services(module: ModuleType) -> dict[str, type[StateMachine]]:
    """The state machines that a module defines, or a package gathers from its own modules, by name."""
    own = (module.__name__, f"{module.__name__}.")
    return {
        name: value
        for name, value in vars(module).items()
        if _is_service(value)
        and (value.__module__ == own[0] or value.__module__.startswith(own[1]))
        and not name.startswith("_")
    }


def _is_service(value: object) -> TypeGuard[type[StateMachine]]:
    return isinstance(value, type) and issubclass(value, StateMachine) and value is not StateMachine


def _variants(module: ModuleType) -> dict[str, Application]:
    variants = getattr(module, "VARIANTS", None)
    if not isinstance(variants, dict):
        return {}
    return {name: value for name, value in variants.items() if isinstance(value, Application)}


def _fail_for_module(name: str) -> NoReturn:
    apps = app_names()
    known = [*apps, *(f"{APPS}.{app}" for app in apps)]
    close = difflib.get_close_matches(name, known, n=1)
    cure = f"did you mean {close[0]}?" if close else f"give one of {', '.join(apps) or _FORMS}, or your own module"
    found = f"none called {name} here ({os.getcwd()}), among the applications or on PYTHONPATH"
    _fail(name, "a service's module", found, cure)


def _fail_for_name(module: ModuleType, name: str, found: object) -> NoReturn:
    known = {word.lower(): word for word in (*_services(module), *_variants(module))}
    close = [known[word] for word in difflib.get_close_matches(name.lower(), known, n=1)]
    cure = f"did you mean {close[0]}?" if close else f"it has: {', '.join(known.values()) or 'none'}"
    what = "nothing of that name" if found is None else f"{type(found).__name__} {name}"
    _fail(f"{module.__name__}:{name}", "a state machine or a variant", what, cure)


def _cure_for_application() -> str:
    return f"define APPLICATION = Application(...) there, or use one of {', '.join(app_names()) or 'the applications'}"


def _fail(what: str, expected: str, found: str, cure: str) -> NoReturn:
    raise ConfigurationError(f"{what}: expected {expected}, found {found}: {cure}")

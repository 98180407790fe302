"""How a function that is always merged into its callers is compiled: to an intermediate form, and no further.

Numba optimises every function with all that it calls, and makes machine code of it, before its caller gets to see it. Of a
function that is merged into each caller nobody ever runs that machine code, and what was optimised is optimised once more in
the caller, level upon level. Here such a function's own code is simplified and kept; whoever is compiled to be run takes in
the code of everything merged into it, directly or not, each once, and only then is it optimised.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from numba.core.codegen import JITCodeLibrary
from numba.core.compiler import CompilerBase, DefaultPassBuilder, _LowerResult
from numba.core.compiler_machinery import register_pass
from numba.core.environment import lookup_environment
from numba.core.typed_passes import NativeLowering


class MergedLibrary(JITCodeLibrary):
    """The code of one merged function: no machine code, and what it calls only by name."""

    _whole: Any = None

    def finalize(self) -> None:
        self._raise_if_finalized()
        self._finalized = True

    def own_module(self) -> Any:
        """This function's code alone, to be linked in as often as wanted."""
        return super()._get_module_for_linking()

    def _get_module_for_linking(self) -> Any:
        """For a library of Numba's own, which links what it is given and asks nothing further: all that is needed."""
        if self._whole is None:
            whole = self.own_module().clone()
            for library in merged_into(self._linking_libraries):
                whole.link_in(_module(library), preserve=True)
            self._whole = whole
        return self._whole


class MergingLibrary(JITCodeLibrary):
    """The code of a function that runs: with it, each once, all that is merged into it."""

    def finalize(self) -> None:
        for library in merged_into(self._linking_libraries):
            self._reload_init.update(library._reload_init)
            self._final_module.link_in(_module(library), preserve=True)
        self._linking_libraries: list[Any] = []
        super().finalize()


def merged_into(libraries: Iterable[Any]) -> Iterator[Any]:
    """The libraries and what those among them that are merged need in turn, each once."""
    seen = set()
    waiting = list(reversed(list(libraries)))
    while waiting:
        library = waiting.pop()
        if library not in seen:
            seen.add(library)
            yield library
            if isinstance(library, MergedLibrary):
                waiting.extend(reversed(library._linking_libraries))


def _module(library: Any) -> Any:
    return library.own_module() if isinstance(library, MergedLibrary) else library._get_module_for_linking()


@register_pass(mutates_CFG=True, analysis_only=False)
class _LowerMerged(NativeLowering):
    """Lowering, as far as the intermediate form."""

    _name = "psmr_lower_merged"

    def run_pass(self, state: Any) -> bool:
        context, flags = state.targetctx, state.flags
        state.library = MergedLibrary(context.codegen(), state.func_id.func_qualname)
        flags.no_compile = flags.no_cpython_wrapper = flags.no_cfunc_wrapper = True
        super().run_pass(state)
        lowered = state["cr"]
        state.library.finalize()
        stand_in: Any = {}.popitem  # Numba knows a function in a caller by what Python would call, which must be a built-in one
        context.insert_user_function(stand_in, lowered.fndesc, [state.library])
        state["cr"] = _LowerResult(lowered.fndesc, lowered.call_helper, cfunc=stand_in, env=lowered.env)
        return True


@register_pass(mutates_CFG=True, analysis_only=False)
class _LowerMerging(NativeLowering):
    """Lowering of a function that runs."""

    _name = "psmr_lower_merging"

    def run_pass(self, state: Any) -> bool:
        state.library = MergingLibrary(state.targetctx.codegen(), state.func_id.func_qualname)
        state.library.enable_object_caching()
        super().run_pass(state)
        self._set_environments(state)
        return True

    def _set_environments(self, state: Any) -> None:
        """What Numba does for every function that it makes machine code of, for what is merged into this one."""
        for variable in state.library._final_module.global_variables:
            environment = lookup_environment(variable.name)
            if environment is not None:
                state.targetctx.codegen().set_env(variable.name, environment)


class _Compiler(CompilerBase):
    lowering: Any

    def define_pipelines(self) -> list[Any]:
        manager = DefaultPassBuilder.define_nopython_pipeline(self.state)
        manager.passes = [(self.lowering if p is NativeLowering else p, text) for p, text in manager.passes]
        manager.finalize()
        return [manager]


class MergedCompiler(_Compiler):
    """Numba's steps, for a function that is always merged into its callers."""

    lowering = _LowerMerged


class MergingCompiler(_Compiler):
    """Numba's steps, for a function that runs, with others merged into it."""

    lowering = _LowerMerging

"""How numba compiles functions of the kernel: without its passes for what these do not have.

That is closures, comprehensions, `with`, arrays in expressions, and arguments that are told apart by their value.
"""

from __future__ import annotations

from typing import Any

from numba.core import compiler, compiler_machinery

# numba's own type stubs know neither.
_compiler: Any = compiler
_PassManager: Any = compiler_machinery.PassManager
IDLE = frozenset(
    {
        "WithLifting",
        "InlineClosureLikes",
        "RewriteSemanticConstants",
        "DeadBranchPrune",
        "GenericRewrites",
        "NopythonRewrites",
        "MakeFunctionToJitFunction",
        "FindLiterallyCalls",
        "LiteralUnroll",
        "LiteralPropagationSubPipelinePass",
        "DumpParforDiagnostics",
    }
)


class Plain(_compiler.CompilerBase):  # type: ignore[misc]
    """numba's passes, but for idle ones."""

    def define_pipelines(self) -> list[Any]:
        """All in one."""
        builder, found = _compiler.DefaultPassBuilder, _PassManager("wfsim")
        for part in (
            builder.define_untyped_pipeline,
            builder.define_typed_pipeline,
            builder.define_nopython_lowering_pipeline,
        ):
            found.passes += [each for each in part(self.state).passes if each[0].__name__ not in IDLE]
        found.finalize()
        return [found]


OPTIONS: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "pipeline_class": Plain}
"""How all are compiled; none is called by numba's own wrappers."""

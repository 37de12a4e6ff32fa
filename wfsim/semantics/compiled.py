"""The kernel modules a second time, compiled: `wfsim.semantics.compiled.step.step` is `wfsim.semantics.step.step`.

This module is a package whose folder is the one it lies in, so that `compiled.step` is made from the same file.
"""

from pathlib import Path

__path__ = [str(Path(__file__).parent)]

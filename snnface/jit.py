"""The one place where loops are handed to numba, with the options all of them share.

Compiling is what the first use waits for, so loops are written to be compiled quickly, and once. Arrays come in one
layout and one type. A counter that is handed on begins as `np.int64(0)`: the literal 0 is a type of its own. Arrays are
copied, summed and searched element by element: `a[i:j] = b` and `a.view(...)` bring in the text of their errors,
which takes seconds.
"""

import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import numba

__all__ = ["jit"]

P = ParamSpec("P")
R = TypeVar("R")


def jit(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` with numba in nopython mode, cached on disk, without the GIL.

    The function is unwrapped first: run-time shape checking (on in the tests) wraps
    every annotated function, and numba can compile only the bare one.
    """
    return numba.njit(cache=True, nogil=True)(inspect.unwrap(function))

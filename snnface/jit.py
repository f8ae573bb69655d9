"""The one place where loops are handed to numba, with the options all of them share."""

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

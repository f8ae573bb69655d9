"""Large tensors from memory that is used again.

The system gives a fresh tensor of 80 MB as twenty thousand empty pages, each fetched by
an interrupt: filling it costs seven times what filling a used one does. Blocks here are
made of huge pages and kept when their tensor dies, for the next one that fits.
"""

import math
import mmap
import sys
import threading

import torch
from torch import Tensor

__all__ = ["empty"]

# Below this, torch's own allocator reuses memory well enough.
SMALLEST = 1 << 20
HUGE_PAGE = 2 << 20


def empty(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """A contiguous tensor of arbitrary values, as `torch.empty` gives it.

    Its memory goes back to the pool when no tensor uses it any more. A block serves
    tensors of at least half its size; blocks that serve nothing are given up before new
    memory is asked for, so the pool never holds more than the largest demand so far.
    """
    num_bytes = math.prod(shape) * dtype.itemsize
    if num_bytes < SMALLEST:
        return torch.empty(shape, dtype=dtype)
    with _lock:
        block = _free_block(num_bytes) or _new_block(num_bytes)
        # The tensor holds a reference to its block: that is how a used one is told from a free one.
        flat = torch.frombuffer(block, dtype=torch.uint8)
    start = -flat.data_ptr() % HUGE_PAGE
    return flat[start : start + num_bytes].view(dtype).view(shape)


_blocks: list[mmap.mmap] = []
_lock = threading.Lock()


def _free_blocks() -> list[mmap.mmap]:
    # Held by the list, by the loop and by getrefcount's argument: by no tensor.
    return [block for block in _blocks if sys.getrefcount(block) == 3]


def _free_block(num_bytes: int) -> mmap.mmap | None:
    least, most = num_bytes + HUGE_PAGE, 2 * (num_bytes + HUGE_PAGE)
    return min((block for block in _free_blocks() if least <= len(block) <= most), key=len, default=None)


def _new_block(num_bytes: int) -> mmap.mmap:
    given_up = 0
    for free in _free_blocks():  # oldest first
        if given_up < num_bytes:
            given_up += len(free)
            _blocks.remove(free)
    block = mmap.mmap(-1, -(-num_bytes // HUGE_PAGE) * HUGE_PAGE + HUGE_PAGE)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        block.madvise(mmap.MADV_HUGEPAGE)
    _blocks.append(block)
    return block

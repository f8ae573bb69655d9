"""Large tensors from memory that is used again.

The system gives a fresh tensor of 80 MB as twenty thousand empty pages, each fetched by
an interrupt: filling it costs seven times what filling a used one does. Blocks here are
made of huge pages and kept when their tensor dies, for the next one that fits.
"""

import ctypes
import math
import mmap
import threading
import weakref

import torch
from torch import Tensor

from snnface.spiking.kernels.packed_spikes import WORD_CHANNELS, PackedSpikes

__all__ = ["empty", "empty_spikes"]

# Below this, torch's own allocator reuses memory well enough.
SMALLEST = 1 << 20
HUGE_PAGE = 2 << 20


def empty(shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """A contiguous tensor of arbitrary values, as `torch.empty` gives it.

    Its memory goes back to the pool when no tensor uses it any more. A block serves
    tensors of at least half its size; blocks that serve nothing are given up before new
    memory is asked for, so the pool never holds more than the largest demand so far.
    """
    # The compiler of torch asks for tensors without memory.
    if type(torch.empty(0)) is not Tensor or math.prod(shape) * dtype.itemsize < SMALLEST:
        return torch.empty(shape, dtype=dtype)
    num_bytes = math.prod(shape) * dtype.itemsize
    with _lock:
        block = _free_block(num_bytes) or _new_block(num_bytes)
    # The tensor owns the lease, and whatever ends the tensor ends the lease.
    lease = (ctypes.c_char * len(block)).from_buffer(block)
    weakref.finalize(lease, _free.append, block).atexit = False
    flat = torch.frombuffer(lease, dtype=torch.uint8)
    start = -flat.data_ptr() % HUGE_PAGE
    return flat[start : start + num_bytes].view(dtype).view(shape)


def empty_spikes(steps: int, batch: int, channels: int, sizes: tuple[int, ...], dtype: torch.dtype) -> PackedSpikes:
    """Packed spikes [T, B, C, *sizes] of arbitrary values; what belongs to no channel is 0."""
    words = empty((-(-channels // WORD_CHANNELS), steps, batch, *sizes), torch.int64)
    if channels % WORD_CHANNELS:
        words.zero_()
    return PackedSpikes(words=words, channels=channels, dtype=dtype)


_free: list[mmap.mmap] = []
"""Blocks that serve nothing, the longest unused first. Finalisers append at any time; who removes has the lock."""
_lock = threading.Lock()


def _free_block(num_bytes: int) -> mmap.mmap | None:
    least, most = num_bytes + HUGE_PAGE, 2 * (num_bytes + HUGE_PAGE)
    # Of equal ones the last used: it may still be in the processor's caches.
    fitting = [block for block in reversed(_free.copy()) if least <= len(block) <= most]
    if not fitting:
        return None
    block = min(fitting, key=len)
    _free.remove(block)
    return block


def _new_block(num_bytes: int) -> mmap.mmap:
    given_up = 0
    while _free and given_up < num_bytes:
        given_up += len(_free.pop(0))
    length = -(-num_bytes // HUGE_PAGE) * HUGE_PAGE + HUGE_PAGE
    if not hasattr(mmap, "MAP_PRIVATE"):
        return mmap.mmap(-1, length)
    # Shared memory, which is Python's default, would be one for all forked processes, and of small pages.
    block = mmap.mmap(-1, length, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        block.madvise(mmap.MADV_HUGEPAGE)
    return block

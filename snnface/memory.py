"""How this process deals with the system's memory."""

import ctypes

__all__ = ["keep_freed_memory"]

# From malloc.h of the GNU C library.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
MOST = 2**31 - 1


def keep_freed_memory() -> None:
    """Have the C library keep what is freed, for whatever needs it next.

    By default it gives large arrays back to the system and fetches them again as empty pages, an interrupt each:
    filming and training, which free and allocate the same arrays all the time, took a quarter more time so (and more
    under Dask, which asks for it by MALLOC_TRIM_THRESHOLD_). The process stays as large as it ever was. Without effect
    where the C library is another one.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    mallopt(M_TRIM_THRESHOLD, MOST)
    mallopt(M_MMAP_THRESHOLD, MOST)

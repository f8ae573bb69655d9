import os
import platform
import subprocess
import sys

import pytest

# Ten times 32 MB, as under Dask; prints how many pages the system had to fetch for the last nine.
PROGRAM = """
import resource, sys
import numpy as np
from snnface.memory import keep_freed_memory

if sys.argv[1] == "keeps":
    keep_freed_memory()
np.ones(4_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(9):
    np.ones(4_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def pages_fetched(how: str) -> int:
    # Without huge pages, which numpy asks for and some systems grant.
    settings = {"MALLOC_TRIM_THRESHOLD_": "65536", "NUMPY_MADVISE_HUGEPAGE": "0"}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, how], env=os.environ | settings, capture_output=True, check=True, timeout=120
    )
    return int(ended.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the setting is one of the GNU C library")
def test_memory_that_was_freed_is_used_again() -> None:
    # An array has 7,813 pages of 4 KB.
    assert pages_fetched("gives back") > 9 * 7000
    assert pages_fetched("keeps") < 7000

"""The folder of what the project can make again: synthesised data, compiled kernels."""

import os
from pathlib import Path

__all__ = ["default_cache"]


def default_cache() -> Path:
    """$SNNFACE_CACHE, else `snnface` in the user's cache folder ($XDG_CACHE_HOME, else ~/.cache)."""
    named = os.environ.get("SNNFACE_CACHE")
    if named:
        return Path(named).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "snnface"

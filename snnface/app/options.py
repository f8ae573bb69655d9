"""What every command's options share: parsing by tyro, the data cache, the console."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

import tyro
from rich.console import Console

__all__ = ["console_for", "default_cache", "is_first_process", "parse"]

T = TypeVar("T")


def parse(kind: type[T], arguments: Sequence[str], *, verb: str, default: T | None = None) -> T:
    """Options of `snnface <verb>` into a dataclass; a wrong option exits with status 2 and its nearest names."""
    return tyro.cli(
        kind,
        args=arguments,
        prog=f"snnface {verb}",
        default=tyro.MISSING_NONPROP if default is None else default,
        config=(tyro.conf.AvoidSubcommands,),
    )


def default_cache() -> Path:
    """Where synthesised data is kept: $SNNFACE_CACHE, else the user's cache folder."""
    base = os.environ.get("SNNFACE_CACHE")
    if base:
        return Path(base)
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "snnface"


def console_for(json_output: bool = False) -> Console:
    """Progress and notes go to standard error, so that standard output holds results alone.

    Of the processes that `torchrun` starts only the first speaks.
    """
    return Console(stderr=True, quiet=json_output or not is_first_process())


def is_first_process() -> bool:
    """Is this the process that writes and prints?"""
    return os.environ.get("RANK", "0") == "0"

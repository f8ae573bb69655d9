"""What every command's options share: parsing by tyro, the data cache, the console."""

import os
from collections.abc import Sequence
from typing import Annotated, TypeVar

import tyro
from rich.console import Console

from snnface.cache import default_cache
from snnface.errors import ConfigError

__all__ = ["Maybe", "SensorSize", "console_for", "default_cache", "is_first_process", "parse", "step_us_from_ms"]

T = TypeVar("T")

# A day; what is longer is no event frame.
MAX_STEP_MS = 86_400_000.0

# An option that may be left out; its help says what happens then.
Maybe = Annotated[T | None, tyro.conf.DisallowNone, tyro.conf.arg(help_behavior_hint="")]
SensorSize = Annotated[
    tuple[int, int] | None, tyro.conf.DisallowNone, tyro.conf.arg(help_behavior_hint="", metavar="HEIGHT WIDTH")
]


def parse(kind: type[T], arguments: Sequence[str], *, verb: str, default: T | None = None) -> T:
    """Options of `snnface <verb>` into a dataclass; a wrong option exits with status 2 and its nearest names."""
    return tyro.cli(
        kind,
        args=arguments,
        prog=f"snnface {verb}",
        default=tyro.MISSING_NONPROP if default is None else default,
        config=(tyro.conf.AvoidSubcommands,),
    )


def step_us_from_ms(step_ms: float) -> int:
    """Whole microseconds of an event frame given in milliseconds.

    Raises:
        ConfigError: unless they are from 0.001 ms to a day.
    """
    if not 0.001 <= step_ms <= MAX_STEP_MS:
        raise ConfigError(f"an event frame lasts at least 0.001 ms and at most {MAX_STEP_MS:,.0f} ms; got {step_ms}.")
    return round(step_ms * 1000)


def console_for(json_output: bool = False) -> Console:
    """Progress and notes go to standard error, so that standard output holds results alone.

    Of the processes that `torchrun` starts only the first speaks.
    """
    return Console(stderr=True, quiet=json_output or not is_first_process())


def is_first_process() -> bool:
    """Is this the process that writes and prints?"""
    return os.environ.get("RANK", "0") == "0"

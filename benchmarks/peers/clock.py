"""Processor time of several ways to do one thing, measured in turns."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

__all__ = ["Measured", "interleaved"]

# A contender that takes longer than this is measured in FEW rounds only.
SLOW_S, FEW = 4.0, 2


@dataclass(frozen=True, slots=True)
class Measured:
    """Median processor time of one call, all threads together, and what the last call returned."""

    seconds: float
    answer: int


def interleaved(contenders: Mapping[str, Callable[[], int]], rounds: int) -> dict[str, Measured | str]:
    """Every contender once a round, one after the other, so that a slow minute of the machine meets them all.

    The first round, in which code is compiled and files come into memory, is left out.

    Returns:
        What was measured; for a contender that fails, the first line of its error.
    """
    times: dict[str, list[float]] = {name: [] for name in contenders}
    answers: dict[str, int] = {}
    errors: dict[str, str] = {}
    for round_number in range(rounds + 1):
        for name, work in contenders.items():
            if name in errors or (len(times[name]) >= FEW and statistics.median(times[name]) > SLOW_S):
                continue
            start = time.process_time()
            try:
                answers[name] = work()
            except KeyboardInterrupt:
                raise
            # A peer may fail in any way it likes, Rust's panics included; the table says so.
            except BaseException as error:
                errors[name] = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"[:80]
                continue
            if round_number:
                times[name].append(time.process_time() - start)
    return {
        name: errors[name] if name in errors else Measured(statistics.median(times[name]), answers[name])
        for name in contenders
    }

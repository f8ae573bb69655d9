"""What a command does with its standard streams, whatever it computes."""

import io
import os
import sys
from collections.abc import Callable

__all__ = ["run_command"]


def run_command(command: Callable[[], int]) -> int:
    """Run a command line that writes to the standard streams.

    Returns:
        What the command returns; 1 if the reader of its output went away before the end, as `head` does.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal or a pipe that knows no UTF-8 gets question marks, not a traceback.
            stream.reconfigure(errors="replace")
    try:
        try:
            return command()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # What Python still holds goes nowhere, or it would complain when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1

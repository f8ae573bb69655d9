"""A folder for many results of one run: begun, or gone on with by a run with the same settings, one at a time."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from snnface.errors import ConfigError
from snnface.files import atomic_target, read_text, write_text

__all__ = ["alone", "claim"]

MAX_LINES_SHOWN = 3


def claim(out: Path, file: str, settings: str, *, what: str) -> None:
    """Make the folder and write its settings, or make sure that it holds these very settings.

    Args:
        file: name of the file of settings.
        settings: its text.
        what: the folder holds, for messages: "a conversion".

    Raises:
        ConfigError: if `out` is a file, or holds other things or other settings; names the first lines that differ.
        DataError: if the disk refuses it.
    """
    path = out / file
    if out.exists() and not out.is_dir():
        raise ConfigError(f"{out} is a file; {what} needs a folder as --out.")
    if path.is_file():
        known = read_text(path)
        if known != settings:
            raise ConfigError(
                f"{out} holds {what} with other settings ({_difference(known, settings)}). Go on with those, or "
                "choose another --out."
            )
    # What a run that was killed while it wrote the settings left of them is no other thing.
    elif out.is_dir() and any(atomic_target(entry) != path for entry in out.iterdir()):
        raise ConfigError(f"{out} holds other things; choose a folder that is empty or does not exist as --out.")
    else:
        write_text(path, settings)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Of several processes (those of `torchrun`, say) one makes something; the others wait, at the file `path`."""
    import fcntl

    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _difference(known: str, wanted: str) -> str:
    """The lines of two settings that differ, the first few."""
    lines = [line.strip().rstrip(",") for line in known.splitlines() if line not in wanted.splitlines()]
    return "; ".join(lines[:MAX_LINES_SHOWN]) or "some are missing there"

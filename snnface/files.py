"""Writing files so that nothing half-written is ever left behind."""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from snnface.errors import DataError

__all__ = ["atomic_path", "atomic_target", "read_text", "write_refused", "write_text"]

# How `tempfile.mkstemp` ends a name, between our prefix and the suffix.
TEMPORARY = re.compile(r"\.(?P<name>.+)\.[a-z0-9_]{8}(?P<suffix>(\.[^.]*)?)")


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that becomes `path` when the block ends well.

    If the block raises, the temporary file is removed and `path` stays as it was.

    Raises:
        DataError: if the disk refuses the file.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
    except OSError as error:
        raise write_refused(path, error) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp gives 0600; a result is as readable as any other file the user writes.
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)
        os.replace(temporary, path)
    except OSError as error:
        # An error that is not the system's, or names another file, is not about this one.
        if error.errno is not None and error.filename in (None, name, temporary, path):
            raise write_refused(path, error) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def atomic_target(entry: Path) -> Path | None:
    """The file that a temporary one of `atomic_path` was to become; None if it is none.

    >>> atomic_target(Path("runs/.face.h5.a1b2c3d4.h5"))
    PosixPath('runs/face.h5')
    """
    match = TEMPORARY.fullmatch(entry.name)
    if match is None or Path(match["name"]).suffix != match["suffix"]:
        return None
    return entry.with_name(match["name"])


def write_refused(path: Path, error: OSError) -> DataError:
    """The error for a file that the disk refuses."""
    return DataError(
        f"{path} could not be written ({error.strerror or error}); nothing half-written was left there. "
        "Make room, or choose another place."
    )


def read_text(path: Path) -> str:
    """A text file as it is.

    Raises:
        FileNotFoundError: if it is not there.
        DataError: if it may not be read, or is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise
    except OSError as error:
        raise DataError(f"{path} should be a text file; it cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path} should be a UTF-8 text file; byte {error.start} is not. It is damaged.") from error


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")

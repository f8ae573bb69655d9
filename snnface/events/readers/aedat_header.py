"""The text header of AEDAT files before version 4, and the sizes of the cameras that it names."""

import re
from dataclasses import dataclass
from pathlib import Path

from snnface.errors import DataError
from snnface.events.window import Resolution

__all__ = ["AedatHeader", "aedat_header", "camera_resolution"]

# jAER writes all its settings into the header.
MAX_HEADER_BYTES = 1 << 24
LAST_LINES = ("#!END-HEADER", "#End Of ASCII Header")

# Source: iniVation and INI, the sensors' data sheets.
CAMERAS = {
    "DVS128": Resolution(height=128, width=128),
    "DAVIS128": Resolution(height=128, width=128),
    "DAVIS208": Resolution(height=192, width=208),
    "DAVIS240": Resolution(height=180, width=240),
    "DAVIS346": Resolution(height=260, width=346),
    "DAVIS640": Resolution(height=480, width=640),
}


@dataclass(frozen=True, slots=True)
class AedatHeader:
    """Attributes:
    lines: without their ends; the first names the version.
    num_bytes: length of the header; the binary data follow.
    """

    lines: tuple[str, ...]
    num_bytes: int

    def value(self, key: str) -> str | None:
        """What stands behind `# key:` or `#key:` in the first such line."""
        for line in self.lines:
            found = re.match(rf"#\s*{re.escape(key)}:\s*(.*)", line)
            if found:
                return found[1].strip()
        return None


def aedat_header(path: Path) -> AedatHeader:
    """Read the header: lines of text that begin with `#`, up to a last line where there is one.

    A line that holds control characters is data that happen to begin with the byte of `#`.

    Raises:
        DataError: if it does not end within 16 MB.
    """
    lines: list[str] = []
    num_bytes = 0
    with path.open("rb") as file:
        while num_bytes <= MAX_HEADER_BYTES:
            line = file.readline(MAX_HEADER_BYTES)
            text = line.decode("latin-1").rstrip("\r\n")
            if not line.startswith(b"#") or not line.endswith(b"\n") or re.search(r"[\x00-\x08\x0b-\x1f\x7f]", text):
                return AedatHeader(lines=tuple(lines), num_bytes=num_bytes)
            lines.append(text)
            num_bytes += len(line)
            if text.strip() in LAST_LINES:
                return AedatHeader(lines=tuple(lines), num_bytes=num_bytes)
    raise DataError(f"{path}: the text header does not end within {MAX_HEADER_BYTES} bytes; the file is damaged.")


def camera_resolution(name: str) -> Resolution | None:
    """The size of a camera by any name that contains its model, such as `eu...davis.Davis346blue`; None if unknown."""
    found = re.search("|".join(CAMERAS), name.upper())
    return CAMERAS[found[0]] if found else None

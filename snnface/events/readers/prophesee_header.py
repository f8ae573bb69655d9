"""The text header that Prophesee's RAW and DAT files begin with."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from snnface.errors import ConfigError, DataError
from snnface.events.window import Resolution

__all__ = ["HEAD_BYTES", "PropheseeHeader", "prophesee_header", "second_header"]

# Enough for any text header.
HEAD_BYTES = 1 << 16

# `% evt 3.0` of older files, as the name that `% format EVT3;...` of newer ones gives.
EVT_NAMES = {"2.0": "EVT2", "2.1": "EVT21", "3.0": "EVT3", "4.0": "EVT4"}

# The two bytes behind a DAT header: the type of its records, and their size, which is 8.
DAT_MARKS = (b"\x00\x08", b"\x0c\x08", b"\x0e\x08")

# A line holds no control characters; that tells it from data that happen to begin with `% `.
LINE = re.compile(rb"% ([^\x00-\x08\x0a-\x0c\x0e-\x1f]*)\n")
UNENDED_LINE = re.compile(rb"%($| [^\x00-\x08\x0a-\x0c\x0e-\x1f]*\Z)")
KEYWORD_LINE = re.compile(rb"% [A-Za-z_]{2,}[ \r\n]")
# Lines of a RAW header that no chance makes.
HEADER_SIGN = re.compile(rb"% (?:evt [0-9.]+|format EVT[^\x00-\x1f]*|end)\r?\n")

# Cameras of the maker's own with a smaller number send EVT2.1 with swapped halves and do not
# say so. Source: OpenEB, class PseeRawFileHeader.
FIRST_SYSTEM_IN_PLAIN_ORDER = 0x37


@dataclass(frozen=True, slots=True)
class PropheseeHeader:
    """What the header says.

    Attributes:
        encoding: "EVT3", "EVT2", "EVT21", "EVT4", "DAT"; empty if it is not stated.
        resolution: the sensor's size, or None if it is not stated.
        num_bytes: length of the header; the binary data follow.
        byte_order: "little", "big", or "legacy" (EVT2.1 words whose two halves are swapped).
        version: of a DAT file's layout.
    """

    encoding: str
    resolution: Resolution | None
    num_bytes: int
    byte_order: str = "little"
    version: str = "2"


def prophesee_header(path: Path, head: bytes) -> PropheseeHeader | None:
    """Read the header of a RAW or DAT file; None if there is none.

    A file that begins with the marks of a DAT file's records has an empty header.

    Lines begin with `% `; the header ends after `% end`, or before the first line that
    does not begin so. The size of the sensor stands in `% format EVT3;height=..;
    width=..`, in `% geometry WxH`, or in `% width` and `% height`. A second header may
    follow the first, as in files that a tool has rewritten; what it says goes before.

    Args:
        head: the first bytes of the file, enough to hold the header.

    Raises:
        DataError: if the header does not end within `head`, or states an impossible size.

    Source: Prophesee, Metavision documentation, "RAW file format" and "DAT file format".
    """
    if not head.startswith(b"%"):
        has_marks = head.startswith(DAT_MARKS[1:])
        return PropheseeHeader(encoding="DAT", resolution=None, num_bytes=0) if has_marks else None
    fields: dict[str, str] = {}
    start, key = 0, ""
    for line in _lines(head):
        key, _, value = line[1].decode("latin-1").strip().partition(" ")
        key = key.lower()
        fields[key] = value.strip()
        start = line.end()
    if key != "end" and UNENDED_LINE.match(head, start):
        raise DataError(f"{path}: the text header does not end within {len(head)} bytes; the file is damaged.")
    return PropheseeHeader(
        encoding=_encoding(fields, head[start : start + 2]),
        resolution=_resolution(path, fields),
        num_bytes=start,
        byte_order=_byte_order(fields),
        version=fields.get("version", "2"),
    )


def second_header(data: bytes) -> tuple[int, int] | None:
    """Where another RAW header begins and ends among binary data, as in files that were put one behind another."""
    sign = HEADER_SIGN.search(data)
    if sign is None:
        return None
    start = _start_of_lines(data, sign.start())
    return start, start + max(line.end() for line in _lines(data[start:]))


def _start_of_lines(data: bytes, stop: int) -> int:
    """Where the header's lines begin that end at `stop`; the first may follow binary data directly."""
    while data[stop - 1 : stop] == b"\n":
        previous = data.rfind(b"\n", 0, stop - 1) + 1
        start = data.find(b"% ", previous, stop)
        if start < 0 or not LINE.fullmatch(data, start, stop):
            return stop
        if start > previous:
            return start
        stop = start
    return stop


def _lines(head: bytes) -> Iterator[re.Match[bytes]]:
    """The lines of one header, or of two, the first of which ends with `% end`."""
    start, is_ended = 0, False
    while (line := LINE.match(head, start)) and not (is_ended and not KEYWORD_LINE.match(head, start)):
        yield line
        start, is_ended = line.end(), line[1].strip().lower() == b"end"


def _encoding(fields: dict[str, str], data: bytes) -> str:
    if "format" in fields:
        return fields["format"].split(";")[0].strip().upper()
    if "evt" in fields:
        return EVT_NAMES.get(fields["evt"], f"EVT {fields['evt']}")
    # A DAT file states the version of its own layout and no event encoding; old ones not even that.
    return "DAT" if "version" in fields or data in DAT_MARKS else ""


def _byte_order(fields: dict[str, str]) -> str:
    stated = re.search(r"endianness=(\w+)", fields.get("format", ""))
    if stated or "endianness" in fields:
        return (stated[1] if stated else fields["endianness"]).lower()
    is_own = fields.get("camera_integrator_name") == fields.get("plugin_integrator_name") == "Prophesee"
    system = fields.get("system_id", "")
    is_early = bool(re.fullmatch("[0-9]{1,4}", system)) and 0 < int(system) < FIRST_SYSTEM_IN_PLAIN_ORDER
    return "legacy" if is_own and is_early and _encoding(fields, b"") == "EVT21" else "little"


def _resolution(path: Path, fields: dict[str, str]) -> Resolution | None:
    sizes = dict(re.findall(r"(width|height)=(\w+)", fields.get("format", "")))
    if len(sizes) < 2 and "geometry" in fields:
        width, _, height = fields["geometry"].partition("x")
        sizes = {"width": width, "height": height}
    if len(sizes) < 2 and {"width", "height"} <= fields.keys():
        sizes = {"width": fields["width"], "height": fields["height"]}
    if not sizes:
        return None
    try:
        return Resolution(height=int(sizes["height"]), width=int(sizes["width"]))
    except (KeyError, ValueError, ConfigError) as error:
        raise DataError(
            f"{path}: the header should state the sensor's width and height in pixels; it states {sizes}. "
            "Mend the header's text."
        ) from error

"""The text header that Prophesee's RAW and DAT files begin with."""

import re
from dataclasses import dataclass
from pathlib import Path

from snnface.errors import ConfigError, DataError
from snnface.events.window import Resolution

__all__ = ["PropheseeHeader", "prophesee_header"]

# `% evt 3.0` of older files, as the name that `% format EVT3;...` of newer ones gives.
EVT_NAMES = {"2.0": "EVT2", "2.1": "EVT21", "3.0": "EVT3", "4.0": "EVT4"}


@dataclass(frozen=True, slots=True)
class PropheseeHeader:
    """What the header says.

    Attributes:
        encoding: "EVT3", "EVT2", "EVT21", "EVT4", "DAT"; empty if it is not stated.
        resolution: the sensor's size, or None if it is not stated.
        num_bytes: length of the header; the binary data follow.
    """

    encoding: str
    resolution: Resolution | None
    num_bytes: int


def prophesee_header(path: Path, head: bytes) -> PropheseeHeader | None:
    """Read the header of a RAW or DAT file; None if there is none.

    Lines begin with `%`; the header ends after `% end`, or before the first line that
    does not begin with `%`. The size of the sensor stands in `% format EVT3;height=..;
    width=..`, in `% geometry WxH`, or in `% width` and `% height`.

    Args:
        head: the first bytes of the file, enough to hold the header.

    Raises:
        DataError: if the header does not end within `head`, or states an impossible size.

    Source: Prophesee, Metavision documentation, "RAW file format" and "DAT file format".
    """
    if not head.startswith(b"%"):
        return None
    fields: dict[str, str] = {}
    start = 0
    while head[start : start + 1] == b"%":
        newline = head.find(b"\n", start)
        if newline < 0:
            raise DataError(f"{path}: the text header does not end within {len(head)} bytes; the file is damaged.")
        key, _, value = head[start + 1 : newline].decode("latin-1").strip().partition(" ")
        start = newline + 1
        if key.lower() == "end":
            break
        fields[key.lower()] = value.strip()
    return PropheseeHeader(encoding=_encoding(fields), resolution=_resolution(path, fields), num_bytes=start)


def _encoding(fields: dict[str, str]) -> str:
    if "format" in fields:
        return fields["format"].split(";")[0].strip().upper()
    if "evt" in fields:
        return EVT_NAMES.get(fields["evt"], f"EVT {fields['evt']}")
    # A DAT file states the version of its own layout and no event encoding.
    return "DAT" if "version" in fields else ""


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

"""Reads thousands of damaged files, and those made to harm; run as a program of its own.

    python hostile_battery.py damaged FORMAT...     a small file of each format, damaged in every way
    python hostile_battery.py hostile               the files of hostile_files.py

Prints a line of JSON for each format or file: what came of it, and findings with the bytes that lead to
them. A process of its own, because a finding may be a crash, a hang or a great deal of memory.
"""

import faulthandler
import json
import logging
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from event_files import EVENT_FILES, SENSOR, small_columns
from examination import Examination, examine, examine_strict_and_recovering
from hostile_files import HOSTILE_FILES

from snnface.events import Resolution

MAX_SECONDS, MAX_KB = 20, 500_000
# Small files are cut after every byte, longer ones at about NUM_CUTS places.
SMALL_BYTES, NUM_CUTS = 1_200, 300
NUM_FLIPS, NUM_SPLICES = 250, 50
NUM_EVENTS = len(small_columns()[2])
# A text file may be cut inside its last line and still be a sound text file.
LAST_LINE_MAY_CHANGE = ("csv", "txt")


def main() -> None:
    logging.disable(logging.WARNING)
    with TemporaryDirectory() as folder:
        path = Path(folder, "events")
        if sys.argv[1] == "damaged":
            for name in sys.argv[2:]:
                report({"begun": name})
                report({"name": name} | damaged(name, path))
        else:
            for name, make in HOSTILE_FILES.items():
                report({"begun": name})
                report({"name": name} | hostile(make(), path))


def report(line: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def damaged(name: str, path: Path) -> dict[str, object]:
    data = EVENT_FILES[name](small_columns())
    # A size that is given would hide what damage does to the one that the file states.
    path.write_bytes(data)
    told = examine(path, recover=False).events
    resolution = None if told is not None and told.resolution == SENSOR else SENSOR
    findings: list[dict[str, str]] = []
    num_files = 0
    for case, content in (("whole", data), *cuts(data), *changes(data, np.random.default_rng(0))):
        num_files += 1
        strict, mended, cause = examined(path, content, resolution)
        if strict is not None and mended is not None and case.startswith("cut"):
            cause = prefix_lost(name, strict, mended)
        if mended is not None and case == "whole" and (mended.events is None or len(mended.events) != NUM_EVENTS):
            cause = f"it was not read: {mended}"
        if cause:
            findings.append({"case": case, "cause": cause, "bytes": content.hex() if len(content) < 5000 else ""})
    return {"num_files": num_files, "findings": findings}


def hostile(content: bytes, path: Path) -> dict[str, object]:
    strict, mended, cause = examined(path, content, SENSOR)
    return {
        "findings": [{"case": "whole", "cause": cause, "bytes": ""}] if cause else [],
        "error": "" if strict is None else strict.error,
        "num_events": None if mended is None or mended.events is None else len(mended.events),
        "losses": () if mended is None else mended.losses,
    }


def examined(
    path: Path, content: bytes, resolution: Resolution | None
) -> tuple[Examination | None, Examination | None, str]:
    """Read a file strictly and recovering; the third value is what is wrong with how it was read."""
    path.write_bytes(content)
    del content
    before_kb = memory_kb("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # resets VmHWM, the peak
    faulthandler.dump_traceback_later(MAX_SECONDS, exit=True)
    strict, mended, cause = None, None, ""
    try:
        strict, mended = examine_strict_and_recovering(path, resolution)
    except BaseException as error:
        cause = f"{type(error).__name__}: {error}"
    faulthandler.cancel_dump_traceback_later()
    used_kb = memory_kb("VmHWM") - before_kb
    return strict, mended, f"it took {used_kb // 1000} MB; {cause}" if used_kb > MAX_KB else cause


def memory_kb(field: str) -> int:
    found = re.search(rf"{field}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(found[1]) if found else 0


def cuts(data: bytes) -> Iterator[tuple[str, bytes]]:
    for length in range(1, len(data), 1 if len(data) <= SMALL_BYTES else len(data) // NUM_CUTS):
        yield f"cut after {length} bytes", data[:length]


def changes(data: bytes, draw: np.random.Generator) -> Iterator[tuple[str, bytes]]:
    for _ in range(NUM_FLIPS):
        place, bit = int(draw.integers(len(data))), int(draw.integers(8))
        yield f"bit {bit} of byte {place} flipped", data[:place] + bytes([data[place] ^ 1 << bit]) + data[place + 1 :]
    for _ in range(NUM_SPLICES):
        start, stop, to = sorted(draw.integers(len(data) + 1, size=3).tolist())
        yield f"bytes {start}..{stop} left out", data[:start] + data[stop:]
        yield f"bytes {start}..{stop} twice", data[:stop] + data[start:]
        yield f"bytes {start}..{stop} random", data[:start] + draw.bytes(stop - start) + data[stop:]
        yield f"bytes {start}..{stop} set", data[:start] + b"\xff" * (stop - start) + data[stop:]
        yield f"random bytes put in at {to}", data[:to] + draw.bytes(stop - start) + data[to:]


def prefix_lost(name: str, strict: Examination, mended: Examination) -> str:
    """How the events of a file that was only cut differ from the first ones of the whole; empty if they do not."""
    if mended.events is None:
        return ""
    if strict.error and len(mended.events) < NUM_EVENTS and not mended.losses:
        return f"of a file that was cut {len(mended.events)} events are left, and nothing tells of the others"
    got = np.stack([getattr(mended.events, column).astype(np.int64) for column in ("x", "y", "t_us", "polarity")])
    got = got[:, : -1 if name in LAST_LINE_MAY_CHANGE else None]
    whole = np.stack([column.astype(np.int64) for column in small_columns()])
    same = got.shape[1] <= whole.shape[1] and np.array_equal(got, whole[:, : got.shape[1]])
    return "" if same else f"the events of a file that was cut are not the first ones of the whole: {got.tolist()}"


if __name__ == "__main__":
    main()

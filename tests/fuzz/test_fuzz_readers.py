"""The fuzz target on a short row of drawn files, without the fuzzer; and the fuzzer itself, where it is installed."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from event_files import EVENT_FILES, SENSOR, small_columns
from examination import examine_strict_and_recovering

NAMES = sorted(EVENT_FILES)
HERE = Path(__file__).resolve().parent


def mutated(data: bytes, draw: np.random.Generator) -> bytes:
    """A few of the changes that a fuzzer makes: bytes set, cut, moved, and counts made large."""
    content = bytearray(data)
    for _ in range(int(draw.integers(1, 6))):
        place = int(draw.integers(len(content)))
        kind = int(draw.integers(4))
        if kind == 0:
            content[place] = int(draw.integers(256))
        elif kind == 1:
            content[place : place + 4] = draw.choice([b"\xff" * 4, b"\0" * 4, b"\x7f\xff\xff\xff", b"\0\0\0\x80"])
        elif kind == 2:
            content[place:place] = content[: int(draw.integers(1, 40))]
        else:
            del content[place : place + int(draw.integers(1, 20))]
        if not content:
            content.append(0)
    return bytes(content)


@pytest.mark.parametrize("name", NAMES)
def test_the_target_finds_nothing_in_a_row_of_drawn_files(tmp_path: Path, name: str) -> None:
    data, draw = EVENT_FILES[name](small_columns()), np.random.default_rng(1)
    for _ in range(60):
        (tmp_path / "events").write_bytes(mutated(data, draw))
        examine_strict_and_recovering(tmp_path / "events", SENSOR)


def test_the_fuzzer_runs(tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="atheris is not installed (the extra fuzz)")
    command = [sys.executable, str(HERE / "fuzz_readers.py"), "evt2", "-runs=20"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "Done 20 runs" in done.stderr

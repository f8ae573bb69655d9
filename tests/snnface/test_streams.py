import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize("program", ["snnface.app.cli", "conversion.ann2snn", "conversion.parity", "hardware.report"])
def test_a_reader_that_has_seen_enough_ends_a_command_in_silence(program: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    ended = subprocess.run(
        [sys.executable, "-m", program, "--help"], stdout=writing, stderr=subprocess.PIPE, timeout=120, check=False
    )
    os.close(writing)
    assert ended.stderr == b""
    assert ended.returncode in (0, 1)  # Python itself would make it 120.

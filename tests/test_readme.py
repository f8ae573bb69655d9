"""The README's program runs and prints what the README says."""

import re
import subprocess
import sys
from pathlib import Path

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")


def test_the_first_program_prints_what_the_readme_shows() -> None:
    program, output = re.search(r"```python\n(.*?)```\n\nIt prints:\n\n```text\n(.*?)```", README, re.S).groups()  # type: ignore[union-attr]
    finished = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert finished.stdout == output


def test_every_command_of_the_readme_exists() -> None:
    from snnface.app.cli import VERBS

    assert set(re.findall(r"^\| `snnface ([\w-]+)", README, re.M)) == set(VERBS)


def test_every_make_target_of_the_readme_exists() -> None:
    makefile = (Path(__file__).resolve().parents[1] / "Makefile").read_text(encoding="utf-8")
    assert set(re.findall(r"^make ([\w-]+)", README, re.M)) <= set(re.findall(r"^([\w-]+):", makefile, re.M))

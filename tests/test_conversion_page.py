"""The page on conversion: its program runs, its options, files and modules are there."""

import dataclasses
import re
from pathlib import Path
from typing import get_args

import pytest
import torch

from conversion.ann.architectures import ARCHITECTURES
from conversion.ann2snn import ConvertCommand
from conversion.convert import Method
from conversion.nir_import import read_nir

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "conversion.md").read_text(encoding="utf-8")


def test_the_program_on_the_page_converts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict = {}
    torch.manual_seed(0)
    exec(compile(program, "docs/conversion.md", "exec"), names)
    report = names["converted"].report
    assert report.at(64).answers.answer_error < report.at(4).answers.answer_error
    assert len(read_nir(tmp_path / "model.nir").populations) == 1


def test_every_option_on_the_page_is_one_of_the_command() -> None:
    known = {field.name.replace("_", "-") for field in dataclasses.fields(ConvertCommand)}
    commands = PAGE.split("## Checked against other tools")[0]
    named = {name.removeprefix("no-") for name in re.findall(r"--([a-z][a-z0-9-]+)", commands)}
    assert named
    assert named <= known


def test_every_method_and_architecture_is_on_the_page() -> None:
    assert all(f"`{name}`" in PAGE for name in get_args(Method) if name != "auto")
    assert all(f"`{name}`" in PAGE for name in ARCHITECTURES)


def test_the_files_that_the_page_names_are_there() -> None:
    named = re.findall(r"((?:conversion|benchmarks)/[\w./]+\.py)", PAGE)
    assert named
    assert all((ROOT / name).exists() for name in named)
    assert all((ROOT / "notebooks" / name).exists() for name in re.findall(r"`(\w+\.ipynb)`", PAGE))

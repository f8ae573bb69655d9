"""The page on spiking networks: its program runs, its neurons, recipes and files are there."""

import re
from pathlib import Path

import torch

from snnface.app.recipes import RECIPES
from snnface.spiking import NeuronConfig

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "docs" / "spiking.md").read_text(encoding="utf-8")


def test_the_program_on_the_page_runs() -> None:
    (program,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict = {}
    torch.manual_seed(0)
    exec(compile(program, "docs/spiking.md", "exec"), names)
    assert names["spikes"].shape == (12, 4, 20)
    assert len(names["activity"].rates) == 4


def test_the_neurons_on_the_page_can_be_made() -> None:
    found = re.findall(r"`(NeuronConfig\(.*?\))`", PAGE)
    assert len(found) == 4
    made = {eval(text, {"NeuronConfig": NeuronConfig}) for text in found}
    assert len(made) == 4


def test_the_recipes_and_files_on_the_page_are_there() -> None:
    named = re.findall(r"`((?:micro-expression|demo|valence-arousal|cross-modal|reconstruction)-\w+)`", PAGE)
    assert set(named) == set(RECIPES)
    files = re.findall(r"`?(?:python )?((?:snnface|benchmarks)/[\w./]+\.py)", PAGE)
    assert files
    assert all((ROOT / name).exists() for name in files)

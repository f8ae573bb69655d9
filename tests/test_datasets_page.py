"""The page on data sets says what is there."""

import contextlib
import io
import re
from pathlib import Path

import pytest

from snnface.datasets.fixtures.fixture import FIXTURES
from snnface.datasets.published.loaders import LOADERS
from snnface.datasets.synthesis.presets import PRESETS, preset_named

PAGE = (Path(__file__).resolve().parents[1] / "docs" / "datasets.md").read_text(encoding="utf-8")


def test_every_miniature_has_a_loader_and_a_row() -> None:
    rows = set(re.findall(r"^\| \[[^]]+\]\(#[^)]+\) `([a-z0-9-]+)` \|", PAGE, re.MULTILINE))
    assert rows == set(FIXTURES) == set(LOADERS)


@pytest.mark.parametrize("name", sorted(LOADERS))
def test_every_loader_is_named_with_its_module(name: str) -> None:
    loader = LOADERS[name]
    assert f"`{loader.__module__}.{loader.__name__}(" in PAGE  # type: ignore[attr-defined]


def test_links_within_the_page_lead_somewhere() -> None:
    headings = {
        re.sub(r"[^a-z0-9 -]", "", text.lower()).replace(" ", "-")
        for text in re.findall(r"^## (.+)$", PAGE, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) <= headings


def test_the_table_of_presets_has_their_numbers() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| (\d+) \| (\d+) \| ([\d.]+) s \|", PAGE, re.MULTILINE)
    assert [row[0] for row in rows] == list(PRESETS)
    for name, people, takes, length in rows:
        preset = preset_named(name)
        assert (int(people), int(takes), float(length)) == (
            preset.num_identities,
            preset.num_takes,
            preset.clip_ms / 1000,
        )


def test_the_program_on_the_page_prints_what_stands_below_it() -> None:
    program, printed = re.findall(r"```(?:python|text)\n(.*?)```", PAGE, re.DOTALL)
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(program, "docs/datasets.md", "exec"), {})
    assert output.getvalue() == printed

"""Blocks of the page from the parts of a report."""

from typing import Any

from hardware.report.parts import Table
from snnface.pages.blocks import Grid
from snnface.pages.numbers import grouped, significant

__all__ = ["grid_of", "layer_name"]


def grid_of(table: Table) -> Grid:
    """A plain table, its numbers formatted and aligned."""
    kinds = [
        "number" if all(_is_number(row[column]) for row in table.rows) else "text"
        for column in range(len(table.columns))
    ]
    rows = tuple(tuple(_cell(cell) for cell in row) for row in table.rows)
    return Grid(table.title, tuple(zip(table.columns, kinds, strict=True)), rows, table.note)


def layer_name(name: str, kind: str) -> str:
    """A layer as tables show it: relays and the like are marked."""
    return name if kind in ("population", name) else f"{name} ({kind})"


def _is_number(cell: Any) -> bool:
    return cell is None or (isinstance(cell, int | float) and not isinstance(cell, bool))


def _cell(cell: Any) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, int):
        return grouped(cell)
    return significant(cell) if isinstance(cell, float) else str(cell)

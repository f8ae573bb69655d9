"""`snnface list`"""

from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from hardware.backends.lava import find_lava_python
from hardware.target import TARGETS
from snnface.app.options import parse
from snnface.app.recipes import RECIPES
from snnface.app.reproduction import TABLES
from snnface.datasets.published.loaders import LOADERS
from snnface.events.readers import FORMATS

__all__ = ["main"]


@dataclass(frozen=True, kw_only=True)
class Options:
    """What there is: recipes, tables of the papers to reproduce, data sets, file formats, targets, backends."""


def main(arguments: list[str]) -> None:
    parse(Options, arguments, verb="list")
    table = Table(box=None, pad_edge=False)
    for column in ("kind", "name", "what it is"):
        table.add_column(column)
    for name, make in RECIPES.items():
        table.add_row("recipe", name, make().source)
    for name, rerun in TABLES.items():
        table.add_row("table to reproduce", name, rerun.title)
    for name, loader in LOADERS.items():
        table.add_row("data set", name, (loader.__doc__ or "").partition(";")[0])
    for name, target in TARGETS.items():
        table.add_row("target", name, target.source)
    for known in FORMATS:
        table.add_row("file format", known.name, "read" if known.open else "recognised, not read yet")
    table.add_row("backend", "reference", "float64, the definition")
    table.add_row("backend", "fixed_point", "Loihi integers, bit-exact")
    python = find_lava_python()
    table.add_row("backend", "lava", "lava-nc, the referee" if python else "not installed here: make lava")
    Console().print(table)

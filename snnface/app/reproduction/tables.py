"""Every table by its name."""

from snnface.app.reproduction.published import cross_modal, micro_expression, spiking, valence_arousal
from snnface.app.reproduction.table import Table
from snnface.errors import unknown_name

__all__ = ["ALL", "TABLES", "table_named", "tables_named"]

ALL = "all"
"""Stands for every table on the command line."""

TABLES: dict[str, Table] = {
    table.name: table for paper in (valence_arousal, cross_modal, micro_expression, spiking) for table in paper.TABLES
}


def table_named(name: str) -> Table:
    """The table of that name.

    Raises:
        ConfigError: if there is none; lists the nearest names.
    """
    if name not in TABLES:
        raise unknown_name("table", name, TABLES)
    return TABLES[name]


def tables_named(names: tuple[str, ...]) -> tuple[Table, ...]:
    """The tables of those names, each once; "all" for every one, "micro-expression" for those of a paper.

    Raises:
        ConfigError: if a name is neither.
    """
    papers = {table.name.partition("/")[0] for table in TABLES.values()}
    found: dict[str, Table] = {}
    for name in names:
        if name in papers | {ALL}:
            found |= {key: table for key, table in TABLES.items() if name in (ALL, key.partition("/")[0])}
        else:
            found[name] = table_named(name)
    return tuple(found.values())

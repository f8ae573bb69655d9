"""What a published table is: columns, rows with their numbers as printed, and what its authors read from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from snnface.errors import ConfigError

__all__ = ["Claim", "Column", "Further", "Part", "Row", "Table"]

Further = Literal["emotion_transfer", "operations", "conversion"]
"""What is asked of a trained network beyond its own task; "conversion": of the spiking network that is made of it."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """A number of each row.

    Attributes:
        metric: its name among the scores of a run.
        heading: what the table calls it.
        better: which of two values is the better one; None: neither.
        factor: what is printed is the metric times this.
        decimals: digits behind the point.
        unit: behind the heading.
    """

    metric: str
    heading: str
    better: Literal["lower", "higher"] | None = "higher"
    factor: float = 1.0
    decimals: int = 3
    unit: str = ""

    def text(self, value: float) -> str:
        """A metric as the table prints it."""
        number = value * self.factor
        return f"{number:,.{self.decimals}f}"

    @property
    def title(self) -> str:
        arrow = {"lower": " ↓", "higher": " ↑", None: ""}[self.better]
        return f"{self.heading}{f' {self.unit}' if self.unit else ''}{arrow}"


@dataclass(frozen=True, kw_only=True)
class Row:
    """A model, as the table has it.

    Attributes:
        label: what the table calls it; unique in its table.
        published: metric -> the number as printed, in the column's units.
        recipe: the name of the recipe at the paper's sizes; None: quoted there from other work, nothing to rerun.
        further: what is asked of the trained network beyond its own task.
        departs: what differs from the paper even at its sizes, one sentence each.
    """

    label: str
    published: Mapping[str, float] = field(default_factory=dict)
    recipe: str | None = None
    further: Further | None = None
    departs: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Part:
    """Columns that stand together, and the rows that have them.

    Raises:
        ConfigError: if two columns show one metric.
    """

    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]

    def __post_init__(self) -> None:
        metrics = [column.metric for column in self.columns]
        if len(set(metrics)) < len(metrics):
            raise ConfigError(f"every column of {self.title!r} needs a metric of its own; got {', '.join(metrics)}.")

    @property
    def has_published(self) -> bool:
        """Has the paper a number in any of its cells?"""
        return any(column.metric in row.published for row in self.rows for column in self.columns)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One row is better than another: what the paper reads from its numbers.

    Attributes:
        says: in words.
        better, worse: labels of rows.
        metric: by which.
    """

    says: str
    better: str
    worse: str
    metric: str


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of a paper.

    Attributes:
        name: "paper/table", as the command line has it.
        title: what it shows.
        source: the paper and the number of the table.
        data: what the paper ran it on.
        claimant: who says what is claimed.
        departs: what differs from the paper in every row, one sentence each.
        figures: row label -> which of the run's figures to show with the table.

    Raises:
        ConfigError: if a claim or a figure names no row, or a claim no column.
    """

    name: str
    title: str
    source: str
    data: str
    parts: tuple[Part, ...]
    claims: tuple[Claim, ...] = ()
    claimant: str = "The paper"
    departs: tuple[str, ...] = ()
    figures: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        labels = {row.label for row in self.rows}
        metrics = {column.metric for part in self.parts for column in part.columns}
        named = {label for claim in self.claims for label in (claim.better, claim.worse)} | set(self.figures)
        if unknown := sorted(named - labels) + sorted({claim.metric for claim in self.claims} - metrics):
            raise ConfigError(f"{self.name} has no row or column {unknown[0]!r}.")

    @property
    def rows(self) -> tuple[Row, ...]:
        """Every row once, in order."""
        return tuple({row.label: row for part in self.parts for row in part.rows}.values())

    def column(self, metric: str) -> Column:
        """The first column of that metric."""
        return next(column for part in self.parts for column in part.columns if column.metric == metric)

"""One estimate: joules low, central and high, what they are made of, and the counts and constants behind them."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["ESTIMATED", "NEVER_COUNTED", "EnergyEstimate", "Parts", "Workload", "estimate"]

Workload = Literal["SNN", "ANN"]

ESTIMATED = "estimated, not measured"

NEVER_COUNTED = ("host and its interfaces", "event sensor", "static power", "clock tree and control")


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyEstimate:
    """Energy of one inference under one model.

    Attributes:
        workload: whose counts these are.
        precision: of weights and activations; "-" where the platform fixes it.
        low_j, central_j, high_j: joules. What the bounds assume stands in `scope`.
        parts: what the central value is made of, in joules.
        counted: part -> the counts that it was computed from, means per inference.
        constants: joules of single operations that went in, by name; `source` says where they come from.
        grade: how good the constants are.
        not_counted: what the model leaves out.
    """

    model: str
    workload: Workload
    node: str
    precision: str
    scope: str
    low_j: float
    central_j: float
    high_j: float
    parts: Mapping[str, float]
    counted: Mapping[str, Mapping[str, float]]
    constants: Mapping[str, float]
    source: str
    grade: str
    not_counted: tuple[str, ...]


class Parts:
    """Joules by name, adding up, and the counts behind them."""

    def __init__(self) -> None:
        self.joules: dict[str, float] = {}
        self.counts: dict[str, dict[str, float]] = {}

    def add(self, name: str, joules_each: float, **counts: float) -> None:
        """`joules_each` for each of the counts."""
        self.joules[name] = self.joules.get(name, 0.0) + joules_each * math.fsum(counts.values())
        known = self.counts.setdefault(name, {})
        for quantity, count in counts.items():
            known[quantity] = known.get(quantity, 0.0) + count

    @property
    def total(self) -> float:
        return math.fsum(self.joules.values())


def estimate(
    low: Parts,
    central: Parts,
    high: Parts,
    *,
    model: str,
    workload: Workload,
    precision: str,
    scope: str,
    source: str,
    constants: Mapping[str, float],
    not_counted: tuple[str, ...],
    node: str = "45 nm",
    grade: str = ESTIMATED,
) -> EnergyEstimate:
    """The estimate whose three values are the sums of the three lists of parts."""
    return EnergyEstimate(
        model=model,
        workload=workload,
        node=node,
        precision=precision,
        scope=scope,
        low_j=low.total,
        central_j=central.total,
        high_j=high.total,
        parts=central.joules,
        counted=central.counts,
        constants=constants,
        source=source,
        grade=grade,
        not_counted=(*not_counted, *NEVER_COUNTED),
    )

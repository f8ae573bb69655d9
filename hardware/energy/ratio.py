"""SNN against ANN: only inside one energy model, one node and one precision, always as a range."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from hardware.energy.estimate import EnergyEstimate
from snnface.errors import ConfigError

__all__ = ["EnergyRatio", "energy_ratio", "energy_ratios"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyRatio:
    """Energy of the spiking network over that of the ANN, inside one model.

    Attributes:
        low, high: every combination of the two ranges lies between them; the two networks
            need not run on chips that are good at the same things.
    """

    model: str
    node: str
    precision: str
    low: float
    central: float
    high: float

    @property
    def sentence(self) -> str:
        """What may be said, and nothing more."""
        values = (
            f"{self.model}, {self.precision}, {self.node}: "
            f"SNN / ANN = {self.central:.3g} ({self.low:.3g} to {self.high:.3g})"
        )
        if self.low <= 1 <= self.high:
            return f"{values}: no energy advantage can be claimed."
        winner, loser = ("SNN", "ANN") if self.high < 1 else ("ANN", "SNN")
        return f"{values}: under this model the {winner} needs less than the {loser} (estimated, not measured)."


def energy_ratio(snn: EnergyEstimate, ann: EnergyEstimate) -> EnergyRatio:
    """The ratio of two estimates of one model.

    Raises:
        ConfigError: if model, node or precision differ, or the workloads are not SNN and ANN.
    """
    keys = [(e.workload, e.model, e.node, e.precision) for e in (snn, ann)]
    if keys[0][1:] != keys[1][1:] or [key[0] for key in keys] != ["SNN", "ANN"]:
        raise ConfigError(
            "a ratio needs an SNN and an ANN estimate of one model, node and precision; "
            f"got {' / '.join(keys[0])} and {' / '.join(keys[1])}."
        )
    return EnergyRatio(
        model=snn.model,
        node=snn.node,
        precision=snn.precision,
        low=_quotient(snn.low_j, ann.high_j),
        central=_quotient(snn.central_j, ann.central_j),
        high=_quotient(snn.high_j, ann.low_j),
    )


def energy_ratios(estimates: Sequence[EnergyEstimate]) -> tuple[EnergyRatio, ...]:
    """Every ratio that may be formed among `estimates`."""
    anns = {(e.model, e.node, e.precision): e for e in estimates if e.workload == "ANN"}
    snns = [e for e in estimates if e.workload == "SNN"]
    pairs = [(snn, anns.get((snn.model, snn.node, snn.precision))) for snn in snns]
    return tuple(energy_ratio(snn, ann) for snn, ann in pairs if ann is not None)


def _quotient(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator > 0 else math.inf

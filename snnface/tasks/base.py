"""What a model is for: how it is called, what is minimised, what is measured."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor, nn

from snnface.datasets.clip import Batch

__all__ = ["Loss", "Meter", "Output", "Task"]

Output = Mapping[str, Tensor]
"""Target name -> answers [B, ...]."""


@dataclass(frozen=True, slots=True, eq=False)
class Loss:
    """A total to minimise, and the parts it is the sum of (for logs and error messages)."""

    total: Float[Tensor, ""]
    parts: Mapping[str, float]

    @property
    def value(self) -> float:
        """The total as a number."""
        return float(self.total.detach())


@runtime_checkable
class Meter(Protocol):
    """Gathers answers over a whole set; metrics are computed once, never averaged over batches."""

    def update(self, output: Output, batch: Batch) -> None: ...

    def compute(self) -> dict[str, float]: ...


@runtime_checkable
class Task(Protocol):
    """The only place that knows what a model is for."""

    @property
    def selection_metric(self) -> str:
        """The metric by which checkpoints are chosen on the validation split; larger is better."""
        ...

    def predict(self, model: nn.Module, batch: Batch) -> Output: ...

    def loss(self, output: Output, batch: Batch) -> Loss: ...

    def meter(self) -> Meter: ...

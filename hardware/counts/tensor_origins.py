"""Where a tensor comes from: which neurons, weighted layers or inputs its values were made of."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple

from torch import Tensor
from torch.nn.functional import batch_norm
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakIdKeyDictionary

__all__ = ["FROM_INPUT", "Origin", "TensorOrigins"]


class Origin(NamedTuple):
    """One source of a tensor."""

    kind: Literal["input", "neurons", "state", "weights"]
    name: str


FROM_INPUT = frozenset({Origin("input", "input")})
"""Of every tensor that nothing else is known of."""


class TensorOrigins(TorchFunctionMode):
    """While it is open, the result of every PyTorch function has the origins of its arguments.

    Who knows better (a layer of neurons, say) sets them with `mark`.

    Attributes:
        normalised: weighted layers whose outputs went through batch norm.
    """

    def __init__(self) -> None:
        super().__init__()
        self.normalised: set[str] = set()
        self._origins: Any = WeakIdKeyDictionary()
        self._is_resting = False

    def of(self, tensor: Tensor) -> frozenset[Origin]:
        found: frozenset[Origin] = self._origins.get(tensor, FROM_INPUT)
        return found

    def mark(self, value: Any, origin: Origin) -> None:
        """Every tensor in `value` comes from `origin` and nothing else."""
        for tensor in _tensors(value):
            self._origins[tensor] = frozenset({origin})

    @contextmanager
    def resting(self) -> Iterator[None]:
        """For computations that belong to the observer."""
        before, self._is_resting = self._is_resting, True
        try:
            yield
        finally:
            self._is_resting = before

    def __torch_function__(
        self, function: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        outputs = function(*args, **(kwargs or {}))
        if self._is_resting:
            return outputs
        known = [self._origins[t] for t in _tensors((args, *(kwargs or {}).values())) if t in self._origins]
        if known:
            origins = frozenset[Origin]().union(*known)
            if function is batch_norm:
                self.normalised |= {origin.name for origin in origins if origin.kind == "weights"}
            for tensor in _tensors(outputs):
                self._origins[tensor] = origins
        return outputs


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple | list):
        for entry in value:
            yield from _tensors(entry)
    elif isinstance(value, dict):
        yield from _tensors(tuple(value.values()))

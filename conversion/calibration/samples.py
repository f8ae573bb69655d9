"""Samples: whether they fit a network, and running many of them in pieces."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from snnface.errors import DataError
from snnface.shapes import require_shape

__all__ = ["in_pieces", "require_samples"]

_PIECE = 64


def require_samples(inputs: np.ndarray, input_shape: tuple[int, ...], *, what: str) -> None:
    """Check samples [B, *input_shape].

    Raises:
        ShapeError: if they have other axes.
        DataError: if there are none, or they are not numbers, or not finite.
    """
    require_shape(inputs, " ".join(map(str, ("B", *input_shape))), what=what)
    if inputs.dtype.kind not in "fiub" or not len(inputs) or not np.isfinite(inputs).all():
        raise DataError(
            f"{what} must hold at least one sample, and finite numbers only; got {len(inputs)} of {inputs.dtype}, or "
            "NaN or infinity among them."
        )


def in_pieces(network: Callable[[Tensor], Tensor]) -> Callable[[np.ndarray], np.ndarray]:
    """The network on arrays: [B, *input_shape] -> answers, computed in float32 and given in float64."""

    @torch.no_grad()
    def answers(inputs: np.ndarray) -> np.ndarray:
        parts = torch.split(torch.tensor(inputs, dtype=torch.float32), _PIECE)
        return torch.cat([network(part) for part in parts]).double().numpy()

    return answers

"""What one part of an ANN does in an inference."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

__all__ = ["ANN_QUANTITIES", "AnnLayerOperations"]

ANN_QUANTITIES = ("dense", "dense_pad", "effective", "frames", "inputs", "input_zeros", "outputs", "bias_adds")
"""Names of the per-sample counts of a layer, for `AnnOperations.total`."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class AnnLayerOperations:
    """Counts of one weighted layer.

    Attributes:
        input_size, output_size: elements of one frame (one picture, one feature vector).
        num_parameters: weights and biases.
        kernel_size: O * prod(kernel) of a convolution, transposed or not, 0 of a linear layer.
        counts: name in `ANN_QUANTITIES` -> int64 [B]. `frames` is how often the layer is
            evaluated, `inputs` and `outputs` are elements read and written, `input_zeros`
            the inputs that are exactly zero.
    """

    name: str
    kind: str
    input_size: int
    output_size: int
    num_parameters: int
    num_zero_weights: int
    kernel_size: int
    counts: dict[str, Int64[np.ndarray, " B"]]

    def mean(self, quantity: str) -> float:
        """Mean per inference of one of `ANN_QUANTITIES`."""
        return float(self.counts[quantity].mean())

    @property
    def input_sparsity(self) -> float:
        """Share of the inputs that are exactly zero."""
        return float(self.counts["input_zeros"].sum() / max(int(self.counts["inputs"].sum()), 1))

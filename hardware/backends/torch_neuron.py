"""The Loihi neuron of `loihi_neuron`, step for step, for whole batches on a torch device.

All numbers are int32, which wraps where Lava's does; see there for the equations.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Int32, Int64, UInt8
from torch import Tensor

from conversion.integer_graph import IntegerNeuron
from hardware.backends.neuron_run import Overflow

__all__ = ["DeviceLif", "DeviceState"]

HALF = 1 << 23


@dataclass(slots=True, eq=False)
class DeviceState:
    """u and v of a batch of neurons, and what has happened to them; changed in place.

    Attributes:
        num_folds, num_saturations: how often u left its 24 bits, and v stopped at its limit.
    """

    current: Int32[Tensor, "B ..."]
    voltage: Int32[Tensor, "B ..."]
    num_folds: Int64[Tensor, ""]
    num_saturations: Int64[Tensor, ""]

    @classmethod
    def zero(cls, batch: int, shape: tuple[int, ...], device: torch.device) -> "DeviceState":
        def zeros(*sizes: int, dtype: torch.dtype) -> Tensor:
            return torch.zeros(sizes, dtype=dtype, device=device)

        return cls(
            current=zeros(batch, *shape, dtype=torch.int32),
            voltage=zeros(batch, *shape, dtype=torch.int32),
            num_folds=zeros(dtype=torch.int64),
            num_saturations=zeros(dtype=torch.int64),
        )


@dataclass(frozen=True, slots=True, eq=False)
class DeviceLif:
    """One population of neurons on a device.

    Attributes:
        bias: beta in units of v, broadcastable to the population's shape.
    """

    neuron: IntegerNeuron
    bias: Int32[Tensor, "..."]
    overflow: Overflow

    def run(self, sums: Int32[Tensor, "T B ..."], state: DeviceState) -> UInt8[Tensor, "T B ..."]:
        """Advance by the steps of `sums`; gives their spikes and changes `state`."""
        spikes = torch.empty(sums.shape, dtype=torch.uint8, device=sums.device)
        theta = ((self.neuron.vth << 6) + (1 << 31)) % (1 << 32) - (1 << 31)  # as int32 holds it
        for step, activation in enumerate(sums):
            unfolded = _decayed(state.current, 4095 - self.neuron.du) + activation * 64
            current = self._folded(unfolded)
            unclipped = _decayed(state.voltage, 4096 - self.neuron.dv) + current + self.bias
            voltage = unclipped.clamp(1 - HALF, HALF - 1)
            fires = voltage > theta
            spikes[step] = fires
            state.num_folds += (current != unfolded).sum()
            state.num_saturations += (voltage != unclipped).sum()
            state.current, state.voltage = current, voltage.masked_fill_(fires, 0)
        return spikes

    def _folded(self, x: Tensor) -> Tensor:
        if self.overflow == "mod24":
            return ((x + HALF) & (2 * HALF - 1)) - HALF
        return torch.where(x > HALF, x - 2 * HALF, torch.where(x <= -HALF, x + 2 * HALF, x))


def _decayed(x: Tensor, keep: int) -> Tensor:
    """sign(x) ((|x| keep) >> 12) without a 64-bit product.

    With |x| = 4096 h + l the product is 4096 h keep + l keep, whose first part loses nothing in
    the shift, and l keep < 2^24.
    """
    if keep in (0, 4096):
        return x * (keep >> 12)
    size = x.abs()
    return torch.sign(x) * ((size >> 12) * keep + (((size & 4095) * keep) >> 12))

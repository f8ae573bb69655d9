"""The synaptic sums of a whole connection: delays, the weight exponent, and messages of any size.

The weights of one delay are summed, shifted by the exponent on their own, and added d steps later.

All sums are 32-bit integers. Where the source's largest message is known, the graph was refused
beforehand if a sum could leave them; where only the run can tell (sigma-delta neurons), each run is
checked. Lava would go on: its full matrices wrap at 32 bits, its convolutions turn a double that
does not fit into an undefined integer.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int32

from conversion.graph import Connection, LinearSynapse
from hardware.backends.loihi_synapse import largest_sum
from hardware.backends.spike_sums import SpikeSums, spike_sums
from hardware.backends.spike_train import SpikeTrain
from snnface.errors import PrecisionError

__all__ = ["ConnectionSums", "connection_sums"]


@dataclass(frozen=True, slots=True, eq=False)
class ConnectionSums:
    """A connection laid out for fast sums.

    Attributes:
        groups: the delay, and the sums of the weights that have it.
        shift: the weight exponent.
        unit_sum: the largest magnitude of a sum if every message is 1.
        is_checked: sums are known to fit 32 bits, whatever the source sends.
    """

    source: str
    groups: tuple[tuple[int, SpikeSums], ...]
    shift: int
    unit_sum: int
    is_checked: bool

    def add_to(self, sums: Int32[np.ndarray, "T N"], train: SpikeTrain, first: int) -> None:
        """Add what arrives at steps first, first + 1, ... of `train` to `sums`, in place."""
        for delay, group in self.groups:
            early = min(max(delay - first, 0), len(sums))  # steps before the first spike can arrive
            late = sums[early:]
            if self.shift == 0:
                group.add_to(late, train, first + early - delay)
                continue
            own = np.zeros_like(late)
            group.add_to(own, train, first + early - delay)
            late += own << np.int32(self.shift) if self.shift > 0 else own >> np.int32(-self.shift)

    def require_exact(self, train: SpikeTrain) -> None:
        """Check that no sum over these messages can leave 32 bits.

        Raises:
            PrecisionError: names the source, and how large its messages are.
        """
        if self.is_checked:
            return
        largest = int(np.abs(train.value.astype(np.int64)).max(initial=0))
        if (largest * self.unit_sum) << max(self.shift, 0) >= 1 << 31:
            raise PrecisionError(
                f"sums over the connection from {self.source!r} could leave 32 bits: it sends messages up to "
                f"{largest}, and its weights add up to {self.unit_sum}. Use smaller weights or a larger state_exp."
            )


def connection_sums(
    connection: Connection, source_shape: tuple[int, ...], largest_message: int | None
) -> ConnectionSums:
    """Lay out a connection whose weights are used as they are.

    Args:
        largest_message: of the source; None where only a run can tell.
    """
    synapse, delay = connection.synapse, connection.delay
    groups: list[tuple[int, SpikeSums]] = []
    if delay is None or not isinstance(synapse, LinearSynapse):
        groups.append((0, spike_sums(synapse, source_shape, largest_message)))
    else:
        for steps in np.unique(delay):
            weight = np.where(delay == steps, synapse.weight, 0)
            groups.append((int(steps), spike_sums(LinearSynapse(weight), source_shape, largest_message)))
    is_checked = largest_message is not None
    return ConnectionSums(connection.source, tuple(groups), connection.weight_exp, largest_sum(synapse, 1), is_checked)

"""Other simulators of the same integers, beside the project's own: Lava, and netx on top of it.

They are wanted, not needed: what keeps one away is its result, not an error.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from hardware.agreement import RunAgreement, agreement
from hardware.backends.base import RunResult
from hardware.backends.fixed_point import FixedPointBackend
from hardware.backends.lava import LavaBackend, find_lava_python
from hardware.backends.netx import NetxBackend, NetxConfig
from snnface.app.prepared_network import Prepared
from snnface.errors import HardwareError

__all__ = ["NotRun", "RefereeRun", "fixed_point_run", "lava_referee", "netx_referee"]


@dataclass(frozen=True, slots=True)
class NotRun:
    """There is no run, and why."""

    reason: str


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class RefereeRun:
    """What another simulator gave.

    Attributes:
        fixed: what the project's own gives of the same integers on the same clips.
        note: in what these integers are not those that are deployed; empty where they are.
    """

    tool: str
    fixed: RunResult
    ran: RunResult | NotRun
    note: str = ""

    @property
    def agreement(self) -> RunAgreement | None:
        """None if it was not run."""
        return None if isinstance(self.ran, NotRun) else agreement(self.fixed, self.ran)


def fixed_point_run(prepared: Prepared, inputs: Int64[np.ndarray, "T B *N"]) -> RunResult:
    backend = FixedPointBackend()
    return backend.run(backend.compile(prepared.quantized.graph, prepared.target), inputs)


def lava_referee(prepared: Prepared, inputs: Int64[np.ndarray, "T B *N"], fixed: RunResult) -> RefereeRun:
    """Intel's Lava.

    Args:
        fixed: of the same clips.
    """
    ran: RunResult | NotRun
    if find_lava_python() is None:
        ran = NotRun("Lava's environment is not installed (make lava)")
    else:
        backend = LavaBackend()
        try:
            ran = backend.run(backend.compile(prepared.quantized.graph, prepared.target), inputs)
        except HardwareError as error:
            ran = NotRun(str(error))
    return RefereeRun(tool="Lava", fixed=fixed, ran=ran)


def netx_referee(prepared: Prepared, inputs: Int64[np.ndarray, "T B *N"], fixed: RunResult) -> RefereeRun:
    """lava-dl's netx, from the file that this project writes; biases as that file holds them.

    Args:
        fixed: of the same clips.
    """
    backend, note = NetxBackend(NetxConfig(round_biases=True)), ""
    ran: RunResult | NotRun
    try:
        program = backend.compile(prepared.quantized.graph, prepared.target)
        ran = backend.run(program, inputs)
        if program.rounded_biases:
            # Another network, then, and compared with the simulator's run of that one.
            simulator = FixedPointBackend()
            fixed = simulator.run(simulator.compile(program.graph, prepared.target), inputs)
            note = "; ".join(map(str, program.rounded_biases))
    except HardwareError as error:
        ran = NotRun(str(error))
    return RefereeRun(tool="netx", fixed=fixed, ran=ran, note=note)

"""Two phases a sample: the first shows which neurons will err, the second answers.

The host reads every neuron's potential after the first phase and edits the state for the
second, sample by sample. So the latency is that of both, and no file of weights holds it.
All layers run the first phase at once and are edited at once: one after the other, each behind edited ones, would
multiply the first phase by the depth, and was no nearer to the ANN on digits.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from conversion.calibration.layered import trains_of
from conversion.conversion_report import Answers, Runner
from conversion.graph import Population, SpikingGraph
from conversion.simulate import constant_input, run_neurons, simulate

__all__ = ["Phases", "answers_of", "two_phase_runner"]

Phases = Literal["silence", "shift"]
"""What the first phase's potentials v are used for.

silence: SRP. Neurons with v < 0 fired too often and stay silent in the second phase.
shift:   COS. Neurons with v < 0 start a threshold lower, those with v > threshold a threshold
         higher: they fired once too often, or once too rarely.
"""


def two_phase_runner(phases: Phases, *, first_steps: int) -> Runner:
    """A simulation with a first phase of `first_steps`, for graphs that reset by subtraction.

    Source: Hao et al. 2023, arXiv:2302.02091 (SRP), arXiv:2302.10685 (COS); there each layer
    waits for the one before it.
    """

    def run(graph: SpikingGraph, samples: np.ndarray, steps: Sequence[int]) -> Answers:
        held = constant_input(samples, first_steps)
        first = {name: torch.tensor(v) for name, v in simulate(graph, held, precision="float32").voltage.items()}

        def fire(population: Population, currents: Tensor) -> Tensor:
            voltage, threshold = first[population.name], float(population.neuron.threshold)
            if phases == "silence":
                spikes, _ = run_neurons(currents, population.neuron)
                return spikes * (voltage >= 0)
            # Without a leak, a current in the first step is a higher start.
            shift = threshold * ((voltage > threshold).float() - (voltage < 0).float())
            shifted = torch.cat([currents[:1] + shift, currents[1:]])
            return run_neurons(shifted, population.neuron)[0]

        return answers_of(graph, trains_of(graph, constant_input(samples, max(steps)), fire), steps)

    return run


def answers_of(graph: SpikingGraph, trains: Mapping[str, Tensor], steps: Sequence[int]) -> Answers:
    """What the readout says after each of `steps`, and how many messages there were, whatever their size."""
    read = trains[graph.readout.source].numpy()
    counts = {t: {name: int(torch.count_nonzero(train[:t])) for name, train in trains.items()} for t in steps}
    return Answers({t: graph.readout(read[:t]) for t in steps}, counts)

"""Messages that are not 0 or 1: what Loihi 2 can send and NIR cannot say. Simulated here, never exported.

Both take a converted graph (thresholds 1, half-threshold start) and run its weights with other neurons.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from conversion.calibration.layered import trains_of
from conversion.calibration.phases import answers_of
from conversion.conversion_report import Answers, Runner
from conversion.graph import Population, SpikingGraph
from conversion.simulate import constant_input

__all__ = ["graded_runner", "run_ternary"]

_TAKES_BACK_BELOW = -0.25
"""Measured on digits: as near to the ANN as 0, with a quarter fewer spikes, as rounding is not sent to and fro."""


def run_ternary(graph: SpikingGraph, samples: np.ndarray, steps: Sequence[int]) -> Answers:
    """Neurons that take a spike back: s = -1 where v < -1/4 and more spikes went out than were taken back.

        h[t] = v[t-1] + x[t]
        s[t] = 1 where h >= 1;  -1 where h < -1/4 and n[t-1] > 0;  else 0
        v[t] = h[t] - s[t],   n[t] = n[t-1] + s[t]

    So n follows the rounded sum of the currents, clipped at 0 like the ReLU, as far as one
    spike a step allows.

    Source: Wang et al. 2022, "Signed neuron with memory", IJCAI (the memory n); the start at 1/2 and
    the level of -1/4 are ours.
    """

    def fire(population: Population, currents: Tensor) -> Tensor:
        voltage = torch.full_like(currents[0], float(population.neuron.initial_voltage))
        sent, spikes = torch.zeros_like(voltage), torch.empty_like(currents)
        for step, current in enumerate(currents):
            voltage = voltage + current
            spikes[step] = (voltage >= 1).float() - ((voltage < _TAKES_BACK_BELOW) & (sent > 0)).float()
            voltage, sent = voltage - spikes[step], sent + spikes[step]
        return spikes

    return answers_of(graph, trains_of(graph, constant_input(samples, max(steps)), fire), steps)


def graded_runner(*, levels: int) -> Runner:
    """Sigma-delta: a neuron sends by how many levels its activation changed, as a number, and nothing otherwise.

        sigma: u[t] = u[t-1] + W m[t],   a = max(u + b, 0)
        delta: m[t] = round(a[t] levels) / levels - (all that was sent before)

    Held input is sent once. The answer is that of the ANN with activations in steps of
    theta / levels, after one step; what it saves is messages where the input changes little.
    Compare it with the quantised ANN, not with spikes of one bit.

    Source: Davies et al. 2021, Proceedings of the IEEE 109(5), "sigma-delta neural networks" on Loihi 2;
    O'Connor and Welling 2016, arXiv:1611.02024.
    """

    def run(graph: SpikingGraph, samples: np.ndarray, steps: Sequence[int]) -> Answers:
        sent_once = np.zeros((max(steps), *samples.shape), dtype=np.float32)
        sent_once[0] = samples

        def fire(population: Population, currents: Tensor) -> Tensor:
            bias = _bias(population)
            wanted = ((currents - bias).cumsum(0) + bias).clamp(min=0.0)
            reached = (wanted * levels + 0.5).floor() / levels
            return torch.cat([reached[:1], reached.diff(dim=0)])

        trains = trains_of(graph, sent_once, fire)
        # The readout adds up what it was sent, too; a mean over steps would dilute it.
        added = {t: graph.readout(trains[graph.readout.source][:t].sum(0, keepdim=True).numpy()) for t in steps}
        return Answers(added, answers_of(graph, trains, steps).num_spikes)

    return run


def _bias(population: Population) -> Tensor:
    """The constant part of a population's currents, broadcast over its pixels."""
    total = torch.zeros(population.shape[0], dtype=torch.float64)
    for link in population.inputs:
        if link.synapse.bias is not None:
            total = total + torch.tensor(link.synapse.bias)
    return total.float().reshape(-1, *[1] * (len(population.shape) - 1))

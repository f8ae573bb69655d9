"""The same counts as NeuroBench 2.3, exactly, where both count.

Runs where neurobench and snntorch are installed (`pip install --no-deps neurobench`).
Source of the other definitions: Yik et al. 2025, Nature Communications 16, 1545, and neurobench 2.3.0.
"""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from conversion.graph import INPUT, Connection, Conv2dSynapse, LinearSynapse, Neuron, Population, Readout, SpikingGraph
from hardware.counts.monitors import monitor
from hardware.counts.operation_counts import NetworkOperations
from hardware.counts.operations import count_operations

snntorch = pytest.importorskip("snntorch")
pytest.importorskip("neurobench.models", reason="neurobench is not installed")

NUM_STEPS, NUM_SAMPLES = 6, 3


def plain_network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(24, 16),
        snntorch.Leaky(beta=0.5, threshold=0.3, init_hidden=True),
        nn.Linear(16, 5),
        snntorch.Leaky(beta=0.75, threshold=0.3, init_hidden=True, output=True),
    )


def odd_network() -> nn.Sequential:
    """Stride, padding, groups, dilation, kernels that are not square, and weights that are 0."""
    torch.manual_seed(1)
    model = nn.Sequential(
        nn.Conv2d(2, 4, (3, 2), stride=(2, 1), padding=(1, 0), groups=2),
        snntorch.Leaky(beta=0.5, threshold=0.2, init_hidden=True),
        nn.Conv2d(4, 6, (2, 3), padding=(2, 1), dilation=(2, 1), bias=False),
        snntorch.Leaky(beta=0.5, threshold=0.2, init_hidden=True),
        nn.Flatten(),
        nn.LazyLinear(5),
        snntorch.Leaky(beta=0.5, threshold=0.2, init_hidden=True, output=True),
    )
    model(torch.zeros(1, 2, 3, 4))
    with torch.no_grad():
        for layer in model:
            if isinstance(layer, nn.Conv2d | nn.Linear):
                layer.weight[torch.rand(layer.weight.shape) < 0.3] = 0
    return model


NETWORKS = {"plain": plain_network, "odd": odd_network}


def events() -> Tensor:
    """[B, T, C, H, W], as NeuroBench has it."""
    return (torch.rand(NUM_SAMPLES, NUM_STEPS, 2, 3, 4, generator=torch.Generator().manual_seed(2)) < 0.4).float()


def neurobench_results(model: nn.Sequential, inputs: Tensor) -> dict[str, Any]:
    from neurobench.metrics.workload import ActivationSparsity, MembraneUpdates, SynapticOperations
    from neurobench.models import SNNTorchModel

    wrapped = SNNTorchModel(model)
    wrapped.register_hooks()
    data = (inputs, torch.zeros(len(inputs)))
    with torch.no_grad():
        answers = wrapped(inputs)
    results = {
        "sparsity": ActivationSparsity()(wrapped, answers, data),
        "updates": MembraneUpdates()(wrapped, answers, data),
    }
    operations = SynapticOperations()
    results |= operations(wrapped, answers, data)
    wrapped.cleanup_hooks()
    return results


def monitored(model: nn.Sequential, inputs: Tensor) -> NetworkOperations:
    snntorch.utils.reset(model)
    with monitor(model, batch_axis=0) as counts:
        for step in inputs.transpose(0, 1):
            model(step)
    return counts.operations


@pytest.mark.parametrize("name", NETWORKS)
def test_a_monitor_counts_what_neurobench_counts(name: str) -> None:
    model, inputs = NETWORKS[name]().eval(), events()
    theirs, ours = neurobench_results(model, inputs), monitored(model, inputs)
    effective = int(ours.per_sample("synops_nonzero").sum())
    assert (theirs["Effective_ACs"], theirs["Effective_MACs"]) == (effective / NUM_SAMPLES, 0)
    assert theirs["Dense"] == NUM_STEPS * sum(layer.dense for layer in ours.layers)
    spikes, updates = (int(ours.per_sample(quantity).sum()) for quantity in ("spikes", "updates_dense"))
    assert theirs["sparsity"] == 1 - spikes / updates or theirs["sparsity"] == (updates - spikes) / updates
    assert theirs["updates"] <= updates / NUM_SAMPLES
    assert effective > 0
    assert spikes > 0


def test_every_biased_leaky_neuron_changes_at_every_step() -> None:
    model, inputs = plain_network().eval(), events()
    ours = monitored(model, inputs)
    assert neurobench_results(model, inputs)["updates"] == ours.per_sample("updates_dense").sum() / NUM_SAMPLES


def graph_of(model: nn.Sequential) -> SpikingGraph:
    """The weights alone; the neurons' spikes are given."""
    populations: list[Population] = []
    for layer in model:
        if not isinstance(layer, nn.Conv2d | nn.Linear):
            continue
        weight = layer.weight.detach().double().numpy()
        synapse: Conv2dSynapse | LinearSynapse = LinearSynapse(weight)
        if isinstance(layer, nn.Conv2d):
            assert not isinstance(layer.padding, str)
            synapse = Conv2dSynapse(weight, None, layer.stride, layer.padding, layer.dilation, layer.groups)  # type: ignore[arg-type]
        source, shape = (populations[-1].name, populations[-1].shape) if populations else (INPUT, (2, 3, 4))
        name = f"layer{len(populations)}"
        link = Connection(source, synapse)
        populations.append(Population(name, synapse.output_shape(shape), Neuron(leak=0.5, threshold=1.0), (link,)))
    size = populations[-1].num_neurons
    return SpikingGraph((2, 3, 4), tuple(populations), Readout(populations[-1].name, np.eye(size), np.zeros(size)))


@pytest.mark.parametrize("name", NETWORKS)
def test_a_graph_counts_what_neurobench_counts(name: str) -> None:
    model, inputs = NETWORKS[name]().eval(), events()
    trains: dict[str, list[Tensor]] = {}
    neurons = [layer for layer in model if isinstance(layer, snntorch.SpikingNeuron)]
    handles = [
        layer.register_forward_hook(
            lambda _, __, out, key=f"layer{index}": trains.setdefault(key, []).append(
                out[0] if isinstance(out, tuple) else out
            )
        )
        for index, layer in enumerate(neurons)
    ]
    snntorch.utils.reset(model)
    with torch.no_grad():
        for step in inputs.transpose(0, 1):
            model(step)
    for handle in handles:
        handle.remove()
    spikes = {key: torch.stack(parts).numpy().astype(np.uint8) for key, parts in trains.items()}
    counted = count_operations(graph_of(model), inputs.transpose(0, 1).numpy().astype(np.uint8), spikes)
    theirs = neurobench_results(model, inputs)
    effective = sum(int(layer.per_sample("synops_nonzero").sum()) for layer in counted.layers[:-1])
    assert theirs["Effective_ACs"] == effective / NUM_SAMPLES
    assert theirs["Dense"] == NUM_STEPS * sum(layer.dense for layer in counted.layers[:-1])

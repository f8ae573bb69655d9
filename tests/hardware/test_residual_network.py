"""A spiking residual network on the chip: its sums of spikes, its relays, and answers at every step."""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from conversion.from_snn import graph_from_model
from conversion.graph import INPUT, Connection, Conv2dSynapse, LinearSynapse, Neuron, Population, Readout, SpikingGraph
from conversion.quantize import QuantizeConfig, Quantized, quantize
from conversion.simulate import simulate
from hardware.agreement import agreement
from hardware.backends.fixed_point import FixedPointBackend
from hardware.backends.lava import LavaBackend
from hardware.backends.reference import ReferenceBackend
from hardware.counts.fan_out import fan_out
from hardware.counts.operations import count_operations
from hardware.mapping.resources import chip_fit
from hardware.placement import pipeline_schedule
from hardware.target import LOIHI1, LOIHI2
from snnface.events.window import Resolution
from snnface.models import FaceModel, LeakyReadout, LeakyReadoutConfig, MlpHead, MlpHeadConfig
from snnface.spiking.residual import SewResNet, SewResNetConfig

READER = "encoder.stages.1.down.neuron"


@cache
def graph() -> SpikingGraph:
    """Of a valence-arousal regressor with spikes in every layer, 2 x 8 x 8 in."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        config = SewResNetConfig(stem=3, stages=(4, 5), features=(6,))
        encoder = SewResNet(config, in_channels=2, resolution=Resolution(height=8, width=8))
        head = MlpHead(MlpHeadConfig(), num_features=6, num_outputs=2)
        model = FaceModel(encoder, LeakyReadout(LeakyReadoutConfig()), {"valence_arousal": head})
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.running_var, 0.01, 0.03)
                nn.init.normal_(module.bias, std=0.1)
            if isinstance(module, nn.Linear):
                module.weight.data *= 3
    return graph_from_model(model.double().eval())


@cache
def quantized() -> Quantized:
    return quantize(graph(), QuantizeConfig(input_bits=4))


@cache
def pictures() -> np.ndarray:
    """Event counts [T=10, B=2, 2, 8, 8]."""
    return np.random.default_rng(2).poisson(0.5, (10, 2, 2, 8, 8))


def test_all_paths_of_a_residual_network_are_equally_long() -> None:
    schedule = pipeline_schedule(graph())
    # stem, pool, down, first, second, then the next stage, then the full layer
    assert schedule.latency[READER] == 6
    assert schedule.depth == 9


def test_the_reference_backend_answers_at_every_step_as_the_simulation_does() -> None:
    backend = ReferenceBackend()
    run = backend.run(backend.compile(graph(), LOIHI2), pictures())
    simulated = simulate(graph(), pictures())
    assert run.num_spikes == simulated.num_spikes
    assert min(run.num_spikes.values()) > 0
    assert run.answers.shape == (10, 2, 2)
    np.testing.assert_allclose(run.answers, simulated.answers, atol=1e-12)


def test_fixed_point_reads_its_own_spikes_at_every_step() -> None:
    backend = FixedPointBackend()
    run = backend.run(backend.compile(quantized().graph, LOIHI2), pictures())
    assert run.answers.shape == (10, 2, 2)
    np.testing.assert_allclose(run.answers, graph().readout(run.spikes[graph().readout.source]), atol=1e-12)
    assert run.num_spikes[f"{READER}.relay1"] == run.num_spikes[READER] > 0
    assert sum(run.num_saturations.values()) == 0


def test_both_connections_of_a_sum_have_the_same_integers() -> None:
    early, late = quantized().graph.population(READER).inputs
    assert np.array_equal(early.synapse.weight, late.synapse.weight)


@pytest.mark.lava
def test_fixed_point_and_lava_agree_on_a_residual_network(lava_python: Path) -> None:
    fixed, lava = FixedPointBackend(), LavaBackend()
    ours = fixed.run(fixed.compile(quantized().graph, LOIHI2), pictures())
    theirs = lava.run(lava.compile(quantized().graph, LOIHI2), pictures())
    compared = agreement(ours, theirs)
    assert compared.num_spikes > 0
    assert compared.is_exact
    np.testing.assert_allclose(theirs.answers, ours.answers, atol=1e-12)


def test_a_sum_costs_the_spikes_of_both_trains_but_one_set_of_weights() -> None:
    run = simulate(graph(), pictures())
    counted = count_operations(graph(), pictures(), run.spikes)
    layer, population = counted.layer(READER), graph().population(READER)
    early, late = population.inputs
    fan = fan_out(early.synapse, graph().shape_of(early.source))
    assert layer.num_parameters == early.synapse.weight.size + early.synapse.bias.size
    assert layer.dense == fan.sum()
    touched = sum((run.spikes[link.source].sum(axis=0) * fan).sum(axis=(1, 2, 3)) for link in (early, late))
    assert layer.per_sample("synops").tolist() == touched.tolist()


def test_repeated_weights_are_stored_once_on_a_chip() -> None:
    def bits(second: np.ndarray) -> tuple[int, int]:
        """Weight memory of a population that reads two others, the second through `second`."""
        weight = np.random.default_rng(0).normal(size=(4, 3, 3, 3))
        neuron, one = Neuron(leak=0.5, threshold=1.0), Conv2dSynapse(np.ones((3, 3, 1, 1)))
        links = tuple(
            Connection(name, Conv2dSynapse(w, padding=(1, 1))) for name, w in (("a", weight), ("b", weight * second))
        )
        made = SpikingGraph(
            (3, 6, 6),
            (
                Population("a", (3, 6, 6), neuron, (Connection(INPUT, one),)),
                Population("b", (3, 6, 6), neuron, (Connection(INPUT, one),)),
                Population("sum", (4, 6, 6), neuron, links),
            ),
            Readout("sum", np.ones((1, 144)), np.zeros(1)),
        )
        fits = [chip_fit(made, target).populations[-1] for target in (LOIHI1, LOIHI2)]
        return fits[0].synapse_bits_shared, fits[1].synapse_bits_shared

    same, different = bits(np.array(1.0)), bits(np.array(2.0))
    assert (2 * same[0], 2 * same[1]) == different
    assert same[1] == 4 * 3 * 9 * 8


def test_a_readout_at_every_step_adds_its_bias_and_leaks_at_every_step() -> None:
    def counted(leak: float | None) -> tuple[int, int, int]:
        population = Population(
            "cells", (3,), Neuron(leak=1.0, threshold=0.5), (Connection(INPUT, LinearSynapse(np.eye(3))),)
        )
        made = SpikingGraph((3,), (population,), Readout("cells", np.ones((2, 3)), np.ones(2), leak))
        spikes = np.ones((5, 1, 3), dtype=np.uint8)
        layer = count_operations(made, spikes, {"cells": spikes}).layer("readout")
        names = ("synops", "bias_adds", "leak_multiplies")
        first, second, third = (int(layer.per_sample(name)[0]) for name in names)
        return first, second, third

    # 5 steps x 3 spikes x 2 answers; 2 biases once or 5 times; 2 potentials leak at 5 steps
    assert counted(None) == (30, 2, 0)
    assert counted(1.0) == (30, 10, 0)
    assert counted(0.25) == (30, 10, 10)

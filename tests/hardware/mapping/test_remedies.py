"""What helps a network that does not fit: an exact way, and the smallest changes, worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest

from conversion.graph import INPUT, Connection, Conv2dSynapse, LinearSynapse, Neuron, Population, Readout, SpikingGraph
from hardware.mapping.network_changes import ShapeChange, changed_network, without_small_inputs
from hardware.mapping.population_fit import population_fits
from hardware.mapping.resources import ChipFit, chip_fit
from hardware.target import LOIHI1
from snnface.errors import ConversionError

NEURON = Neuron(leak=0.5, threshold=1.0)
RELAY = Neuron(leak=1.0, threshold=0.5, is_relay=True)
TINY = replace(
    LOIHI1,
    name="tiny",
    neurons_per_core=256,
    cores_per_chip=8,
    input_axons_per_core=128,
    shared_axons_per_core=128,
    boards={"pair": 2, "wall": 100},
)


def network(weight: np.ndarray | None = None) -> SpikingGraph:
    """2x16x16 - conv 4 - OR pool - fc 16: the last layer reads 256 inputs."""
    conv = Conv2dSynapse(np.ones((4, 2, 3, 3)), padding=(1, 1))
    pool = Conv2dSynapse(np.ones((4, 1, 2, 2)), stride=(2, 2), groups=4)
    full = LinearSynapse(np.ones((16, 256)) if weight is None else weight)
    populations = (
        Population("conv", (4, 16, 16), NEURON, (Connection(INPUT, conv),)),
        Population("pool", (4, 8, 8), RELAY, (Connection("conv", pool),)),
        Population("full", (16,), NEURON, (Connection("pool", full),)),
    )
    return SpikingGraph((2, 16, 16), populations, Readout("full", np.ones((1, 16)), np.zeros(1)))


@pytest.fixture(scope="module")
def fit() -> ChipFit:
    return chip_fit(network(), TINY)


def test_remedies_of_a_layer_that_reads_too_much_are_those_worked_out_by_hand(fit: ChipFit) -> None:
    assert fit.reasons[0] == "full: one neuron reads 256 inputs and a core has 128 input axons"
    found = {remedy.change: (remedy.fan_in, remedy.neurons) for remedy in fit.remedies}
    assert found == {
        "let 32 inputs of 'full' share an axon, each with weights of its own": (18, 1024 + 256 + 16),
        "let 'full' read the 128 of its 256 inputs with the largest weights (50 % of the sum of squares)": (128, 1296),
        "pool 3 x 3 instead of 2 x 2 in 'pool'": (4 * 5 * 5, 1024 + 100 + 16),
        "pool once more, 2 x 2, behind 'pool'": (4 * 4 * 4, 1024 + 256 + 64 + 16),
        "keep 2 of the 4 channels of 'conv'": (2 * 8 * 8, 512 + 128 + 16),
        "stride 2 in 'conv'": (4 * 4 * 4, 256 + 64 + 16),
        # 12 x 12 would leave 4 x 6 x 6 = 144 inputs; and 10 x 10 is the first that one chip holds.
        "crop or shrink the input to 11 x 11": (4 * 5 * 5, 4 * 121 + 100 + 16),
        "crop or shrink the input to 10 x 10": (4 * 5 * 5, 4 * 100 + 100 + 16),
    }


def test_the_exact_remedy_comes_first_and_then_those_that_keep_most(fit: ChipFit) -> None:
    exact, *others = fit.remedies
    assert (exact.keeps_answers, exact.kept) == (True, 1.0)
    assert not any(remedy.keeps_answers for remedy in others)
    kept = [remedy.kept for remedy in others]
    assert kept == sorted(kept, reverse=True)
    # 46 x 46 taps of 3 x 3 kernels inside 16 x 16, for 2 x 4 pairs of maps; a pool reads each of its 1024 inputs once.
    before = 8 * 46 * 46 + 1024 + 16 * 256
    pruned = next(remedy for remedy in others if remedy.change.startswith("let 'full' read"))
    assert pruned.kept == pytest.approx((before - 16 * 128) / before)


def test_what_a_remedy_promises_is_what_the_changed_network_needs(fit: ChipFit) -> None:
    smaller = chip_fit(changed_network(network(), ShapeChange(channels={"conv": 2})), TINY)
    promised = next(remedy for remedy in fit.remedies if remedy.change.startswith("keep 2"))
    assert (promised.cores, promised.neurons, promised.chips) == (smaller.cores, smaller.neurons, smaller.chips)
    assert not any("inputs" in reason for reason in smaller.reasons)
    assert promised.sentence.startswith("keep 2 of the 4 channels of 'conv': 50 % of the connections, 656 neurons, ")


def test_inputs_with_the_largest_weights_are_kept() -> None:
    weight = np.ones((16, 256))
    weight[:, ::2] = 3
    pruned, share = without_small_inputs(network(weight), "full", 128)
    kept = pruned.population("full").inputs[0].synapse.weight
    assert np.array_equal(kept, np.where(weight == 3, weight, 0))
    assert share == pytest.approx(0.9)


def test_a_network_that_needs_more_cores_than_a_chip_has_is_given_a_board_and_a_smaller_picture() -> None:
    conv = Conv2dSynapse(np.ones((4, 2, 3, 3)), padding=(1, 1))
    graph = SpikingGraph(
        (2, 32, 32),
        (Population("conv", (4, 32, 32), NEURON, (Connection(INPUT, conv),)),),
        Readout("conv", np.ones((1, 4096)), np.zeros(1)),
    )
    large = replace(TINY, input_axons_per_core=4096)
    fit = chip_fit(graph, large)
    assert (fit.cores, fit.chips, fit.board) == (16, 2, "pair")
    (remedy,) = fit.remedies
    # 22 x 22 x 4 = 1936 neurons are 7.6 cores of 256.
    assert remedy.change == "crop or shrink the input to 22 x 22"
    assert (remedy.chips, remedy.neurons) == (1, 1936)
    assert chip_fit(changed_network(graph, ShapeChange(crop=(22, 22))), large).verdict == "fits"


def test_a_wide_layer_behind_a_full_matrix_can_read_fewer_neurons() -> None:
    populations = (
        Population("hidden", (256,), NEURON, (Connection(INPUT, LinearSynapse(np.ones((256, 8)))),)),
        Population("full", (16,), NEURON, (Connection("hidden", LinearSynapse(np.ones((16, 256)))),)),
    )
    graph = SpikingGraph((8,), populations, Readout("full", np.ones((1, 16)), np.zeros(1)))
    changes = {remedy.change for remedy in chip_fit(graph, TINY).remedies}
    assert "keep 128 of the 256 neurons of 'hidden'" in changes
    assert not any("pool" in change or "crop" in change for change in changes)


def test_changes_that_would_tear_a_sum_apart_are_not_proposed() -> None:
    weight = np.ones((4, 4, 1, 1))
    populations = (
        Population("a", (4, 8, 8), NEURON, (Connection(INPUT, Conv2dSynapse(weight)),)),
        Population("b", (4, 8, 8), NEURON, (Connection("a", Conv2dSynapse(weight)),)),
        Population("c", (4, 8, 8), RELAY, (Connection("a", Conv2dSynapse(2 * weight)),)),
        Population(
            "full",
            (2,),
            NEURON,
            (Connection("b", LinearSynapse(np.ones((2, 256)))), Connection("c", LinearSynapse(np.ones((2, 256))))),
        ),
    )
    graph = SpikingGraph((4, 8, 8), populations, Readout("full", np.ones((1, 2)), np.zeros(1)))
    changes = {remedy.change for remedy in chip_fit(graph, TINY).remedies}
    # Matrices take what they are given, so a smaller `b` alone is allowed, but 4 x 4 x 4 + 4 x 8 x 8 is too much still.
    assert changes == {
        "let 32 inputs of 'full' share an axon, each with weights of its own",
        "crop or shrink the input to 4 x 4",
    }
    with pytest.raises(ConversionError, match="the connections into 'sum' would no longer agree"):
        changed_network(summed(), ShapeChange(channels={"b": 2}))


def summed() -> SpikingGraph:
    one = Conv2dSynapse(np.ones((4, 4, 1, 1)))
    relay = Conv2dSynapse(np.ones((4, 1, 1, 1)), groups=4)
    populations = (
        Population("a", (4, 8, 8), NEURON, (Connection(INPUT, one),)),
        Population("b", (4, 8, 8), NEURON, (Connection("a", one),)),
        Population("c", (4, 8, 8), RELAY, (Connection("a", relay),)),
        Population("sum", (4, 8, 8), RELAY, (Connection("b", relay), Connection("c", relay))),
    )
    return SpikingGraph((4, 8, 8), populations, Readout("sum", np.ones((1, 256)), np.zeros(1)))


def test_a_network_without_changes_has_the_same_needs() -> None:
    for graph in (network(), summed()):
        assert population_fits(changed_network(graph, ShapeChange()), TINY) == population_fits(graph, TINY)


def test_a_picture_too_small_for_its_kernels_is_refused() -> None:
    with pytest.raises(ConversionError, match="kernel does not fit an input"):
        changed_network(network(), ShapeChange(crop=(1, 16)))

"""Monitors against the counters of graphs, against loops, and in the modules of other frameworks."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from conversion.from_snn import graph_from_model
from conversion.simulate import simulate
from hardware.counts.ann_operations import count_ann_operations
from hardware.counts.monitors import monitor
from hardware.counts.operation_counts import QUANTITIES, NetworkOperations
from hardware.counts.operation_summary import summarise_operations
from hardware.counts.operations import count_operations
from snnface.errors import DataError
from snnface.events.window import Resolution
from snnface.models.face_model import FaceModel
from snnface.models.heads import VotingHead, VotingHeadConfig
from snnface.models.temporal import MeanOverTime
from snnface.spiking.encoder import ConvSnn, ConvSnnConfig
from snnface.spiking.layers import SpikingRecurrent
from snnface.spiking.neurons import NeuronConfig, SpikingNeuron


def spikes(*shape: int, seed: int = 0, rate: float = 0.2) -> Tensor:
    return (torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < rate).float()


def small_network(seed: int = 0) -> FaceModel:
    torch.manual_seed(seed)
    config = ConvSnnConfig(channels=(4, 6), features=(10, 6), neuron=NeuronConfig(threshold=0.2))
    encoder = ConvSnn(config, in_channels=2, resolution=Resolution(8, 8))
    head = VotingHead(VotingHeadConfig(), num_features=6, num_outputs=3)
    return FaceModel(encoder, MeanOverTime(), {"action_unit": head}).eval()


def test_a_monitored_model_of_ours_counts_as_its_graph_does() -> None:
    model, inputs = small_network(), spikes(5, 3, 2, 8, 8)
    with monitor(model) as counts:
        watched = model(inputs)
    torch.testing.assert_close(watched, model(inputs))
    trains = inputs.numpy().astype(np.uint8)
    graph = graph_from_model(model.double())
    run = simulate(graph, trains)
    expected = count_operations(graph, trains, {name: train.astype(np.uint8) for name, train in run.spikes.items()})
    populations = [layer for layer in expected.layers if layer.kind == "population"]
    watched_layers = [layer for layer in counts.operations.layers if layer.kind == "population"]
    assert [layer.shape for layer in watched_layers] == [layer.shape for layer in populations]
    for own, layer in zip(watched_layers, populations, strict=True):
        # The OR-pools between are relays of the graph; what is behind them sees the same spikes.
        for quantity in set(QUANTITIES) - {"bias_adds"}:
            np.testing.assert_array_equal(own.per_sample(quantity), layer.per_sample(quantity), err_msg=quantity)
        np.testing.assert_array_equal(own.rates, layer.rates)
        assert own.dense == layer.dense
        assert own.dense_pad == layer.dense_pad
    assert all(layer.spikes.min() > 0 for layer in populations)
    assert counts.warnings == ()


def test_recurrent_weights_carry_the_spikes_of_the_step_before() -> None:
    torch.manual_seed(0)
    layer = SpikingRecurrent(4, 3, NeuronConfig(threshold=0.2)).eval()
    inputs = spikes(6, 2, 4, rate=0.5)
    with monitor(layer) as counts:
        fired = layer(inputs)
    (own,) = counts.operations.layers
    forward, recurrent = own.connections
    assert (forward.source, recurrent.source) == ("input", "neuron")
    assert forward.touched.tolist() == (3 * inputs.sum(dim=(0, 2))).int().tolist()
    assert recurrent.touched.tolist() == (3 * fired[:-1].sum(dim=(0, 2))).int().tolist()
    assert fired.sum() > 0


class SteppedNetwork(nn.Module):
    """Convolution - neurons - pool - full layer - neurons, one step a call, in any framework's neurons."""

    def __init__(self, make: Callable[[], nn.Module], pool: nn.Module) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.conv = nn.Conv2d(2, 4, 3, stride=2, padding=1, groups=2)
        self.first, self.pool, self.full, self.second = make(), pool, nn.Linear(16, 5), make()
        with torch.no_grad():
            self.conv.weight[0] = 0
            self.full.weight *= 4

    def forward(self, inputs: Tensor, state: list) -> tuple[Tensor, list]:
        fired, one = self.first(4 * self.conv(inputs), *state[:1])
        answer, two = self.second(self.full(self.pool(fired).flatten(1)), *state[1:])
        return answer, [one, two]


def stepped_counts(model: SteppedNetwork, inputs: Tensor) -> tuple[NetworkOperations, dict[str, Tensor]]:
    """Counts of all steps, and what the two layers read, by hooks of the test's own."""
    read: dict[str, list[Tensor]] = {"conv": [], "full": []}
    handles = [
        layer.register_forward_pre_hook(lambda _, args, name=name: read[name].append(args[0].detach().clone()))
        for name, layer in (("conv", model.conv), ("full", model.full))
    ]
    with monitor(model, batch_axis=0) as counts:
        state: list = []
        for step in inputs:
            _, state = model(step, state)
    for handle in handles:
        handle.remove()
    return counts.operations, {name: torch.stack(parts) for name, parts in read.items()}


def loops_over_conv(conv: nn.Conv2d, frames: Tensor, *, only_nonzero: bool = False) -> int:
    """Every existing connection of every event, one by one."""
    total = 0
    per_group = conv.out_channels // conv.groups
    for _, _, channel, row, column in torch.nonzero(frames).tolist():
        for out in range(per_group * channel, per_group * (channel + 1)):
            for a, b in np.ndindex(3, 3):
                high, wide = row + 1 - a, column + 1 - b
                inside = high % 2 == wide % 2 == 0 and 0 <= high < 8 and 0 <= wide < 8
                total += inside and (not only_nonzero or bool(conv.weight[out, 0, a, b] != 0))
    return total


def check_stepped(model: SteppedNetwork, num_decays: int) -> None:
    inputs = spikes(4, 2, 2, 8, 8, seed=3)
    operations, read = stepped_counts(model, inputs)
    first, second = operations.layers
    assert (first.name, second.name) == ("first", "second")
    assert first.per_sample("synops").sum() == loops_over_conv(model.conv, read["conv"])
    assert first.per_sample("synops_nonzero").sum() == loops_over_conv(model.conv, read["conv"], only_nonzero=True)
    assert first.per_sample("synops_nonzero").sum() < first.per_sample("synops").sum()
    assert second.per_sample("synops").sum() == 5 * int(torch.count_nonzero(read["full"])) > 0
    assert [layer.per_sample("updates_dense").tolist() for layer in operations.layers] == [[4 * 64] * 2, [4 * 5] * 2]
    assert [c.source for layer in operations.layers for c in layer.connections] == ["input", "first"]
    assert {layer.num_decays for layer in operations.layers} == {num_decays}
    assert first.per_sample("bias_adds").tolist() == [4 * 4 * 16] * 2
    assert {c.event_type for layer in operations.layers for c in layer.connections} == {"binary"}


def test_snntorch_modules_are_counted() -> None:
    snntorch = pytest.importorskip("snntorch")
    check_stepped(SteppedNetwork(lambda: snntorch.Leaky(beta=0.5), nn.MaxPool2d(2)), num_decays=1)
    check_stepped(SteppedNetwork(lambda: snntorch.Leaky(beta=1.0), nn.MaxPool2d(2)), num_decays=0)


def test_recurrent_snntorch_neurons_bring_their_own_weights() -> None:
    snntorch = pytest.importorskip("snntorch")
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), snntorch.RLeaky(beta=0.5, linear_features=3, init_hidden=True))
    with monitor(model, batch_axis=0) as counts:
        for step in spikes(5, 2, 4, rate=0.9):
            model(4 * step)
    (layer,) = counts.operations.layers
    assert [connection.num_weights for connection in layer.connections] == [12, 9]


def test_norse_modules_are_counted() -> None:
    norse = pytest.importorskip("norse.torch")
    check_stepped(SteppedNetwork(lambda: norse.LIFCell(dt=0.01), nn.MaxPool2d(2)), num_decays=2)
    check_stepped(SteppedNetwork(lambda: norse.LIFBoxCell(dt=0.01), nn.MaxPool2d(2)), num_decays=1)


def test_spikingjelly_modules_are_counted() -> None:
    neuron = pytest.importorskip("spikingjelly.activation_based.neuron")

    class Stateless(nn.Module):
        """Neurons that keep their state to themselves, with a state all the same."""

        def __init__(self, node: nn.Module) -> None:
            super().__init__()
            self.node = node

        def forward(self, currents: Tensor, *state: object) -> tuple[Tensor, object]:
            return self.node(currents), None

    model = SteppedNetwork(lambda: Stateless(neuron.LIFNode(tau=2.0)), nn.MaxPool2d(2))
    operations, read = stepped_counts(model, spikes(4, 2, 2, 8, 8, seed=3))
    assert [layer.name for layer in operations.layers] == ["first.node", "second.node"]
    assert operations.layers[0].per_sample("synops").sum() == loops_over_conv(model.conv, read["conv"])
    assert operations.layers[1].per_sample("synops").sum() == 5 * int(torch.count_nonzero(read["full"])) > 0
    assert {layer.num_decays for layer in operations.layers} == {1}


def test_several_steps_in_one_call_count_as_step_by_step() -> None:
    model, inputs = small_network(), spikes(6, 2, 2, 8, 8)
    with monitor(model) as whole:
        model(inputs)
    parts = []
    for sample in range(2):
        with monitor(model) as counts:
            model(inputs[:, sample : sample + 1])
        parts.append(counts.operations)
    together = parts[0].combine(parts[1])
    for quantity in QUANTITIES:
        np.testing.assert_array_equal(whole.operations.per_sample(quantity), together.per_sample(quantity))


def test_an_ann_is_counted_as_the_baseline_is() -> None:
    torch.manual_seed(2)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5)
    ).eval()
    inputs = torch.rand(3, 1, 4, 4)
    with monitor(model, batch_axis=0) as counts:
        model(inputs)
    expected = count_ann_operations(model, inputs, batch_axis=0)
    assert [(layer.name, layer.kind) for layer in counts.operations.layers] == [("0", "analogue"), ("4", "readout")]
    for layer in counts.operations.layers:
        twin = next(entry for entry in expected.layers if entry.name == layer.name)
        assert layer.connections[0].event_type == "graded"
        assert layer.per_sample("macs").tolist() == twin.counts["effective"].tolist()
        assert [layer.dense] * 3 == twin.counts["dense"].tolist()
    # Batch norm folds into biases.
    assert counts.operations.layers[0].per_sample("bias_adds").tolist() == [4 * 16] * 3


class Read(nn.Module):
    """A layer that reads what `make` makes of two trains of spikes."""

    def __init__(self, make: Callable[[Tensor, Tensor], Tensor], width: int = 6) -> None:
        super().__init__()
        self.make = make
        self.one, self.two, self.last = nn.Linear(6, 6), nn.Linear(6, 6), nn.Linear(width, 2)
        self.a, self.b = (SpikingNeuron(NeuronConfig(threshold=0.01)) for _ in range(2))

    def forward(self, inputs: Tensor) -> Tensor:
        return self.last(self.make(self.a(self.one(inputs)), self.b(self.two(inputs))))


@pytest.mark.parametrize(
    ("make", "width", "event_type", "source"),
    [
        (lambda a, b: a, 6, "binary", "a"),
        (lambda a, b: 0.5 * a, 6, "binary", "a"),
        (lambda a, b: a.clamp(max=1) * b, 6, "binary", "a + b"),
        (lambda a, b: a - b, 6, "signed", "a + b"),
        (lambda a, b: a + b, 6, "graded", "a + b"),
        (lambda a, b: nn.functional.avg_pool1d(a, 2), 3, "graded", "a"),
        (lambda a, b: nn.functional.max_pool1d(a, 2), 3, "binary", "a"),
        (lambda a, b: 0 * a, 6, "none", "a"),
        (lambda a, b: torch.cat([a, b], dim=-1), 12, "binary", "a + b"),
    ],
)
def test_what_a_layer_reads_is_told_by_data_and_source(
    make: Callable[[Tensor, Tensor], Tensor], width: int, event_type: str, source: str
) -> None:
    torch.manual_seed(0)
    model = Read(make, width)
    with monitor(model) as counts:
        model(spikes(8, 2, 6, rate=0.5))
    (connection,) = counts.operations.layer("last").connections
    assert (connection.event_type, connection.source) == (event_type, source)
    assert (counts.operations.layer("last").per_sample("macs").sum() > 0) == (event_type == "graded")


def test_an_analogue_layer_that_happens_to_give_zeros_and_ones_is_no_source_of_spikes() -> None:
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.ReLU(), nn.Linear(2, 1))
    with torch.no_grad():
        model[0].weight.copy_(torch.eye(2))
    with monitor(model, batch_axis=0) as counts:
        model(torch.tensor([[1.0, 0.0]]))
    types = [connection.event_type for layer in counts.operations.layers for connection in layer.connections]
    assert types == ["binary", "graded"]


def test_an_analogue_picture_shown_at_every_step_is_noticed() -> None:
    model = nn.Sequential(nn.Linear(3, 4), SpikingNeuron(NeuronConfig()))
    picture = torch.rand(1, 2, 3) + 0.1
    with monitor(model) as still:
        model(picture.expand(5, -1, -1))
    with monitor(model) as moving:
        model(picture * torch.arange(1, 6).reshape(5, 1, 1))
    (constant,), (changing,) = (counts.operations.layers[0].connections for counts in (still, moving))
    assert (constant.event_type, constant.is_constant, changing.is_constant) == ("graded", True, False)
    assert still.operations.per_sample("macs").tolist() == [5 * 12] * 2


def test_silence_is_no_evidence_of_spikes() -> None:
    model = nn.Sequential(nn.Linear(3, 4), SpikingNeuron(NeuronConfig()))
    with monitor(model) as counts:
        model(torch.zeros(5, 2, 3))
    assert counts.operations.layers[0].connections[0].event_type == "none"
    assert counts.operations.per_sample("synops").tolist() == [0, 0]


def test_counts_of_a_monitor_go_into_every_summary() -> None:
    model = small_network()
    with monitor(model) as counts:
        model(spikes(5, 3, 2, 8, 8))
    summary = summarise_operations(counts.operations)
    assert (summary.num_samples, summary.steps) == (3, 5)
    assert 0 < summary.rate < 1
    assert counts.operations.kappa > 0


def test_the_model_is_left_as_it_was() -> None:
    model = small_network()

    def hooks() -> int:
        return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())

    def watch() -> None:
        with monitor(model):
            model(torch.zeros(5, 2, 3, 8, 8))

    with pytest.raises(Exception, match="the encoder's input must have"):
        watch()
    assert hooks() == 0
    assert not any(module.watchers for module in model.modules() if isinstance(module, SpikingNeuron))


def test_wrong_use_is_named() -> None:
    model = nn.Sequential(nn.Linear(3, 4), SpikingNeuron(NeuronConfig()))

    def run(*shapes: tuple[int, ...], batch_axis: int = 1, part: nn.Module = model) -> NetworkOperations:
        with monitor(model, batch_axis=batch_axis) as counts:
            for shape in shapes:
                part(torch.ones(shape))
        return counts.operations

    with pytest.raises(DataError, match="nothing was counted: call the model itself"):
        run()
    with pytest.raises(DataError, match="'0' was called, the model itself was not"):
        run((5, 2, 3), part=model[0])
    with pytest.raises(DataError, match="no axis 1 of samples; set batch_axis"):
        run((3,))
    with pytest.raises(DataError, match="the batch changed from 2 to 4 samples; open one monitor a batch"):
        run((5, 2, 3), (5, 4, 3))
    embedding = nn.Sequential(nn.Embedding(3, 2), nn.Linear(2, 2), nn.Linear(2, 2))
    with monitor(embedding, batch_axis=0) as counts:
        embedding[1](embedding(torch.zeros(4, dtype=torch.int64)))
    assert counts.warnings[0] == "module '0' (Embedding) has weights of its own that cannot be counted."
    assert "training mode" in counts.warnings[-1]


def test_a_layer_that_is_never_called_is_named() -> None:
    model = nn.Sequential(nn.Linear(3, 4), SpikingNeuron(NeuronConfig())).eval()
    model[1].spare = nn.Linear(2, 2)
    with monitor(model) as counts:
        model(torch.ones(5, 2, 3))
    assert counts.warnings == ("layer '1.spare' (Linear) was never called; it is not counted.",)

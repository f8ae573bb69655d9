"""Reading torch modules: the same answers in every way to write them, and refusals by name and source line."""

import warnings

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from ann_baselines.frame_cnn import FrameCnn, FrameCnnConfig
from ann_baselines.resnet18 import ResNet18, ResNet18Config
from conversion.ann.graph import AnnGraph, AveragePool, ChannelAffine, Flatten, Relu, Softmax
from conversion.ann.reduction import network_of
from conversion.ann.torch_reader import read_module
from conversion.graph import INPUT
from snnface.errors import ConversionError, UnsupportedLayerError
from snnface.events.window import Resolution
from snnface.models.heads import VotingHead, VotingHeadConfig


def with_random_norms(model: nn.Module) -> nn.Module:
    """Fresh batch norms do nothing; these do."""
    generator = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            assert module.running_mean is not None
            module.running_mean.normal_(generator=generator)
            module.running_var = torch.rand(module.num_features, generator=generator) + 0.5
            module.weight.data.normal_(generator=generator)
            module.bias.data.normal_(generator=generator)
    return model


def assert_same(graph: AnnGraph, model: nn.Module) -> None:
    inputs = torch.as_tensor(np.random.default_rng(7).normal(size=(5, *graph.input_shape)))
    with torch.no_grad():
        expected = model.double().eval()(inputs)
    torch.testing.assert_close(graph(inputs), expected, rtol=1e-9, atol=1e-9)


def names(graph: AnnGraph) -> list[str]:
    return [node.name for node in graph.nodes]


def test_a_sequential_model_is_read_with_its_answers_and_left_as_it_is():
    torch.manual_seed(0)
    model = with_random_norms(
        nn.Sequential(
            nn.Sequential(nn.Conv2d(2, 6, 3, padding="same", bias=False), nn.BatchNorm2d(6)),
            nn.Sequential(nn.ReLU(), nn.AvgPool2d(2)),
            nn.Conv2d(6, 4, 3, stride=1, padding=1, groups=2),
            nn.ReLU6(),
            nn.Dropout2d(),
            nn.Conv2d(4, 4, (2, 1), dilation=(2, 1)),
            nn.Hardtanh(0.0, 2.0),
            nn.Identity(),
            nn.AdaptiveAvgPool2d((3, 2)),
            nn.Flatten(),
            nn.Linear(24, 10, bias=False),
            nn.BatchNorm1d(10),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(10, 3),
            nn.Softmax(dim=1),
        )
    )  # fmt: skip
    weight = model[2].weight.detach().clone()
    graph = read_module(model.train(), (2, 16, 16))
    assert model.training
    assert model[2].weight.dtype == torch.float32
    assert bool((model[2].weight == weight).all())
    assert " ".join(names(graph)) == "0.0 0.1 1.0 1.1 2 3 5 6 8 8.flatten 10 11 12 14 15"
    assert graph.removed == (
        "dropout '4': does nothing when evaluated",
        "dropout '13': does nothing when evaluated",
    )
    assert_same(graph, model)
    network = network_of(graph)
    assert [(layer.name, layer.shape, layer.ceiling) for layer in network.layers] == [
        ("0.0", (6, 16, 16), None),
        ("2", (4, 8, 8), 6.0),
        ("5", (4, 6, 8), 2.0),
        ("10", (10,), None),
    ]


class Block(nn.Module):
    """A residual block with one ReLU module for all its ReLUs, in torchvision's order."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(4, 6, 3, 2, 1, bias=False), nn.BatchNorm2d(6)
        self.conv2, self.bn2 = nn.Conv2d(6, 6, 3, 1, 1, bias=False), nn.BatchNorm2d(6)
        self.downsample = nn.Sequential(nn.Conv2d(4, 6, 1, 2, bias=False), nn.BatchNorm2d(6))
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out = self.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += self.downsample(x)
        return self.relu(out)


def test_one_relu_module_in_many_places_is_many_nodes_with_lines_of_the_source():
    torch.manual_seed(0)
    model = with_random_norms(nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), Block(), nn.Flatten(), nn.Linear(24, 2)))
    graph = read_module(model, (1, 6, 6))
    relus = [node for node in graph.nodes if isinstance(node.operation, Relu)]
    assert [node.name for node in relus] == ["1", "2.relu", "2.relu:2"]
    assert relus[1].where.startswith("test_torch_reader.py, line ")
    assert relus[0].where == ""
    assert_same(graph, model)
    network = network_of(graph)
    assert [layer.name for layer in network.layers] == ["0", "2.conv1", "2.conv2"]
    assert [link.source for link in network.layers[-1].inputs] == ["2.conv1", "0"]


class Functions(nn.Module):
    """The same operations as functions, methods and in place."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.conv = parametrizations.weight_norm(nn.Conv2d(2, 4, 3))
        self.kernel = nn.Parameter(torch.randn(6, 4, 3, 3))
        self.matrix = nn.Parameter(torch.randn(6, 5))
        self.fc = nn.Linear(5, 3)
        self.register_buffer("mean", torch.tensor([0.1, 0.2])[:, None, None])

    def forward(self, x: Tensor) -> Tensor:
        assert x.shape[1] == 2, "a check of shapes is no control flow on data"
        x = (x - self.mean) / torch.tensor([[[0.5]], [[0.25]]])
        x = functional.relu(self.conv(x))
        x = functional.conv2d(functional.pad(x, (1, 0, 0, 2)), self.kernel, stride=2).clamp(0, 3)
        y = torch.relu(-x + 1.5) * 2
        x = torch.clamp(y.relu_() - x / 4, min=0).clamp_max_(5.0)
        x = functional.dropout(x, 0.5, self.training).mean([-1, -2])
        with torch.autocast("cpu", enabled=False):
            x = functional.hardtanh(x @ self.matrix + 0.5, 0.0, 2.0)
        x = torch.maximum(functional.relu6(x.view(x.size(0), -1)), torch.zeros(1))
        return functional.log_softmax(self.fc(1 - x), dim=-1)


def test_functions_methods_and_constants_are_read_as_modules_are():
    torch.manual_seed(0)
    model = Functions()
    graph = read_module(model, (2, 9, 9))
    assert isinstance(graph.nodes[0].operation, ChannelAffine)
    assert isinstance(graph.nodes[-1].operation, Softmax)
    assert graph.nodes[-1].operation.is_log
    assert {"conv", "conv2d_1", "fc", "log_softmax"} <= set(names(graph))
    assert_same(graph, model)
    network = network_of(graph)
    inputs = torch.randn(4, 2, 9, 9, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(network(inputs).log_softmax(1), model(inputs), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "pooled",
    [
        lambda x: x.mean((2, 3)),
        lambda x: x.mean([-1, -2], keepdim=True).flatten(1),
        lambda x: x.mean(3).mean(2),
        lambda x: x.flatten(2).mean(2),
        lambda x: x.view(x.shape[0], x.shape[1], -1).mean(-1),
        lambda x: functional.adaptive_avg_pool2d(x, 1).squeeze(-1).squeeze(-1),
        lambda x: functional.adaptive_avg_pool2d(x, (1, 1))[..., None].reshape(len(x), -1),
        lambda x: torch.flatten(functional.avg_pool2d(x, x.shape[2:]), 1),
    ],
)
def test_every_way_to_write_a_global_pool_is_one_pool_and_flattening(pooled):
    class Pooled(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return pooled(x)

    graph = read_module(Pooled(), (3, 4, 5))
    assert isinstance(graph.nodes[0].operation, AveragePool)
    assert isinstance(graph.nodes[-1].operation, Flatten)
    assert all(isinstance(node.operation, AveragePool | Flatten) for node in graph.nodes)
    inputs = torch.randn(2, 3, 4, 5, dtype=torch.float64)
    torch.testing.assert_close(graph(inputs), inputs.mean((2, 3)), rtol=1e-12, atol=1e-12)


def test_adaptive_windows_of_one_size_may_overlap():
    graph = read_module(nn.AdaptiveAvgPool2d((3, None)), (1, 7, 4))
    assert graph.nodes[0].operation == AveragePool((3, 1), (2, 1))
    with pytest.raises(
        UnsupportedLayerError, match=r"it pools \(7, 4\) to \(5, 4\), which windows of one size cannot do"
    ):
        read_module(nn.AdaptiveAvgPool2d((5, None)), (1, 7, 4))


def test_our_resnet_becomes_synapses_once_its_max_pool_is_an_average():
    torch.manual_seed(0)
    resnet = ResNet18(ResNet18Config(width=4, features=6), in_channels=2, resolution=Resolution(64, 64))
    graph = read_module(with_random_norms(nn.Sequential(resnet, nn.Linear(6, 2))), (2, 64, 64))
    network = network_of(graph, max_pool="average")
    assert len(network.layers) == 18
    assert [layer.name for layer in network.layers][:4] == [
        "0.conv1",
        "0.layer1.0.conv1",
        "0.layer1.0.conv2",
        "0.layer1.1.conv1",
    ]
    assert [len(layer.inputs) for layer in network.layers] == [1, *[1, 2] * 8, 1]
    # The average stands in the first block: its kernel and its shortcut read the stem's map.
    assert network.layers[1].inputs[0].synapse.weight.shape == (4, 4, 6, 6)
    assert network.layers[2].inputs[1].synapse.weight.tolist() == np.full((4, 1, 2, 2), 0.25).tolist()
    assert (network.source, network.readout.weight.shape) == ("0.fc", (2, 6))


def test_a_baseline_that_checks_its_input_is_read():
    model = FrameCnn(FrameCnnConfig(channels=(4,), features=5), in_channels=2, resolution=Resolution(8, 8))
    graph = read_module(model, (2, 8, 8))
    assert graph.nodes[-1].name == "layers.6"
    # It ends with a ReLU: the answers are the rates of the last layer.
    network = network_of(graph, max_pool="average")
    assert network.readout.weight.tolist() == np.eye(5).tolist()


def test_a_convolution_a_global_pool_and_a_softmax_are_a_head():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Conv2d(3, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Softmax(1))
    graph = read_module(model, (1, 6, 6))
    assert_same(graph, model)
    network = network_of(graph)
    inputs = torch.randn(4, 1, 6, 6, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(network(inputs), model[:-1](inputs).flatten(1), rtol=1e-9, atol=1e-9)


def test_a_vote_of_neighbouring_features_is_a_full_layer():
    torch.manual_seed(0)
    head = VotingHead(VotingHeadConfig(), num_features=6, num_outputs=2)
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), head)
    graph = read_module(model, (4,))
    network = network_of(graph)
    assert network.readout.weight.tolist() == [[1 / 3] * 3 + [0] * 3, [0] * 3 + [1 / 3] * 3]
    assert_same(graph, model)


def module(function):
    """A model that calls `function(model, x)`; it has some layers to call."""

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(1, 2, 3)
            self.lstm = nn.LSTM(4, 3)
            self.attention = nn.MultiheadAttention(4, 1, batch_first=True)
            self.norm = nn.BatchNorm2d(1, track_running_stats=False)

        def forward(self, x: Tensor) -> Tensor:
            return function(self, x)

    return Model()


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (nn.GELU(), "'1' is GELU: its values below 0 would need a signed neuron"),
        (nn.PReLU(), "'1' is PReLU: its values below 0"),
        (nn.LeakyReLU(), "'1' is LeakyReLU: its values below 0"),
        (nn.SiLU(), "'1' is SiLU: its values below 0"),
        (nn.ELU(), "'1' is ELU: its values below 0"),
        (nn.Tanh(), "'1' is Tanh: its values below 0"),
        (nn.Sigmoid(), "'1' is Sigmoid: a rate code has no sigmoid"),
        (nn.Softplus(), "'1' is Softplus: a rate code has no sigmoid"),
        (nn.Hardtanh(-1, 1), r"'1' is Hardtanh: it clips to -1\.0\.\.1\.0; spikes need a lower end of 0"),
        (nn.LayerNorm(4), "'1' is LayerNorm: it takes its statistics from the input"),
        (nn.GroupNorm(1, 1), "'1' is GroupNorm: it takes its statistics"),
        (nn.InstanceNorm2d(1), "'1' is InstanceNorm2d: it takes its statistics"),
        (nn.BatchNorm2d(1, track_running_stats=False), "'1' is BatchNorm2d: a batch norm without running statistics"),
        (nn.AdaptiveMaxPool2d(1), "'1' is AdaptiveMaxPool2d: the maximum over spikes is a logical OR"),
        (nn.ConvTranspose2d(1, 1, 2), "'1' is ConvTranspose2d: transposed convolutions"),
        (nn.AvgPool2d(3, ceil_mode=True), "'1' is AvgPool2d: ceil_mode"),
        (nn.AvgPool2d(2, divisor_override=3), "'1' is AvgPool2d: divisor_override"),
        (nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect"), "'1' is Conv2d: only padding with zeros"),
        (nn.Linear(4, 4), r"'1' is Linear: it reads a map \(1, 4, 4\); put a Flatten before it"),
        (nn.Softmax(2), "'1' is Softmax: a softmax can only go where it stands behind the answers"),
        (nn.PixelUnshuffle(2), "'1' is PixelUnshuffle: it has no spiking counterpart here"),
        (nn.Upsample(scale_factor=2), "'1' is Upsample: it has no spiking counterpart here"),
        (nn.Sequential(nn.Flatten(2), nn.Linear(16, 2)), r"'1.1' is Linear: it reads a map \(1, 16\)"),
    ],
)
def test_layers_without_a_spiking_form_are_refused_by_name(layer, message):
    with pytest.raises(UnsupportedLayerError, match=f"layer {message}"):
        read_module(nn.Sequential(nn.Identity(), layer), (1, 4, 4))


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda model, x: model.lstm(x[:, 0])[0], "'select' is the function 'select' .*it picks or reorders parts"),
        (lambda model, x: model.lstm(x.squeeze(1))[0], "'lstm' is LSTM .*recurrent layers are not converted"),
        (
            lambda model, x: model.attention(*[x.squeeze(1)] * 3)[0],
            "'attention' is MultiheadAttention .*attention multi",
        ),
        (lambda model, x: x * x.mean((2, 3), keepdim=True), "'mul' is the function 'mul' .*a gate"),
        (lambda model, x: x @ x, "'matmul' is the function 'matmul' .*it multiplies two values"),
        (lambda model, x: functional.conv2d(x, x[:1]), "it picks or reorders parts of a value"),
        (lambda model, x: torch.cat([x, x], 1), "'cat' is the function 'cat' .*it joins values"),
        (lambda model, x: x.permute(0, 2, 3, 1), "'permute' is the function 'permute'"),
        (lambda model, x: functional.conv1d(x[:, 0], x.new_ones(1, 4, 1)), "it picks or reorders"),
        (lambda model, x: functional.dropout(x), "it drops values when evaluated, too"),
        (lambda model, x: 1 / x, "has no spiking counterpart here|only division by a constant"),
        (lambda model, x: x // 2, "only division by a constant|no spiking counterpart"),
        (lambda model, x: x + torch.arange(4.0), "its constant differs from pixel to pixel"),
        (lambda model, x: x[:1] + x, "it picks or reorders"),
        (lambda model, x: x.mean(), "only a mean over rows and columns is a pool"),
        (lambda model, x: x.mean(1), "only a mean over rows and columns is a pool"),
        (lambda model, x: functional.pad(x, (1, 1), value=1.0), "only padding with zeros"),
        (lambda model, x: functional.pad(x, (-1, 1)), "it must add rows and columns"),
        (lambda model, x: x.reshape(-1), "it joins different samples of the batch"),
        (lambda model, x: x.half(), r"it rounds to torch\.float16"),
        (lambda model, x: x.clamp(max=1.0), r"it clips to -inf\.\.1\.0"),
        (lambda model, x: torch.maximum(x, x), "it clips to different numbers, or to a value that depends"),
        (lambda model, x: x * x.mean().item(), "only a mean over rows and columns|depends on the data"),
        (lambda model, x: x.amax((2, 3)), "the maximum over spikes"),
        (lambda model, x: torch.where(x > 0, x, 0.1 * x), "no synapse does"),
        (lambda model, x: torch.linalg.norm(x), "it has no spiking counterpart here"),
    ],
)
def test_functions_without_a_spiking_form_are_refused_with_their_line(function, message):
    with pytest.raises(UnsupportedLayerError, match=rf"\(test_torch_reader\.py, line \d+\): .*|{message}") as caught:
        read_module(module(function), (1, 4, 4))
    assert caught.match(message)
    assert caught.match(r"\(test_torch_reader\.py, line \d+\)")


def decides(model: nn.Module, x: Tensor) -> Tensor:
    if x.sum() > 0:
        return x.flatten(1)
    return -x.flatten(1)


def test_control_flow_that_depends_on_data_is_refused_with_its_line():
    with pytest.raises(
        UnsupportedLayerError, match=r"cannot be traced without data \(test_torch_reader\.py, line \d+\)"
    ):
        read_module(module(decides), (1, 4, 4))


@pytest.mark.parametrize(
    ("function", "error", "message"),
    [
        (lambda model, x: {"valence": x, "arousal": x}, UnsupportedLayerError, "answers with 2 values; one tensor"),
        (lambda model, x: None, UnsupportedLayerError, "answers with NoneType; one tensor"),
        (lambda model, x: x, ConversionError, "the model's answer is its input"),
        (lambda model, x: torch.ones(len(x), 2), ConversionError, "or does not depend on it"),
        (
            lambda model, x: x.view(2, 16),
            ConversionError,
            r"cannot read an input of \(3, 1, 4, 4\) .*'\[2, 16\]' is invalid",
        ),
        (lambda model, x: model.conv(x[:, :, :2]), ConversionError, r"cannot read an input of \(3, 1, 4, 4\)"),
        (lambda model, x: model.conv(x) + torch.randn(2, 1, 1), ConversionError, "differs from the model by"),
    ],
)
def test_models_that_are_no_function_of_one_tensor_to_one_are_refused(function, error, message):
    with pytest.raises(error, match=message):
        read_module(module(function), (1, 4, 4))


def test_modules_that_cannot_be_copied_or_looked_into_are_refused():
    model = nn.Linear(4, 3)
    model.scale = model.weight * 2
    with pytest.raises(ConversionError, match="the model cannot be copied: Only Tensors created explicitly"):
        read_module(model, (4,))
    with warnings.catch_warnings():
        # That torch.jit is on its way out; there are files of it.
        warnings.simplefilter("ignore")
        scripted = torch.jit.trace(nn.Linear(4, 3), torch.zeros(1, 4), check_trace=False)
    with pytest.raises(UnsupportedLayerError, match="compiled TorchScript"):
        read_module(scripted, (4,))


def test_weights_that_are_not_finite_are_refused_by_name():
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3), nn.ReLU(), nn.Linear(3, 2))
    model[1].bias.data[1] = np.nan
    with pytest.raises(ConversionError, match="the bias of layer '1' holds NaN or infinite values"):
        read_module(model, (1, 4, 4))


def test_what_a_hook_does_is_read_too():
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    model[1].register_forward_hook(lambda module, inputs, output: output * 2)
    graph = read_module(model, (1, 4, 4))
    assert [type(node.operation).__name__ for node in graph.nodes] == ["Flatten", "Linear", "ChannelAffine"]
    assert_same(graph, model)


def test_a_model_that_rounds_to_float32_in_between_is_read_up_to_its_rounding():
    model = module(lambda model, x: functional.conv2d(x.float(), model.conv.weight.float()))
    graph = read_module(model, (1, 4, 4))
    assert graph.nodes[0].inputs == (INPUT,)

"""ONNX files as ANN graphs: both torch exporters, names, constants computed while reading, inputs and answers."""

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

onnx = pytest.importorskip("onnx", reason="the onnx extra is not installed")
pytest.importorskip("onnxruntime", reason="the onnx extra is not installed")

from onnx_models import floats, ints, node, numbers, onnx_model, residual_model, saved  # noqa: E402

from ann_baselines import ResNet18, ResNet18Config  # noqa: E402
from conversion.ann.graph import (  # noqa: E402
    AnnGraph,
    AveragePool,
    ChannelAffine,
    Conv,
    Linear,
    MaxPool,
    Relu,
    Softmax,
)
from conversion.ann.onnx_reader import read_onnx  # noqa: E402
from conversion.onnx_export import export_onnx  # noqa: E402
from snnface.errors import BackendUnavailableError, ConversionError  # noqa: E402
from snnface.events import Resolution  # noqa: E402

VECTOR = ("batch", 8)
NET = {"w": numbers(8, 3)}


@pytest.mark.parametrize("opset", [11, 13, 18, 21])
def test_a_shape_computed_by_the_graph_itself_is_computed_while_reading(opset: int, tmp_path: Path) -> None:
    """x.view(x.size(0), 2 * 36) as the older exporter writes it."""
    ends = {"zero": ints(0)} if opset >= 13 else {}
    unsqueeze = node("Unsqueeze", "size zero", "sizes") if ends else node("Unsqueeze", "size", "sizes", axes=[0])
    nodes = [
        node("Shape", "x", "shape"),
        node("Gather", "shape first", "size", axis=0),
        unsqueeze,
        node("Mul", "half two", "rest"),
        node("Concat", "sizes rest", "to", axis=0),
        node("Reshape", "x to", "a"),
        node("Gemm", "a w", "y"),
    ]
    arrays = {"first": np.array(0, np.int64), "half": ints(36), "two": ints(2), "w": numbers(72, 3), **ends}
    path = saved(onnx_model(nodes, arrays, opset=opset), tmp_path)
    assert [type(entry.operation).__name__ for entry in read_onnx(path).nodes] == ["Flatten", "Linear"]


def test_paddings_reversed_by_slices_are_computed_while_reading(tmp_path: Path) -> None:
    """functional.pad as the older exporter writes it: columns first, turned around, one row a side."""
    nodes = [
        node("ConstantOfShape", "four", "zeros", value=onnx.numpy_helper.from_array(ints(0))),
        node("Concat", "sides zeros", "all", axis=0),
        node("Reshape", "all pairs", "rows"),
        node("Slice", "rows last before first back", "turned"),
        node("Transpose", "turned", "ends", perm=[1, 0]),
        node("Reshape", "ends flat", "flat_ends"),
        node("Cast", "flat_ends", "pads", to=7),
        node("Pad", "x pads", "y", mode="constant"),
    ]
    constants = {"four": ints(4), "pairs": ints(-1, 2), "first": ints(0), "back": ints(-1), "flat": ints(-1)}
    places = {"last": ints(-1), "before": ints(-(2**63) + 1), "sides": ints(1, 2, 3, 4)}
    graph = read_onnx(saved(onnx_model(nodes, {**constants, **places}), tmp_path))
    assert graph.nodes[-1].operation.padding == (3, 1, 4, 2)


def test_whole_numbers_are_divided_towards_zero(tmp_path: Path) -> None:
    nodes = [node("Div", "seven two", "half"), node("Concat", "half rest", "to", axis=0), node("Reshape", "x to", "y")]
    arrays = {"seven": ints(-3), "two": ints(2), "rest": ints(72)}
    graph = read_onnx(saved(onnx_model(nodes, arrays), tmp_path))
    assert graph.nodes[-1].shape == (72,)


def test_batch_norm_by_hand(tmp_path: Path) -> None:
    arrays = {"g": floats(2, 3), "b": floats(1, 0), "m": floats(5, 1), "v": floats(3, 15)}
    path = saved(onnx_model([node("BatchNormalization", "x g b m v", "y", epsilon=1.0)], arrays), tmp_path)
    affine = read_onnx(path).nodes[0].operation
    assert isinstance(affine, ChannelAffine)
    np.testing.assert_allclose(affine.scale, [1, 0.75], rtol=1e-7)
    np.testing.assert_allclose(affine.shift, [-4, -0.75], rtol=1e-7)


def test_weights_keep_their_numbers_and_layers_their_names(tmp_path: Path) -> None:
    graph = read_onnx(saved(residual_model(), tmp_path))
    layers = {entry.name: entry.operation for entry in graph.nodes if isinstance(entry.operation, Conv | Linear)}
    assert list(layers) == ["conv1", "conv2", "fc"]
    assert layers["conv1"].weight.dtype == np.float64
    np.testing.assert_array_equal(layers["conv1"].weight, numbers(4, 2, 3, 3))
    assert graph.nodes[0].where == "node '/a/Conv'"


def test_weights_used_twice_make_two_layers(tmp_path: Path) -> None:
    nodes = [node("MatMul", "x fc.weight", "a"), node("Relu", "a", "b"), node("MatMul", "b fc.weight", "y")]
    graph = read_onnx(saved(onnx_model(nodes, {"fc.weight": numbers(8, 8)}, shape=VECTOR), tmp_path))
    assert [entry.name for entry in graph.nodes] == ["fc", "b.Relu", "fc_2"]


def test_a_layer_called_input_does_not_hide_the_input(tmp_path: Path) -> None:
    nodes = [node("MatMul", "x input.weight", "y")]
    graph = read_onnx(saved(onnx_model(nodes, {"input.weight": numbers(8, 3)}, shape=VECTOR), tmp_path))
    assert (graph.nodes[0].name, graph.nodes[0].inputs) == ("input_2", ("input",))


def test_half_precision_weights_are_widened(tmp_path: Path) -> None:
    half = numbers(8, 3).astype(np.float16)
    nodes = [node("Cast", "w", "v", to=1), node("MatMul", "x v", "y")]
    graph = read_onnx(saved(onnx_model(nodes, {"w": half}, shape=VECTOR), tmp_path))
    np.testing.assert_array_equal(graph.nodes[0].operation.weight, half.T.astype(np.float64))


def test_a_network_of_half_precision_is_read_within_its_precision(tmp_path: Path) -> None:
    nodes = [node("Conv", "x w", "a"), node("Relu", "a", "y")]
    model = onnx_model(nodes, {"w": numbers(4, 2, 3, 3).astype(np.float16)}, kind=onnx.TensorProto.FLOAT16)
    assert isinstance(read_onnx(saved(model, tmp_path)).nodes[-1].operation, Relu)


def test_casts_of_values_are_left_out_and_reported(tmp_path: Path) -> None:
    nodes = [node("Cast", "x", "a", to=10), node("Cast", "a", "b", to=1), node("Relu", "b", "y")]
    with pytest.raises(ConversionError, match="'y' differs by up to"):
        read_onnx(saved(onnx_model(nodes, {}), tmp_path))
    nodes = [node("Cast", "x", "a", to=11), node("Cast", "a", "b", to=1), node("Relu", "b", "y")]
    graph = read_onnx(saved(onnx_model(nodes, {}), tmp_path))
    assert graph.removed[0] == "node '/a/Cast' (Cast) changes the precision only."


def test_dropout_is_reported_as_left_out(tmp_path: Path) -> None:
    nodes = [node("Dropout", "x", "a"), node("Relu", "a", "y")]
    assert read_onnx(saved(onnx_model(nodes, {}), tmp_path)).removed == (
        "node '/a/Dropout' (Dropout) does nothing when evaluated.",
    )


def test_answers_in_rows_are_given_as_one_vector_and_reported(tmp_path: Path) -> None:
    """68 points of two coordinates, say; here 2 of 4."""
    nodes = [node("MatMul", "x w", "a"), node("Reshape", "a to", "y")]
    graph = read_onnx(saved(onnx_model(nodes, {"w": numbers(8, 8), "to": ints(0, 2, 4)}, shape=VECTOR), tmp_path))
    assert graph.nodes[-1].shape == (8,)
    assert graph.removed == ("the answer's shape (2, 4) is given as (8,), in that order.",)


def test_answers_that_overflow_are_refused(tmp_path: Path) -> None:
    nodes = [node("MatMul", "x w", "a"), node("MatMul", "a w", "y")]
    huge = np.full((8, 8), 3e38, np.float32)
    with pytest.raises(ConversionError, match="answers random numbers with some that are not finite"):
        read_onnx(saved(onnx_model(nodes, {"w": huge}, shape=VECTOR), tmp_path))


def test_functions_are_written_out(tmp_path: Path) -> None:
    inner = onnx.helper.make_function(
        "own", "Twice", ["a"], ["c"], [node("Add", "a a", "c")], [onnx.helper.make_opsetid("", 18)]
    )
    outer = onnx.helper.make_function(
        "own", "TwiceRelu", ["a"], ["c"],
        [onnx.helper.make_node("Twice", ["a"], ["b"], domain="own"), node("Relu", "b", "c")],
        [onnx.helper.make_opsetid("", 18), onnx.helper.make_opsetid("own", 1)],
    )  # fmt: skip
    call = onnx.helper.make_node("TwiceRelu", ["x"], ["y"], domain="own")
    graph = read_onnx(saved(onnx_model([call], {}, functions=[inner, outer], domains=["own"]), tmp_path))
    assert [type(entry.operation).__name__ for entry in graph.nodes] == ["Add", "Relu"]


def test_open_sizes_are_taken_from_the_caller(tmp_path: Path) -> None:
    path = saved(onnx_model([node("Relu", "x", "y")], {}, shape=("n", 2, "rows", None)), tmp_path)
    assert read_onnx(path, (2, 5, 7)).nodes[0].shape == (2, 5, 7)
    with pytest.raises(ConversionError, match=r"leaves sizes open, \(2, open, open\).*Give input_shape"):
        read_onnx(path)
    with pytest.raises(ConversionError, match=r"input shape \(3, 5, 7\) was asked for; the file has \(2, open, open\)"):
        read_onnx(path, (3, 5, 7))


def test_an_input_without_any_sizes_is_read_with_those_of_the_caller(tmp_path: Path) -> None:
    model = onnx_model([node("Relu", "x", "y")], {})
    model.graph.input[0].type.tensor_type.ClearField("shape")
    assert read_onnx(saved(model, tmp_path), (2, 5, 7)).input_shape == (2, 5, 7)


class Block(nn.Module):
    """A residual block of functional ReLUs."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1)
        self.short = nn.Sequential(nn.Conv2d(inputs, outputs, 1, 2, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.conv2(torch.relu(self.bn1(self.conv1(x)))) + self.short(x)).clamp(min=0)


class Net(nn.Module):
    """Scaling of the input, an uneven border, ReLU6, a block, GAP, view, dropout, clamp, softmax."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.full((1, 2, 1, 1), 0.4))
        self.stem = nn.Conv2d(2, 4, 3, padding=1)
        self.act = nn.ReLU6()
        self.layer1 = nn.Sequential(Block(4, 8))
        self.gap, self.drop = nn.AdaptiveAvgPool2d(1), nn.Dropout()
        self.fc1, self.fc2 = nn.Linear(8, 5), nn.Linear(5, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.pad((x - self.mean) / 0.5, (1, 0, 1, 0))
        x = self.gap(functional.avg_pool2d(self.layer1(self.act(self.stem(x))), 3, 1, 1))
        return functional.softmax(self.fc2(functional.relu6(self.fc1(self.drop(x.view(x.size(0), -1))))), 1)


@pytest.fixture(scope="module")
def net() -> nn.Module:
    torch.manual_seed(0)
    net = Net().eval()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.5, 0.5)
            module.running_var.uniform_(0.5, 2.0)
    return net


@pytest.fixture(scope="module", params=["torchscript", "dynamo"])
def exported(request: pytest.FixtureRequest, net: nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of one exporter; dynamo's has its weights beside it, the other's names of its own for folded ones."""
    path = tmp_path_factory.mktemp("exported") / "net.onnx"
    example = torch.rand(2, 2, 8, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if request.param == "dynamo":
            sizes = {"x": {0: torch.export.Dim("batch")}}
            torch.onnx.export(net, (example,), path, dynamo=True, dynamic_shapes=sizes, verbose=False)
            assert path.with_name("net.onnx.data").exists()
        else:
            axes = {"x": {0: "batch"}}
            torch.onnx.export(net, (example,), path, dynamo=False, input_names=["x"], dynamic_axes=axes)
    return path


def test_a_residual_network_of_either_exporter_answers_as_torch_does(exported: Path, net: nn.Module) -> None:
    graph = read_onnx(exported)
    inputs = torch.rand(5, 2, 8, 8, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert (graph(inputs) - net(inputs)).abs().max() < 1e-6
    names = {entry.name for entry in graph.nodes if isinstance(entry.operation, Conv | Linear)}
    assert names == {"stem", "layer1.0.conv1", "layer1.0.conv2", "layer1.0.short.0", "fc1", "fc2"}
    ceilings = [entry.operation.ceiling for entry in graph.nodes if isinstance(entry.operation, Relu)]
    assert ceilings == [6, None, None, 6]
    assert isinstance(graph.nodes[-1].operation, Softmax)


def test_a_baseline_written_by_this_project_is_read_back(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = ResNet18(
        ResNet18Config(width=4, features=3), in_channels=2, resolution=Resolution(height=32, width=32)
    ).eval()
    path = tmp_path / "resnet.onnx"
    inputs = torch.rand(2, 2, 32, 32)
    (name,) = list(model.forward.__annotations__)[:1]
    export_onnx(model, {name: inputs}, path, batch_axes={name: 0})
    graph = read_onnx(path)
    with torch.no_grad():
        expected = model(inputs)
    assert (graph(inputs) - expected).abs().max() <= 1e-4 * expected.abs().max()
    kinds = [type(entry.operation) for entry in graph.nodes]
    assert (kinds.count(Conv), kinds.count(MaxPool), kinds.count(AveragePool)) == (20, 1, 1)


def test_without_onnxruntime_the_graph_says_that_it_was_not_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime.capi", None)
    graph = read_onnx(saved(residual_model(), tmp_path))
    assert graph.removed == ("onnxruntime is not installed: the answers of this graph were not compared with its.",)


def test_without_onnx_the_error_names_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(residual_model(), tmp_path)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(BackendUnavailableError, match=r"pip install 'snnface\[onnx\]'"):
        read_onnx(path)


def test_a_graph_that_answers_otherwise_than_onnxruntime_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of one in ten thousand is found."""
    answered = AnnGraph.__call__
    path = saved(residual_model(), tmp_path)
    monkeypatch.setattr(AnnGraph, "__call__", lambda self, inputs: answered(self, inputs) * (1 + 2e-4))
    with pytest.raises(ConversionError, match=r"'net.onnx' was read otherwise than onnxruntime runs it: 'y' differs"):
        read_onnx(path)


def test_values_of_an_unreasonable_size_are_refused(tmp_path: Path) -> None:
    nodes = [node("Pad", "x p", "y")]
    path = saved(onnx_model(nodes, {"p": ints(0, 0, 60_000, 60_000, 0, 0, 0, 0)}), tmp_path)
    with pytest.raises(ConversionError, match=r"would give a value of \(2, 60006, 60006\)"):
        read_onnx(path)


@pytest.mark.parametrize(
    ("shape", "words"),
    [(("t", "b", 2, 6, 6), "it has 5.*the part that sees one picture"), ((1, 0, 6, 6), "no sizes of a network"),
     ((10**6, 8), "no sizes of a network"), (("b", 2, 6), "it has 3")],
)  # fmt: skip
def test_inputs_that_are_no_picture_or_vector_are_refused(
    shape: Sequence[int | str], words: str, tmp_path: Path
) -> None:
    with pytest.raises(ConversionError, match=words):
        read_onnx(saved(onnx_model([node("Relu", "x", "y")], {}, shape=shape), tmp_path))


def test_inputs_that_are_no_floating_point_numbers_are_refused(tmp_path: Path) -> None:
    model = onnx_model([node("Relu", "x", "y")], {}, kind=onnx.TensorProto.UINT8)
    with pytest.raises(ConversionError, match="input 'x' should be floating-point numbers; it has the ONNX type 2"):
        read_onnx(saved(model, tmp_path))


def test_networks_of_several_inputs_or_answers_are_refused(tmp_path: Path) -> None:
    model = onnx_model([node("Relu", "x", "y"), node("Relu", "x", "z")], {})
    model.graph.output.append(onnx.helper.make_tensor_value_info("z", 1, None))
    with pytest.raises(ConversionError, match=r"1 inputs \('x'\) and 2 answers \('y', 'z'\)"):
        read_onnx(saved(model, tmp_path))


def test_an_answer_that_is_the_input_or_a_constant_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="answers its input as it is"):
        read_onnx(saved(onnx_model([node("Identity", "x", "y")], {}), tmp_path))
    with pytest.raises(ConversionError, match="does not depend on its input"):
        read_onnx(saved(onnx_model([node("Identity", "w", "y")], NET), tmp_path))

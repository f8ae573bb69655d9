"""Every ONNX operator in each of its spellings against onnxruntime, and what of it is refused."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch

onnx = pytest.importorskip("onnx", reason="the onnx extra is not installed")
pytest.importorskip("onnxruntime", reason="the onnx extra is not installed")

from onnx_models import answer_of, floats, ints, node, number, numbers, onnx_model, saved  # noqa: E402

from conversion.ann.onnx_reader import read_onnx  # noqa: E402
from snnface.errors import DataError, UnsupportedLayerError  # noqa: E402

MAP, VECTOR = ("batch", 2, 6, 6), ("batch", 8)


@dataclass(frozen=True)
class Case:
    """A graph, and the operations that it should become: capital initials, in order."""

    name: str
    operations: str
    nodes: Sequence["onnx.NodeProto"]
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    opset: int = 18
    shape: Sequence[int | str | None] = MAP


CONV = {"w": numbers(4, 2, 3, 3)}
NORM = {"gamma": numbers(2), "beta": numbers(2, seed=1), "mean": numbers(2, seed=2), "var": floats(0.5, 2)}
RELU = node("Relu", "x", "r")


def conv(name: str, *, weight: np.ndarray = CONV["w"], bias: bool = False, opset: int = 18, **rest: object) -> Case:
    arrays = {"w": weight, "b": numbers(weight.shape[0])} if bias else {"w": weight}
    return Case(name, "Conv", [node("Conv", "x w b" if bias else "x w", "y", **rest)], arrays, opset)


def one(name: str, operations: str, operator: str, inputs: str = "x", opset: int = 18, /, **rest: object) -> Case:
    arrays = {key: rest.pop(key) for key in list(rest) if isinstance(rest[key], np.ndarray)}
    shape = rest.pop("shape", MAP)
    return Case(name, operations, [node(operator, inputs, "y", **rest)], arrays, opset, shape)


CASES = [
    conv("conv with bias", bias=True),
    conv("conv of opset 7", opset=7, kernel_shape=[3, 3]),
    conv("conv of opset 22", opset=22),
    conv("conv, stride and uneven border", strides=[2, 1], pads=[0, 1, 2, 3]),
    conv("conv, dilation", dilations=[2, 1], pads=[1, 1, 1, 1]),
    conv("conv, groups", weight=numbers(4, 1, 3, 3), group=2),
    conv("conv, same upper", auto_pad="SAME_UPPER", strides=[2, 2], weight=numbers(3, 2, 3, 2)),
    conv("conv, same lower", auto_pad="SAME_LOWER", strides=[1, 2], weight=numbers(3, 2, 4, 3)),
    conv("conv, valid", auto_pad="VALID"),
    one("batch norm", "ChannelAffine", "BatchNormalization", "x gamma beta mean var", epsilon=0.1, **NORM),
    one("batch norm of opset 9", "ChannelAffine", "BatchNormalization", "x gamma beta mean var", 9, **NORM),
    one(
        "batch norm of vectors", "ChannelAffine", "BatchNormalization", "x gamma beta mean var", shape=(None, 2), **NORM
    ),
    one("relu", "Relu", "Relu"),
    one("clip by attributes", "Relu", "Clip", "x", 10, min=0.0, max=0.7),
    one("clip from 0 by attributes", "Relu", "Clip", "x", 7, min=0.0),
    one("clip by inputs", "Relu", "Clip", "x low high", low=number(0), high=number(0.6)),
    one("clip from 0 by inputs", "Relu", "Clip", "x low", 11, low=number(0)),
    one("clip to the largest float", "Relu", "Clip", "x", 10, min=0.0, max=float(np.finfo(np.float32).max)),
    one("max with 0", "Relu", "Max", "x low", low=number(0)),
    Case("min of max", "Relu", [node("Max", "low x", "r"), node("Min", "r high", "y")],
         {"low": number(0), "high": floats(0.5)}),
    Case("relu of relu6", "Relu", [node("Clip", "x", "r", min=0.0, max=0.5), node("Relu", "r", "y")], opset=10),
    Case("a lower relu of a higher one", "Relu",
         [node("Clip", "x", "r", min=0.0, max=0.5), node("Clip", "r", "y", min=0.0, max=0.3)], opset=10),
    Case("add of two values", "Relu Add", [RELU, node("Add", "r x", "y")]),
    Case("add of a value to itself", "Add", [node("Add", "x x", "y")]),
    Case("sum of three", "Relu Add", [RELU, node("Sum", "r x r", "y")]),
    Case("add of a map and its reshape", "Relu Flatten Flatten Add",
         [RELU, node("Flatten", "r", "s"), node("Flatten", "x", "t"), node("Add", "s t", "y")]),
    one("add of a constant", "ChannelAffine", "Add", "x c", c=numbers(1, 2, 1, 1)),
    one("add of one number in front", "ChannelAffine", "Add", "c x", c=floats(0.3)),
    one("subtraction of a constant", "ChannelAffine", "Sub", "x c", c=numbers(2, 1, 1)),
    one("subtraction from a constant", "ChannelAffine", "Sub", "c x", c=numbers(2, 1, 1)),
    one("multiplication", "ChannelAffine", "Mul", "c x", c=numbers(2, 1, 1)),
    one("division", "ChannelAffine", "Div", "x c", c=number(255)),
    one("scaling of a vector", "ChannelAffine", "Mul", "x c", c=numbers(8), shape=VECTOR),
    one("average pool", "AveragePool", "AveragePool", kernel_shape=[2, 3], strides=[2, 1]),
    one("average pool, border counted", "AveragePool", "AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1],
        count_include_pad=1),
    one("average pool, border not counted", "AveragePool", "AveragePool", kernel_shape=[3, 3], pads=[1, 1, 1, 1]),
    one("average pool, uneven border counted", "Pad AveragePool", "AveragePool", kernel_shape=[3, 3],
        pads=[0, 1, 1, 2], count_include_pad=1),
    one("average pool, rounding up changes nothing", "AveragePool", "AveragePool", kernel_shape=[2, 2],
        strides=[2, 2], ceil_mode=1),
    one("average pool of opset 7", "AveragePool", "AveragePool", "x", 7, kernel_shape=[2, 2]),
    one("average pool of opset 21", "AveragePool", "AveragePool", "x", 21, kernel_shape=[2, 2], dilations=[1, 1]),
    one("max pool", "MaxPool", "MaxPool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]),
    one("max pool with holes", "MaxPool", "MaxPool", kernel_shape=[2, 2], dilations=[2, 3]),
    Case("max pool of a relu, same upper", "Relu Pad MaxPool",
         [RELU, node("MaxPool", "r", "y", kernel_shape=[3, 3], strides=[2, 2], auto_pad="SAME_UPPER")]),
    one("global average pool", "AveragePool", "GlobalAveragePool"),
    one("mean by attribute", "AveragePool", "ReduceMean", "x", 17, axes=[2, 3], keepdims=1),
    one("mean by attribute without axes kept", "AveragePool Flatten", "ReduceMean", "x", 11, axes=[-1, -2], keepdims=0),
    one("mean by input", "AveragePool", "ReduceMean", "x axes", axes=ints(2, 3)),
    one("mean by input, axes dropped", "AveragePool Flatten", "ReduceMean", "x axes", axes=ints(-2, -1), keepdims=0),
    Case("mean over columns, then rows", "AveragePool AveragePool Flatten",
         [node("ReduceMean", "x", "a", axes=[3], keepdims=0), node("ReduceMean", "a", "y", axes=[2], keepdims=0)],
         opset=13),
    one("flatten", "Flatten", "Flatten"),
    one("flatten from the fourth axis back", "Flatten", "Flatten", "x", 13, axis=-3),
    one("reshape with -1", "Flatten", "Reshape", "x to", to=ints(-1, 72)),
    one("reshape with 0", "Flatten", "Reshape", "x to", to=ints(0, -1)),
    Case("squeeze by attribute", "AveragePool Flatten",
         [node("GlobalAveragePool", "x", "a"), node("Squeeze", "a", "y", axes=[2, 3])], opset=12),
    Case("squeeze by input, one after the other", "AveragePool Flatten",
         [node("GlobalAveragePool", "x", "a"), node("Squeeze", "a last", "b"), node("Squeeze", "b last", "y")],
         {"last": ints(-1)}),
    Case("unsqueeze undoes squeeze", "AveragePool Relu",
         [node("GlobalAveragePool", "x", "a"), node("Squeeze", "a ends", "b"), node("Unsqueeze", "b ends", "c"),
          node("Relu", "c", "y")], {"ends": ints(2, 3)}),
    Case("unsqueeze by attribute", "AveragePool Relu",
         [node("ReduceMean", "x", "a", axes=[2, 3], keepdims=0), node("Unsqueeze", "a", "b", axes=[2, 3]),
          node("Relu", "b", "y")], opset=11),
    one("gemm", "Linear", "Gemm", "x w", w=numbers(8, 3), shape=VECTOR),
    one("gemm with alpha, beta and bias", "Linear", "Gemm", "x w b", 11, alpha=0.5, beta=2.0, transB=1,
        w=numbers(3, 8), b=numbers(3), shape=VECTOR),
    one("gemm with one bias for all", "Linear", "Gemm", "x w b", w=numbers(8, 3), b=floats(0.5), shape=VECTOR),
    one("matmul", "Linear", "MatMul", "x w", w=numbers(8, 3), shape=VECTOR),
    Case("matmul and add", "Linear ChannelAffine", [node("MatMul", "x w", "a"), node("Add", "a b", "y")],
         {"w": numbers(8, 3), "b": numbers(3)}, shape=VECTOR),
    one("pad by attribute", "Pad", "Pad", "x", 10, pads=[0, 0, 1, 2, 0, 0, 3, 0]),
    one("pad by input", "Pad", "Pad", "x pads", 13, pads=ints(0, 0, 1, 2, 0, 0, 3, 0)),
    one("pad of named axes", "Pad", "Pad", "x pads _ axes", pads=ints(1, 2, 3, 0), axes=ints(-1, 2)),
    Case("softmax", "Linear Softmax", [node("MatMul", "x w", "a"), node("Softmax", "a", "y")],
         {"w": numbers(8, 3)}, shape=VECTOR),
    Case("log softmax of opset 11", "Linear Softmax", [node("MatMul", "x w", "a"), node("LogSoftmax", "a", "y")],
         {"w": numbers(8, 3)}, opset=11, shape=VECTOR),
    Case("dropout, identity", "Relu", [node("Dropout", "x", "a"), node("Identity", "a", "b"), node("Relu", "b", "y")]),
    Case("dropout of opset 10", "Relu", [node("Dropout", "x", "a", ratio=0.9), node("Relu", "a", "y")], opset=10),
    Case("fixed batch", "Relu Flatten", [RELU, node("Reshape", "r to", "y")], {"to": ints(3, 72)}, shape=(3, 2, 6, 6)),
    Case("weights behind identities and transposes", "Linear",
         [node("Identity", "w", "v"), node("Transpose", "v", "t", perm=[1, 0]), node("MatMul", "x t", "y")],
         {"w": numbers(3, 8)}, shape=VECTOR),
    Case("a constant node", "Linear",
         [node("Constant", "", "w", value=onnx.numpy_helper.from_array(numbers(8, 3))), node("MatMul", "x w", "y")],
         shape=VECTOR),
    Case("a vector read twice is flattened once", "Flatten Linear Linear Add",
         [node("Flatten", "x", "f"), node("MatMul", "f w", "a"), node("MatMul", "f w", "b"), node("Add", "a b", "y")],
         {"w": numbers(72, 3)}),
    Case("a sum of one value, a border of nothing, a mean over nothing", "Relu",
         [node("Sum", "x", "a"), node("Pad", "a none", "b"), node("ReduceMean", "b", "c", noop_with_empty_axes=1),
          node("Relu", "c", "y")], {"none": ints(*[0] * 8)}),
    Case("what nothing reads is left out", "Flatten",
         [node("Relu", "x", "unread"), node("Flatten", "x", "y")]),
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_operator_answers_as_onnxruntime_does(case: Case, tmp_path: Path) -> None:
    path = saved(onnx_model(case.nodes, case.arrays, shape=case.shape, opset=case.opset), tmp_path)
    graph = read_onnx(path)
    assert [type(entry.operation).__name__ for entry in graph.nodes] == case.operations.split()
    inputs = numbers(3, *graph.input_shape, seed=7)
    expected = answer_of(path, inputs)
    found = graph(torch.from_numpy(inputs)).numpy()
    assert np.abs(found.reshape(expected.shape) - expected).max() <= 1e-5 * np.abs(expected).max()
    assert graph.nodes[-1].shape == expected.shape[1:]


NET = {"w": numbers(8, 3)}

REFUSED = [
    one("refused sigmoid", r"node '/y/Sigmoid' \(Sigmoid\) has no spiking counterpart here\. Networks of Add, Av",
        "Sigmoid"),
    Case("a quantised network", r"\(QuantizeLinear\) belongs to a network that is quantised",
         [node("QuantizeLinear", "x s z", "y")], {"s": number(0.1), "z": np.array(0, np.uint8)}),
    Case("a quantised weight", r"\(DequantizeLinear\) belongs to a network that is quantised",
         [node("DequantizeLinear", "w s z", "v"), node("MatMul", "x v", "y")],
         {"w": np.ones((8, 3), np.int8), "s": number(0.1), "z": np.array(0, np.int8)}, shape=VECTOR),
    Case("a quantised conv", r"\(QLinearConv\) belongs", [node("QLinearConv", "x x", "y")]),
    Case("another domain", r"\(com.microsoft::FusedConv\) has no spiking",
         [onnx.helper.make_node("FusedConv", ["x"], ["y"], domain="com.microsoft")]),
    one("leaky clip", "clips between -1 and 1; rates of spikes begin at 0", "Clip", "x", 10, min=-1.0, max=1.0),
    one("a clip of its own for each number", r"takes 'low' of \(8,\); one number is converted", "Clip", "x low",
        low=np.zeros(8, np.float32), shape=VECTOR),
    one("clip without a lower end", "clips between -inf and 6", "Clip", "x", 10, max=6.0),
    one("min of a value that is no relu", "clips between -inf and 6", "Min", "x c", c=floats(6)),
    Case("a gate", "computes with two values of the network", [RELU, node("Mul", "x r", "y")]),
    Case("max of two values", "compares values of the network", [RELU, node("Max", "x r", "y")]),
    one("division by a value", "divides by a value of the network", "Div", "c x", c=floats(1)),
    one("a constant for each pixel", "another number for each pixel", "Add", "x c", c=numbers(6, 6)),
    one("a constant wider than the value", "does not fit a value of", "Add", "x c", c=numbers(2, 2, 6, 6),
        shape=("batch", 2, 1, 1)),
    one("batch norm in training", "uses statistics of the batch", "BatchNormalization", "x gamma beta mean var", 15,
        training_mode=1, **NORM),
    one("dropout in training", "is in training mode", "Dropout", "x r t", r=number(0.5),
        t=np.array(True)),
    one("rounding up", "rounds the size of its map up", "MaxPool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
    one("an uneven border of a max pool", r"border of \(0, 0, 1, 1\)", "MaxPool", kernel_shape=[3, 3],
        strides=[2, 2], auto_pad="SAME_UPPER"),
    one("an average with holes", "window with holes", "AveragePool", "x", 21, kernel_shape=[2, 2], dilations=[2, 2]),
    one("a mirrored border", "pads by 'reflect'", "Pad", "x p", p=ints(0, 0, 1, 1, 0, 0, 1, 1), mode="reflect"),
    one("a border of ones", "pads with 1; only zeros", "Pad", "x p c", p=ints(0, 0, 1, 1, 0, 0, 1, 1),
        c=number(1)),
    one("a border of channels", "zeros around rows and columns", "Pad", "x p", p=ints(0, 1, 0, 0, 0, 0, 0, 0)),
    one("a cut border", "none cut off", "Pad", "x p", p=ints(0, 0, -1, 0, 0, 0, 0, 0)),
    one("a conv that cuts off", "cuts off the border", "Conv", "x w", pads=[-1, 0, 0, 0], **CONV),
    one("a mean over channels", "averages over axes", "ReduceMean", "x a", a=ints(1)),
    one("a mean over everything", "averages over axes", "ReduceMean", "x"),
    one("a transposed value", r"\(Transpose\) has no spiking counterpart", "Transpose", perm=[0, 2, 3, 1]),
    one("a reshape of the batch", "mixes the batch with other axes", "Reshape", "x to", to=ints(-1, 36)),
    Case("a reshape that is no flattening", "of all reshapes only flattening is converted",
         [node("Reshape", "x to", "a"), node("Relu", "a", "y")], {"to": ints(0, 4, 18)}),
    one("a transposed input", r"transposes its input \(transA\)", "Gemm", "x w", transA=1, shape=VECTOR, **NET),
    one("weights from the input", "takes 'x' from the input, where a constant is needed", "MatMul", "x x",
        shape=VECTOR),
    one("the network on the right", "computes with 'w', where the network's values should be", "MatMul", "w x",
        shape=VECTOR, **NET),
    one("a linear layer on a map", r"needs a vector; its input has the shape \(2, 6, 6\)", "MatMul", "x w", **NET),
    one("a conv on a vector", r"needs a map .* its input has the shape \(8,\)", "Conv", "x w", shape=VECTOR, **CONV),
    one("a softmax over the batch", "is taken over the batch", "Softmax", axis=0, shape=VECTOR),
    one("values made whole numbers", "into whole numbers", "Cast", to=7),
    Case("values of unlike shapes", r"adds values of different shapes, \[\(2, 1, 1\), \(2, 6, 6\)\]",
         [node("GlobalAveragePool", "x", "a"), node("Add", "a x", "y")]),
]  # fmt: skip


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_what_cannot_be_converted_is_refused_by_the_name_of_its_node(case: Case, tmp_path: Path) -> None:
    path = saved(onnx_model(case.nodes, case.arrays, shape=case.shape, opset=case.opset), tmp_path)
    with pytest.raises(UnsupportedLayerError, match=case.operations) as caught:
        read_onnx(path)
    assert str(caught.value).startswith("node '")


WRONG = [
    one("NaN weights", r"weights 'w' hold NaN or infinite", "MatMul", "x w", w=np.full((8, 3), np.nan, np.float32),
        shape=VECTOR),
    one("an infinite bias", r"weights 'b' hold NaN or infinite", "Gemm", "x w b", b=floats(1, np.inf, 0),
        shape=VECTOR, **NET),
    one("weights of another size", "weights from 8 to 3 numbers do not fit an input of 5", "MatMul", "x w",
        shape=("batch", 5), **NET),
    one("weights of another rank", r"'w' should have the shape \(any, any, any, any\), not \(8, 3\)", "Conv", "x w",
        **NET),
    one("groups that do not divide", "in 3 groups do not fit", "Conv", "x w", group=3, **CONV),
    one("a kernel shape unlike the weights", r"kernel_shape \(5, 5\) is not that of the weights", "Conv", "x w",
        kernel_shape=[5, 5], **CONV),
    one("a window larger than the map", r"a window of \(3, 3\) does not fit into a map of \(2, 2\)", "Conv", "x w",
        shape=("batch", 2, 2, 2), **CONV),
    one("a number where a text should be", "attribute 'auto_pad' should be a text", "Conv", "x w", auto_pad=1, **CONV),
    one("a text where a number should be", "attribute 'epsilon' should be a number", "BatchNormalization",
        "x gamma beta mean var", epsilon="small", **NORM),
    one("numbers where one should be", "attribute 'group' should be a whole number", "Conv", "x w", group=[1], **CONV),
    one("two pads", r"pads \(1, 1\) should be four numbers", "Conv", "x w", pads=[1, 1], **CONV),
    one("a window of one number", r"kernel_shape \(2,\) should be two numbers", "MaxPool", kernel_shape=[2]),
    one("a scaling of one operand", "needs two inputs; it has 1", "Mul"),
    one("a reshape to fractions", "'to' should be a few whole numbers", "Reshape", "x to", to=floats(0, -1)),
    one("three strides", r"strides \(1, 1, 1\) should be two numbers", "Conv", "x w", strides=[1, 1, 1], **CONV),
    one("a stride of zero", r"strides \(0, 1\) should be two numbers", "Conv", "x w", strides=[0, 1], **CONV),
    one("an attribute of another type", "attribute 'pads' should be a list of whole numbers", "Conv", "x w",
        pads="SAME", **CONV),
    one("an unknown border rule", "auto_pad 'SAME' is not one", "Conv", "x w", auto_pad="SAME", **CONV),
    one("a negative variance", "a variance is negative", "BatchNormalization", "x gamma beta mean var",
        **{**NORM, "var": floats(-1, 1)}),
    one("statistics of another size", r"'gamma' should have the shape \(2\), not \(3,\)", "BatchNormalization",
        "x gamma beta mean var", **{**NORM, "gamma": numbers(3)}),
    one("a division by zero", "divides by zero", "Div", "x c", c=floats(0)),
    one("a reshape that does not fit", r"\(Reshape\) does not fit its input of \(2, 6, 6\)", "Reshape", "x to",
        to=ints(0, 71)),
    one("a squeeze of a wide axis", r"axes \(2,\) of .* are not all of size 1", "Squeeze", "x a", a=ints(2)),
    one("too few paddings", "3 amounts are given for 4 axes", "Pad", "x p", p=ints(1, 1, 1)),
    one("a missing input", r"has no input 1; the file is damaged", "Conv", "x"),
    one("a name that nothing gives", "reads 'w', which no node before it gives", "Conv", "x w"),
    Case("a circle", "reads 'b', which no node before it gives.*without circles",
         [node("Add", "x b", "a"), node("Relu", "a", "b"), node("Relu", "b", "y")]),
    Case("a name given twice", "gives 'a' a second time", [node("Relu", "x", "a"), node("Relu", "x", "a")]),
    Case("a node that overwrites weights", "gives 'w' a second time", [node("Relu", "x", "w")], NET),
    Case("a constant that cannot be", r"\(Concat\) computes a constant that cannot be",
         [node("Concat", "w v", "y", axis=0)], {"w": numbers(2, 3), "v": numbers(4)}),
    Case("a gather outside", r"\(Gather\) computes a constant that cannot be", [node("Gather", "w i", "y")],
         {"w": numbers(2), "i": ints(7)}),
    Case("an immense constant", r"\(ConstantOfShape\) .* it would have 1000000000000 elements; at most",
         [node("ConstantOfShape", "s", "y")], {"s": ints(10**6, 10**6)}),
    Case("a constant that grows by sums", r"\(Add\) .* it would have 90000000000 elements; at most",
         [node("ConstantOfShape", "s", "a"), node("ConstantOfShape", "t", "b"), node("Add", "a b", "y")],
         {"s": ints(300_000, 1), "t": ints(1, 300_000)}),
]  # fmt: skip


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case.name)
def test_what_is_wrong_in_a_file_is_said_in_one_sentence(case: Case, tmp_path: Path) -> None:
    path = saved(onnx_model(case.nodes, case.arrays, shape=case.shape, opset=case.opset), tmp_path)
    with pytest.raises(DataError, match=case.operations):
        read_onnx(path)

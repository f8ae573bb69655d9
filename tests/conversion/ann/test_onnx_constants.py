"""Constants computed while an ONNX file is read, against the reference evaluator of onnx; shapes against numpy."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

onnx = pytest.importorskip("onnx", reason="the onnx extra is not installed")

from onnx.reference import ReferenceEvaluator  # noqa: E402
from onnx_models import floats, ints, node, numbers  # noqa: E402

from conversion.ann.onnx_constants import CONSTANT_OPERATORS, folded  # noqa: E402
from conversion.ann.onnx_node import OnnxNode  # noqa: E402
from conversion.ann.onnx_shapes import flattened, reshaped, squeezed, unsqueezed  # noqa: E402
from snnface.errors import DataError  # noqa: E402

CASES: list[tuple[str, dict[str, Any], list[np.ndarray]]] = [
    ("Add", {}, [numbers(3, 1), numbers(1, 4)]),
    ("Cast", {"to": 7}, [floats(1.7, -1.7)]),
    ("Cast", {"to": 1}, [ints(1, 2)]),
    ("Concat", {"axis": -1}, [numbers(2, 3), numbers(2, 1)]),
    ("Constant", {"value_float": 0.5}, []),
    ("Constant", {"value_floats": [0.5, 2.0]}, []),
    ("Constant", {"value_int": 3}, []),
    ("Constant", {"value_ints": [3, -1]}, []),
    ("ConstantOfShape", {}, [ints(2, 3)]),
    ("Div", {}, [ints(-7, 7, 6), ints(2, -2, 3)]),
    ("Div", {}, [floats(1, 2), floats(4, -3)]),
    ("Gather", {"axis": 1}, [numbers(2, 5), ints(-1, 0)]),
    ("Identity", {}, [numbers(2)]),
    ("Mul", {}, [ints(2, 3), ints(4, 5)]),
    ("Reshape", {}, [numbers(2, 6), ints(0, -1, 3)]),
    ("Reshape", {"allowzero": 1}, [numbers(0, 6), ints(3, 0)]),
    ("Shape", {}, [numbers(2, 5)]),
    ("Shape", {"start": -1}, [numbers(2, 5)]),
    ("Slice", {}, [numbers(5, 4), ints(-1), ints(-(2**63) + 1), ints(0), ints(-2)]),
    ("Slice", {}, [numbers(5, 4), ints(1, 0), ints(2**62, -1)]),
    ("Squeeze", {}, [numbers(1, 3, 1)]),
    ("Squeeze", {}, [numbers(1, 3, 1), ints(-1)]),
    ("Sub", {}, [numbers(3), numbers(3, seed=1)]),
    ("Transpose", {}, [numbers(2, 3, 4)]),
    ("Transpose", {"perm": [2, 0, 1]}, [numbers(2, 3, 4)]),
    ("Unsqueeze", {}, [numbers(2, 3), ints(0, -1)]),
]


@pytest.mark.parametrize(("operator", "attributes", "inputs"), CASES, ids=[row[0] for row in CASES])
def test_a_constant_is_what_the_reference_evaluator_computes(
    operator: str, attributes: dict[str, Any], inputs: list[np.ndarray]
) -> None:
    names = [f"i{place}" for place in range(len(inputs))]
    proto = node(operator, " ".join(names), "y", **attributes)
    infos = [
        onnx.helper.make_tensor_value_info(name, onnx.helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in zip(names, inputs, strict=True)
    ]
    graph = onnx.helper.make_graph([proto], "g", infos, [onnx.helper.make_tensor_value_info("y", 1, None)])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)])
    (expected,) = ReferenceEvaluator(model).run(None, dict(zip(names, inputs, strict=True)))
    found = folded(OnnxNode.of(proto), inputs, Path())
    assert (found.dtype, found.shape) == (expected.dtype, expected.shape)
    np.testing.assert_array_equal(found, expected)


def test_every_operator_of_constants_is_in_a_case() -> None:
    assert {operator for operator, _, _ in CASES} == set(CONSTANT_OPERATORS)


@pytest.mark.parametrize(
    ("operator", "attributes", "inputs", "words"),
    [
        ("Add", {}, [ints(1), floats(1)], "it mixes int64 and float32"),
        ("Div", {}, [ints(1), ints(0)], "it divides by zero"),
        ("Cast", {"to": 8}, [ints(1)], "it casts to type 8"),
        ("Constant", {"value_string": "a"}, [], "not texts or a sparse array"),
        ("Constant", {"value": 3}, [], "attribute 'value' is no array"),
        ("Gather", {}, [numbers(3), floats(1)], "indices of the type float32"),
        ("ConstantOfShape", {}, [floats(2)], "whole numbers were expected, float32 came"),
        ("Slice", {}, [numbers(3), ints(0)], "zip"),
        ("Concat", {}, [numbers(3), numbers(2, 2)], "dimensions"),
        ("Reshape", {}, [numbers(6), ints(-1, -1)], r"\(-1, -1\) is no shape"),
        ("Unsqueeze", {}, [numbers(6), ints(0, 0)], r"axes \(0, 0\) are not among 3"),
    ],
)
def test_a_constant_that_cannot_be_is_refused(
    operator: str, attributes: dict[str, Any], inputs: list[np.ndarray], words: str
) -> None:
    proto = node(operator, " ".join(f"i{place}" for place in range(len(inputs))), "y", **attributes)
    with pytest.raises(DataError, match=rf"node '/y/{operator}' .*cannot be: .*{words}"):
        folded(OnnxNode.of(proto), inputs, Path())


shapes = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)


@given(shape=shapes, data=st.data())
def test_flattening_and_reshaping_keep_all_numbers(shape: tuple[int, ...], data: st.DataObject) -> None:
    axis = data.draw(st.integers(-len(shape), len(shape)))
    array = np.zeros(shape)
    flat = flattened(shape, axis)
    assert flat == (int(np.prod(shape[:axis])), array.size // int(np.prod(shape[:axis])))
    assert reshaped(shape, flat, allows_zero=False) == flat == array.reshape(flat).shape
    assert reshaped(flat, shape, allows_zero=False) == shape


@given(shape=shapes, data=st.data())
def test_squeezing_undoes_unsqueezing_as_in_numpy(shape: tuple[int, ...], data: st.DataObject) -> None:
    ndim = len(shape) + 2
    axes = data.draw(st.lists(st.integers(0, ndim - 1), min_size=2, max_size=2, unique=True).map(tuple))
    signed = tuple(axis - ndim if data.draw(st.booleans()) else axis for axis in axes)
    wide = unsqueezed(shape, signed)
    assert wide == np.expand_dims(np.zeros(shape), axes).shape
    assert squeezed(wide, signed) == shape
    assert squeezed(wide, None) == np.zeros(shape).squeeze().shape


def test_flattening_past_the_last_axis_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\(2, 3\) has no axis 3"):
        flattened((2, 3), 3)

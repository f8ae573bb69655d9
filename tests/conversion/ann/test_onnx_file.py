"""ONNX files that are damaged or made to harm, and weights in files beside them."""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

onnx = pytest.importorskip("onnx", reason="the onnx extra is not installed")
pytest.importorskip("onnxruntime", reason="the onnx extra is not installed")

from onnx_models import ints, node, numbers, onnx_model, residual_model, saved  # noqa: E402

from conversion.ann import onnx_file, onnx_tensors  # noqa: E402
from conversion.ann.onnx_reader import read_onnx  # noqa: E402
from snnface.errors import ConversionError, DataError, DatasetNotFoundError, SnnfaceError  # noqa: E402

WHOLE = residual_model().SerializeToString()
RELU = [node("Relu", "x", "y")]


@given(length=st.integers(0, len(WHOLE) - 1))
@settings(max_examples=150)
def test_a_file_cut_off_anywhere_is_refused(length: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.getbasetemp() / "cut.onnx"
    path.write_bytes(WHOLE[:length])
    with pytest.raises((DataError, ConversionError), match=r"cut\.onnx"):
        read_onnx(path)


@given(flips=st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=4))
@settings(max_examples=150)
def test_a_file_with_changed_bytes_is_read_or_refused_as_damaged(
    flips: list[tuple[int, int]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    changed = bytearray(WHOLE)
    for place, value in flips:
        changed[place] = value
    path = tmp_path_factory.getbasetemp() / "changed.onnx"
    path.write_bytes(changed)
    with suppress(SnnfaceError):
        read_onnx(path)


def test_random_bytes_and_an_empty_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    path.write_bytes(np.random.default_rng(0).bytes(4096))
    with pytest.raises(DataError, match=r"'net\.onnx' is no intact ONNX file: it breaks off or is damaged near byte"):
        read_onnx(path)
    path.write_bytes(b"")
    with pytest.raises(DataError, match="it holds no graph"):
        read_onnx(path)
    with pytest.raises(DatasetNotFoundError, match="there is no such file"):
        read_onnx(tmp_path / "nothing.onnx")
    with pytest.raises(DatasetNotFoundError, match="there is no such file"):
        read_onnx(tmp_path)


def test_a_file_of_very_many_fields_is_refused_before_it_is_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each node of two bytes would take a hundred in memory."""
    nodes = b"\x0a\x00" * 5000
    graph = b"\x3a" + bytes([len(nodes) & 127 | 128, len(nodes) >> 7]) + nodes
    path = tmp_path / "bomb.onnx"
    path.write_bytes(graph)
    monkeypatch.setattr(onnx_file, "MAX_FIELDS", 1000)
    monkeypatch.setattr(onnx.ModelProto, "ParseFromString", None, raising=False)
    with pytest.raises(DataError, match="more than 1000 fields"):
        read_onnx(path)


def test_a_file_that_is_too_large_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(residual_model(), tmp_path)
    monkeypatch.setattr(onnx_file, "MAX_BYTES", 100)
    monkeypatch.setattr(Path, "read_bytes", None)
    with pytest.raises(DataError, match=f"'net.onnx' has {len(WHOLE)} bytes; at most 100 are read"):
        read_onnx(path)


def test_a_graph_of_too_many_nodes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_file, "MAX_NODES", 8)
    with pytest.raises(DataError, match="the graph has 9 nodes, written out; at most 8 are read"):
        read_onnx(saved(residual_model(), tmp_path))


def function(name: str, calls: Sequence[str]) -> Any:
    """One that calls others, the first of them on its argument."""
    nodes = [
        onnx.helper.make_node(call, [f"v{place}"], [f"v{place + 1}"], domain="own" if call != "Relu" else "")
        for place, call in enumerate(calls)
    ]
    imports = [onnx.helper.make_opsetid("", 18), onnx.helper.make_opsetid("own", 1)]
    return onnx.helper.make_function("own", name, ["v0"], [f"v{len(calls)}"], nodes, imports)


CALL = onnx.helper.make_node("F0", ["x"], ["y"], domain="own")


@pytest.mark.parametrize(
    ("functions", "words"),
    [
        ([function("F0", ["F0"])], "or in a circle"),
        ([function("F0", ["F1"]), function("F1", ["F0", "Relu"])], "or in a circle"),
        (
            [*(function(f"F{level}", [f"F{level + 1}"] * 10) for level in range(12)), function("F12", ["Relu"])],
            "1000000000000 nodes, written out",
        ),
        ([*(function(f"F{n}", [f"F{n + 1}"]) for n in range(80)), function("F80", ["Relu"])], "more than 64 levels"),
    ],
    ids=["itself", "each other", "a bomb", "a long chain"],
)
def test_functions_without_an_end_are_refused(functions: list[Any], words: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=words):
        read_onnx(saved(onnx_model([CALL], {}, functions=functions, domains=["own"]), tmp_path))


def test_functions_of_another_opset_are_refused(tmp_path: Path) -> None:
    entry = function("F0", ["Relu"])
    entry.opset_import[0].version = 13
    with pytest.raises(ConversionError, match="function 'F0' uses other versions of the operators than opset 18"):
        read_onnx(saved(onnx_model([CALL], {}, functions=[entry], domains=["own"]), tmp_path))


def test_control_flow_is_refused_by_its_node(tmp_path: Path) -> None:
    branch = onnx.helper.make_graph(RELU, "branch", [], [onnx.helper.make_tensor_value_info("y", 1, None)])
    choice = onnx.helper.make_node("If", ["c"], ["y"], name="choice", then_branch=branch, else_branch=branch)
    with pytest.raises(ConversionError, match=r"node 'choice' is If, whose way depends on its values"):
        read_onnx(saved(onnx_model([choice], {"c": np.array(True)}), tmp_path))


@pytest.mark.parametrize("opset", [6, 999])
def test_operators_of_unknown_versions_are_refused(opset: int, tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match=f"uses opset {opset}; 7 to .* opset_version=18"):
        read_onnx(saved(onnx_model(RELU, {}, opset=opset), tmp_path))


def test_arrays_that_do_not_hold_their_numbers_are_refused(tmp_path: Path) -> None:
    model = onnx_model([node("MatMul", "x w", "y")], {"w": numbers(8, 3)}, shape=("batch", 8))
    (array,) = model.graph.initializer
    array.dims[0] = 9
    with pytest.raises(DataError, match=r"'w' needs 108 bytes for its shape \(9, 3\); it has 96"):
        read_onnx(saved(model, tmp_path))
    array.dims[:] = [2**40, 2**40]
    with pytest.raises(DataError, match="that is no array of a network"):
        read_onnx(saved(model, tmp_path))
    array.dims[:] = [-8, -3]
    with pytest.raises(DataError, match="that is no array of a network"):
        read_onnx(saved(model, tmp_path))


def test_arrays_of_types_that_are_no_weights_are_refused(tmp_path: Path) -> None:
    model = onnx_model([node("MatMul", "x w", "y")], {"w": numbers(8, 3).astype(np.complex64)}, shape=("batch", 8))
    with pytest.raises(DataError, match="array 'w' has the type COMPLEX64"):
        read_onnx(saved(model, tmp_path))
    whole = onnx_model([node("MatMul", "x w", "y")], {"w": np.ones((8, 3), np.int64)}, shape=("batch", 8))
    with pytest.raises(ConversionError, match="weights 'w' of the type int64; convert the float network"):
        read_onnx(saved(whole, tmp_path))


def test_two_arrays_of_one_name_are_refused(tmp_path: Path) -> None:
    model = onnx_model([node("MatMul", "x w", "y")], {"w": numbers(8, 3)}, shape=("batch", 8))
    model.graph.initializer.append(model.graph.initializer[0])
    with pytest.raises(DataError, match="has two arrays 'w'; names must differ"):
        read_onnx(saved(model, tmp_path))


def test_weights_listed_among_the_inputs_are_no_inputs(tmp_path: Path) -> None:
    """As files of the format's third version and before have them."""
    model = onnx_model([node("MatMul", "x w", "y")], {"w": numbers(8, 3)}, shape=("batch", 8))
    model.graph.input.insert(0, onnx.helper.make_tensor_value_info("w", 1, (8, 3)))
    assert read_onnx(saved(model, tmp_path)).input_shape == (8,)


def test_weights_that_many_nodes_share_are_not_widened_without_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["x", *(f"v{place}" for place in range(9)), "y"]
    nodes = [node("MatMul", f"{read} w", given) for read, given in pairwise(names)]
    path = saved(onnx_model(nodes, {"w": numbers(8, 8)}, shape=("batch", 8)), tmp_path)
    monkeypatch.setattr("conversion.ann.onnx_values.MAX_CONSTANTS", 2000)
    with pytest.raises(DataError, match="weights and constants exceed 2000 bytes at 'w'"):
        read_onnx(path)


# ---- weights beside the file

External = Callable[..., Path]


@pytest.fixture
def external(tmp_path: Path) -> External:
    """Saves x w, w standing in a file; its entries may be given otherwise."""

    def make(**entries: object) -> Path:
        folder = tmp_path / "model"
        folder.mkdir(exist_ok=True)
        (folder / "net.onnx.data").write_bytes(bytes(64) + numbers(8, 3).tobytes())
        model = onnx_model([node("MatMul", "x w", "y")], {"w": numbers(8, 3)}, shape=("batch", 8))
        (array,) = model.graph.initializer
        array.ClearField("raw_data")
        array.data_location = onnx.TensorProto.EXTERNAL
        for key, value in {"location": "net.onnx.data", "offset": 64, "length": 96, **entries}.items():
            array.external_data.add(key=key, value=str(value))
        return saved(model, folder)

    return make


def test_weights_beside_the_file_are_read(external: External) -> None:
    graph = read_onnx(external())
    np.testing.assert_array_equal(graph.nodes[0].operation.weight, numbers(8, 3).T)


def test_weights_in_a_folder_below_are_read(external: External, tmp_path: Path) -> None:
    path = external(location="weights/w.bin", offset=0)
    (path.parent / "weights").mkdir()
    (path.parent / "weights" / "w.bin").write_bytes(numbers(8, 3).tobytes())
    np.testing.assert_array_equal(read_onnx(path).nodes[0].operation.weight, numbers(8, 3).T)


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ({"location": "absent.data"}, "'w' stands in 'absent.data', and there is no such file beside the ONNX file"),
        ({"location": "../secret.data"}, "'w' stands in '../secret.data'; weights are only read from files in"),
        ({"location": "a/../../secret.data"}, "weights are only read from files in the folder"),
        ({"location": "/dev/zero"}, "'w' stands in '/dev/zero'; weights are only read"),
        ({"location": "..\\secret.data"}, "weights are only read"),
        ({"location": "c:secret.data"}, "weights are only read"),
        ({"location": ""}, "weights are only read"),
        ({"location": "."}, "weights are only read|there is no such file"),
        ({"offset": 65}, "needs 96 bytes; 'net.onnx.data' has 96 for it, from byte 65 of 160"),
        ({"offset": 10**12}, "from byte 1000000000000 of 160"),
        ({"length": 95}, "needs 96 bytes; 'net.onnx.data' has 95 for it"),
        ({"offset": -64}, "'w' has the offset '-64'; a number of bytes was expected"),
        ({"length": "9e9"}, "'w' has the length '9e9'"),
    ],
)
def test_weights_that_are_missing_outside_or_too_short_are_refused(
    entries: dict[str, object], words: str, external: External, tmp_path: Path
) -> None:
    (tmp_path / "secret.data").write_bytes(bytes(160))
    with pytest.raises(DataError, match=words.replace("\\", "\\\\")):
        read_onnx(external(**entries))


def test_a_link_out_of_the_folder_is_not_followed(external: External, tmp_path: Path) -> None:
    path = external(location="link.data")
    (tmp_path / "secret.data").write_bytes(bytes(160))
    (path.parent / "link.data").symlink_to(tmp_path / "secret.data")
    with pytest.raises(DataError, match=r"'w' stands in 'link\.data', a link to another folder"):
        read_onnx(path)


def test_a_pipe_is_no_file_of_weights(external: External) -> None:
    path = external(location="pipe")
    os.mkfifo(path.parent / "pipe")
    with pytest.raises(DataError, match="there is no such file beside"):
        read_onnx(path)


def test_too_large_a_file_of_weights_is_refused(external: External, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_tensors, "MAX_BYTES", 128)
    with pytest.raises(DataError, match=r"'net\.onnx\.data' has 160 bytes of weights; at most 128 are read"):
        read_onnx(external())


def test_names_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = saved(onnx_model([node("Relu", "x", "y", alpha=1)], {}), tmp_path)
    path.write_bytes(path.read_bytes().replace(b"alpha", b"\xff\xfe\xfd\xfc\xfb"))
    with pytest.raises(DataError, match=r"'net\.onnx' is no intact ONNX file: a name at byte \d+ of \d+ is no text"):
        read_onnx(path)


def test_a_long_name_is_cut_in_messages(tmp_path: Path) -> None:
    long = onnx.helper.make_node("Sigmoid", ["x"], ["y"], name="n\n" * 5000)
    with pytest.raises(ConversionError) as caught:
        read_onnx(saved(onnx_model([long], {}), tmp_path))
    assert len(str(caught.value)) < 800
    assert "\n" not in str(caught.value)


def test_a_constant_node_with_weights_elsewhere_is_held_to_the_same_rules(tmp_path: Path) -> None:
    array = onnx.numpy_helper.from_array(ints(1), "value")
    array.ClearField("raw_data")
    array.data_location = onnx.TensorProto.EXTERNAL
    array.external_data.add(key="location", value="/dev/zero")
    nodes = [node("Constant", "", "c", value=array), *RELU]
    with pytest.raises(DataError, match="'value' stands in '/dev/zero'; weights are only read"):
        read_onnx(saved(onnx_model(nodes, {}), tmp_path))

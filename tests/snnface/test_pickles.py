"""Pickles of others give values and arrays, and never run anything."""

import io
import os
import pickle
import struct
import subprocess
import tracemalloc
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from snnface.errors import ConfigError, DataError
from snnface.pickles import read_pickle, read_pickled_array


def written(path: Path, value: object, protocol: int = 2) -> Path:
    path.write_bytes(pickle.dumps(value, protocol))
    return path


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_dicts_of_arrays_come_back_whatever_the_protocol(tmp_path: Path, protocol: int) -> None:
    value = {
        "a": np.arange(6, dtype=">i4").reshape(2, 3),
        "f": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "n": [1, 2.5, None, True, "ü", b"\xff"],
        "s": np.float32(1.5),
        "o": np.array([1, "x"], dtype=object),
        "u": np.array(["ab", "c"]),
    }
    read = read_pickle(written(tmp_path / "x.pkl", value, protocol), allow_pickle=True)
    assert read.keys() == value.keys()
    for name in "afou":
        np.testing.assert_array_equal(read[name], value[name])
        assert read[name].dtype.newbyteorder("=") == value[name].dtype.newbyteorder("=")
    assert read["n"] == value["n"]
    assert read["s"] == np.float32(1.5)


@given(npst.arrays(npst.scalar_dtypes().filter(lambda d: d.kind in "biufc"), npst.array_shapes(min_side=0)))
def test_every_array_of_numbers_comes_back(array: np.ndarray) -> None:
    stream = io.BytesIO()
    np.save(stream, array)
    stream.seek(0)
    np.testing.assert_array_equal(read_pickled_array(stream, "x.npy", allow_pickle=False), array)


def test_a_pickle_is_not_read_unless_it_is_allowed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="read only if you allow it"):
        read_pickle(written(tmp_path / "x.pkl", {}), allow_pickle=False)


class Evil:
    def __init__(self, call: object, *arguments: object) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> tuple:
        return self.call, self.arguments


@pytest.mark.parametrize(
    ("call", "arguments", "wanted"),
    [
        (os.system, ("touch {marker}",), "system"),
        (eval, ("open('{marker}', 'w')",), "eval"),
        (subprocess.Popen, (["touch", "{marker}"],), "Popen"),
        (getattr, (os, "system"), "getattr"),
        (np.load, ("{marker}",), "load"),
    ],
)
def test_nothing_that_a_file_asks_for_is_run(
    tmp_path: Path, call: object, arguments: tuple, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    marker = tmp_path / "marker"
    filled = [a.replace("{marker}", str(marker)) if isinstance(a, str) else a for a in arguments]
    module = call.__module__ if hasattr(call, "__module__") else ""
    body = f"c{module}\n{wanted}\n(tR.".encode() if wanted == "getattr" else pickle.dumps(Evil(call, *filled), 2)
    path = tmp_path / "evil.pkl"
    path.write_bytes(body)
    with pytest.raises(DataError, match=f"wants to call .*{wanted}"):
        read_pickle(path, allow_pickle=True)
    assert not marker.exists()


@pytest.mark.parametrize("dtype", ["M8[us]", "i4,f4", "x" * 100])
def test_arrays_of_other_things_are_refused(tmp_path: Path, dtype: str) -> None:
    body = f"cnumpy\ndtype\n(V{dtype}\nI0\nI1\ntR.".encode()
    path = tmp_path / "x.pkl"
    path.write_bytes(body)
    with pytest.raises(DataError, match="elements of the type"):
        read_pickle(path, allow_pickle=True)


def test_numpys_array_class_is_mentioned_but_not_called(tmp_path: Path) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(b"cnumpy\nndarray\n((I1000000000000\nttR.")
    with pytest.raises(DataError, match="is refused"):
        read_pickle(path, allow_pickle=True)


@given(st.binary(max_size=60), st.integers(0, 200), st.integers(0, 255))
def test_damage_is_one_kind_of_error(tmp_path_factory: pytest.TempPathFactory, tail: bytes, at: int, byte: int) -> None:
    body = bytearray(pickle.dumps({"a": np.arange(3.0), "b": [1, (2, "x")]}, 2))
    body[at % len(body)] = byte
    path = tmp_path_factory.mktemp("damage") / "x.pkl"
    for data in (bytes(body), tail, bytes(body[:at])):
        path.write_bytes(data)
        # Whatever still is a pickle may be read.
        with suppress(DataError):
            read_pickle(path, allow_pickle=True)


def test_the_one_object_of_an_npy_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "embedding.npy"
    np.save(path, {"faces": np.arange(3)}, allow_pickle=True)  # type: ignore[arg-type]
    with path.open("rb") as file, pytest.raises(ConfigError, match="allow"):
        read_pickled_array(file, path.name, allow_pickle=False)
    with path.open("rb") as file:
        read = read_pickled_array(file, path.name, allow_pickle=True)
    np.testing.assert_array_equal(read["faces"], np.arange(3))


FROM_BUFFER = b"\x80\x02cnumpy.core.numeric\n_frombuffer\n"
NUMPY_DTYPE = b"cnumpy\ndtype\n(Vu1\ntR"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (FROM_BUFFER + b"(J\xff\xff\xff\x7f" + NUMPY_DTYPE + b"(J\xff\xff\xff\x7ftVC\ntR.", "else than bytes"),
        (b"\x80\x02Nr\xff\xff\xff\x0f.", "numbers a part 268435455"),
        (b"Np268435455\n.", "numbers a part 268435455"),
        (b"\x80\x04\x8d" + struct.pack("<Q", 1 << 50) + b".", "is refused: "),
        (b"I" + b"9" * 10_000 + b"\n.", "is refused: "),
    ],
)
def test_a_number_in_a_small_file_takes_no_memory(tmp_path: Path, body: bytes, message: str) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(body)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=message):
            read_pickle(path, allow_pickle=True)
        assert tracemalloc.get_traced_memory()[1] < 1 << 22
    finally:
        tracemalloc.stop()


def test_lists_that_hold_each_other_twice_are_read_in_a_moment(tmp_path: Path) -> None:
    value: list = []
    for _ in range(60):
        value = [value, value]
    read = read_pickle(written(tmp_path / "x.pkl", value), allow_pickle=True)
    assert read[0] is read[1]
    assert len(read[0]) == 2


def test_a_list_that_holds_itself_is_refused(tmp_path: Path) -> None:
    value: list = []
    value.append(value)
    with pytest.raises(DataError, match="recursion"):
        read_pickle(written(tmp_path / "x.pkl", value), allow_pickle=True)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"c_codecs\nencode\n(N}V__defaults__\n(Vlatin1\ntstb.", "wants to change a function"),
        (b"cnumpy.core.multiarray\n_reconstruct\n(tR(N}Vvalue\nVmine\nstb.", "is refused"),
        (b"cnumpy\ndtype\n(Vf8\ntR.", "holds a Dtype"),
        (b"cnumpy\nndarray\n.", "holds a Call"),
    ],
)
def test_a_file_changes_and_gets_none_of_our_objects(tmp_path: Path, body: bytes, message: str) -> None:
    path = tmp_path / "x.pkl"
    path.write_bytes(body)
    with pytest.raises(DataError, match=message):
        read_pickle(path, allow_pickle=True)


@pytest.mark.parametrize("second", [{"a": 1}, np.arange(3) + 5])
def test_arrays_inside_arrays_come_back(tmp_path: Path, second: object) -> None:
    value = np.empty(2, dtype=object)
    value[0], value[1] = np.arange(3), second
    read = read_pickle(written(tmp_path / "x.pkl", value), allow_pickle=True)
    assert read.shape == (2,)
    np.testing.assert_array_equal(read[0], np.arange(3))
    np.testing.assert_array_equal(read[1], second)


@pytest.mark.parametrize("shape", ["(-5,)", "(10000000000000,)", "(3L,", "(True,)", "(9,)"])
def test_an_array_whose_header_lies_is_damage(shape: str) -> None:
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    stream = io.BytesIO(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(40))
    with pytest.raises(DataError, match=r"x\.npy should be an array of numpy"):
        read_pickled_array(stream, "x.npy", allow_pickle=False)


def test_an_array_in_columns_comes_back_as_it_was() -> None:
    stream, array = io.BytesIO(), np.asfortranarray(np.arange(6.0).reshape(2, 3))
    np.save(stream, array)
    stream.seek(0)
    np.testing.assert_array_equal(read_pickled_array(stream, "x.npy", allow_pickle=False), array)

"""Named arrays in files of our own."""

import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from snnface import arrays
from snnface.arrays import read_arrays, write_arrays
from snnface.errors import DataError


def test_arrays_and_text_come_back(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    write_arrays(path, {"a": np.arange(4.0), "t": np.array(["ä", "b"])})
    read = read_arrays(path, required=("a", "t"))
    np.testing.assert_array_equal(read["a"], np.arange(4.0))
    assert read["t"].tolist() == ["ä", "b"]


def test_the_same_arrays_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_arrays(tmp_path / name, {"a": np.arange(1000), "b": np.eye(3)})
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_objects_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'o' holds Python objects"):
        write_arrays(tmp_path / "x.npz", {"o": np.array([{}])})
    assert not list(tmp_path.iterdir())


def test_a_missing_name_is_told_with_what_is_there(tmp_path: Path) -> None:
    write_arrays(tmp_path / "x.npz", {"a": np.zeros(1)})
    with pytest.raises(DataError, match="coefficients, named b; it lacks b and has a"):
        read_arrays(tmp_path / "x.npz", required=("b",), what="coefficients")


def test_pickled_arrays_text_and_stumps_are_refused(tmp_path: Path) -> None:
    good = tmp_path / "good.npz"
    write_arrays(good, {"a": np.arange(1000)})
    (tmp_path / "text").write_text("hello")
    (tmp_path / "stump").write_bytes(good.read_bytes()[:-30])
    np.savez(tmp_path / "objects.npz", a=np.array([{}]))
    for name in ("text", "stump", "objects.npz"):
        with pytest.raises(DataError, match=f"{name} should hold arrays"):
            read_arrays(tmp_path / name)
    with pytest.raises(DataError, match="no such file"):
        read_arrays(tmp_path / "none")


def test_a_file_that_unpacks_to_too_much_is_refused_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", bytes(1 << 20))
    monkeypatch.setattr(arrays, "MAX_BYTES", 1 << 16)
    with pytest.raises(DataError, match="unpacks to"):
        read_arrays(path)


def npy(descr: str, shape: str, data: bytes = b"") -> bytes:
    header = f"{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}}}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (b"hello", "a is no array of numpy"),
        (npy("<U0", "(1000000000000,)"), "the elements of a have no size"),
        (npy("<f8", "(10000000000000,)", bytes(8)), "cannot be read: Unable to allocate"),
        (npy("<f8", f"({10**30},)"), "cannot be read"),
        (npy("<f8", "(True,)", bytes(8)), "cannot be read"),
        (npy("<f8", "(3L,"), "cannot be read"),
        (npy("<f8", "(4,)", bytes(8)), "cannot be read"),
    ],
)
def test_a_member_that_is_no_array_is_damage(tmp_path: Path, member: bytes, message: str) -> None:
    path = tmp_path / "x.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.npy", member)
    with pytest.raises(DataError, match=f"x.npz should hold arrays.*{message}"):
        read_arrays(path, required=("a",))


def test_an_encrypted_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    write_arrays(path, {"a": np.zeros(3)})
    body = bytearray(path.read_bytes())
    body[6] |= 1  # the flag, once in front of the data and once in the directory
    body[body.find(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(body)
    with pytest.raises(DataError, match="encrypted"):
        read_arrays(path)

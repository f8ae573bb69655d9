"""Arrays of an ONNX file: in the file itself, or in a file beside it.

A file beside it is named by the ONNX file, which a stranger may have written; it is read
only inside the folder of the ONNX file, and only as far as the array goes.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np

from conversion.ann.onnx_file import MAX_BYTES
from snnface.errors import DataError

__all__ = ["array_of", "require_readable"]

_OUTSIDE = "weights are only read from files in the folder of the ONNX file"


def array_of(tensor: Any, folder: Path) -> np.ndarray:
    """The numbers of a TensorProto, in the type of the file; bfloat16 as float32.

    Raises:
        DataError: if its type is not known here, its numbers are fewer or more than its shape says, or the file
            beside is missing, too short, or not in `folder`.
    """
    import onnx

    dtype = require_readable(tensor, folder)
    shape = tuple(tensor.dims)
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        location, offset, num_bytes = _place(tensor, dtype, folder)
        with location.open("rb") as file:
            file.seek(offset)
            array = np.frombuffer(file.read(num_bytes), dtype.newbyteorder("<")).reshape(shape)
    else:
        try:
            array = onnx.numpy_helper.to_array(tensor)
        except (ValueError, TypeError, OverflowError) as error:
            raise DataError(f"{_called(tensor)} does not hold the numbers of its shape {shape}: {error}.") from error
    return array.astype(np.float32 if tensor.data_type == onnx.TensorProto.BFLOAT16 else dtype.newbyteorder("="))


def require_readable(tensor: Any, folder: Path) -> np.dtype:
    """The type of a TensorProto whose numbers can be read; they are not read yet.

    Raises:
        DataError: as `array_of`.
    """
    import onnx

    kinds = onnx.TensorProto
    known = (kinds.FLOAT, kinds.FLOAT16, kinds.BFLOAT16, kinds.DOUBLE, kinds.INT32, kinds.INT64, kinds.BOOL)
    if tensor.data_type not in (*known, kinds.INT8, kinds.UINT8):
        raise DataError(
            f"{_called(tensor)} has the type {_type_name(tensor.data_type)}; numbers of 8 to 64 bits are read. "
            "Export the network in float32."
        )
    dtype = np.dtype(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type))
    num_bytes = math.prod(tensor.dims) * dtype.itemsize
    if min(tensor.dims, default=0) < 0 or len(tensor.dims) > 8 or num_bytes > MAX_BYTES or tensor.HasField("segment"):
        raise DataError(f"{_called(tensor)} has the shape {tuple(tensor.dims)[:9]}; that is no array of a network.")
    if tensor.data_location == kinds.EXTERNAL:
        _place(tensor, dtype, folder)
    elif tensor.HasField("raw_data") and len(tensor.raw_data) != num_bytes:
        raise DataError(
            f"{_called(tensor)} needs {num_bytes} bytes for its shape {tuple(tensor.dims)}; it has "
            f"{len(tensor.raw_data)}. The file is damaged: export it once more."
        )
    return dtype


def _place(tensor: Any, dtype: np.dtype, folder: Path) -> tuple[Path, int, int]:
    """File, offset and number of bytes of an array beside the ONNX file."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    name = entries.get("location", "")
    location = _inside(name, folder, tensor)
    needed = math.prod(tensor.dims) * dtype.itemsize
    offset, length = (_count(tensor, entries, key, default) for key, default in (("offset", 0), ("length", needed)))
    if not location.is_file():
        raise DataError(
            f"{_called(tensor)} stands in {name!r}, and there is no such file beside the ONNX file. Copy it there, "
            "too, or export with external_data=False."
        )
    if length != needed or offset + length > (size := location.stat().st_size):
        raise DataError(
            f"{_called(tensor)} needs {needed} bytes; {name!r} has {length} for it, from byte {offset} of "
            f"{location.stat().st_size}. The file does not belong to this ONNX file, or was cut off."
        )
    if size > MAX_BYTES:
        raise DataError(f"{name!r} has {size} bytes of weights; at most {MAX_BYTES} are read.")
    return location, offset, needed


def _inside(name: str, folder: Path, tensor: Any) -> Path:
    """The path of a name that leads to no other folder: no root, no drive, no step up, no link out."""
    parts = Path(name).parts
    if not parts or Path(name).is_absolute() or ".." in parts or "\\" in name or ":" in name or "\0" in name:
        raise DataError(f"{_called(tensor)} stands in {name[:80]!r}; {_OUTSIDE}.")
    location = folder / name
    if not location.resolve().is_relative_to(folder.resolve()):
        raise DataError(f"{_called(tensor)} stands in {name[:80]!r}, a link to another folder; {_OUTSIDE}.")
    return location


def _count(tensor: Any, entries: dict[str, str], key: str, default: int) -> int:
    text = entries.get(key, str(default))
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise DataError(f"{_called(tensor)} has the {key} {text[:40]!r}; a number of bytes was expected.")
    return int(text)


def _called(tensor: Any) -> str:
    return f"array {tensor.name[:80]!r}"


def _type_name(data_type: int) -> str:
    import onnx

    known = {number: name for name, number in onnx.TensorProto.DataType.items()}
    return known.get(data_type, str(data_type))

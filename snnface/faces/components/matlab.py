"""Components from MATLAB files, as the authors of 3DMMs hand them on."""

from pathlib import Path

import numpy as np

from snnface.errors import DataError, DatasetNotFoundError
from snnface.faces.components.components import ComponentKind, Components

__all__ = ["components_from_mat"]

MAX_VALUES = 1 << 28
"""A file whose header promises more numbers than this is refused before it is unpacked."""


def components_from_mat(path: Path, kind: ComponentKind) -> Components:
    """Read `Components` (3V x K; rows x, y, z of the first vertex, then of the second, ...) and `Weights`
    (K x 1) from a MATLAB file of version 4 to 7.

    Raises:
        DatasetNotFoundError: if the file is not there.
        DataError: if it is not such a file.
    """
    if not path.is_file():
        raise DatasetNotFoundError(f"{path} is not there; components from MATLAB are a .mat file.")
    basis, weights = _arrays(path)
    if basis.ndim != 2 or basis.shape[0] % 3 or weights.size != basis.shape[1]:
        raise DataError(
            f"{path} should hold Components (3V x K) and Weights (K x 1); it holds "
            f"{' x '.join(map(str, basis.shape))} and {' x '.join(map(str, weights.shape))}."
        )
    try:
        # What single precision cannot hold becomes infinite, and is refused as such.
        with np.errstate(over="ignore"):
            return Components(
                basis=np.ascontiguousarray(basis.T.reshape(basis.shape[1], -1, 3), dtype=np.float32),
                weights=weights.astype(np.float64).reshape(-1),
                kind=kind,
            )
    except DataError as error:
        raise DataError(f"{path} should hold the components of a 3DMM: {error}") from error


def _arrays(path: Path) -> tuple[np.ndarray, np.ndarray]:
    from scipy.io import loadmat, whosmat

    names = ("Components", "Weights")
    try:
        sizes = {name: shape for name, shape, _ in whosmat(path)}
        if missing := [name for name in names if name not in sizes]:
            raise DataError(
                f"{path} should hold Components and Weights; it lacks {' and '.join(missing)} and has "
                f"{', '.join(sizes) or 'nothing'}."
            )
        if sum(int(np.prod(sizes[name], dtype=object)) for name in names) > MAX_VALUES:
            raise DataError(f"{path} promises arrays of {sizes}; components of a face are smaller. It is damaged.")
        arrays = loadmat(path, variable_names=names)
    except NotImplementedError as error:
        raise DataError(f"{path} is of MATLAB's version 7.3 (HDF5); write it again with save(..., '-v7').") from error
    except DataError:
        raise
    except Exception as error:  # scipy's reader raises whatever the damage happens to cause
        raise DataError(f"{path} should be a MATLAB file; it cannot be read: {error}.") from error
    basis, weights = (arrays[name] for name in names)
    if not all(isinstance(array, np.ndarray) and array.dtype.kind in "fiu" for array in (basis, weights)):
        raise DataError(f"{path} should hold Components and Weights as full matrices of real numbers.")
    return basis, weights

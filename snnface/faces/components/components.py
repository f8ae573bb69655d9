"""The components of a 3DMM: directions in which a face's shape varies, and by how much."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Float32, Float64

from snnface.arrays import read_arrays, write_arrays
from snnface.errors import DataError
from snnface.faces.model import FaceMesh

__all__ = ["ComponentKind", "Components", "load_components", "save_components"]

ComponentKind = Literal["identity", "expression"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Components:
    """Shape = base + sum_k alpha_k basis_k; arrays are stored read-only.

    Attributes:
        basis: offset of every vertex for a coefficient of 1, in the model's unit of length.
        weights: mean square of each coefficient over the training faces; a fit holds alpha_k^2 against it.
        kind: "identity" is added to the template, "expression" to one subject's neutral face.
        template: the mean neutral face that identity components are added to; None where only the
            components are known, or of expressions.
        names: one for each component, or none at all.

    Raises:
        DataError: if sizes differ, a value is not finite, or a weight is not positive.
    """

    basis: Float32[np.ndarray, "K V 3"]
    weights: Float64[np.ndarray, "_"]
    kind: ComponentKind
    template: Float32[np.ndarray, "_ 3"] | None = None
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        arrays = {"basis": self.basis, "weights": self.weights, "template": self.template}
        if not self.basis.size:
            raise DataError(f"a 3DMM needs a component and a vertex at least; the basis has shape {self.basis.shape}.")
        if len(self.weights) != len(self.basis) or len(self.names) not in (0, len(self.basis)):
            raise DataError(
                f"{len(self.basis)} components need as many weights, and as many names or none; "
                f"got {len(self.weights)} weights and {len(self.names)} names."
            )
        if self.template is not None and len(self.template) != self.num_vertices:
            raise DataError(f"components of {self.num_vertices} vertices have a template of {len(self.template)}.")
        for name, array in arrays.items():
            if array is None:
                continue
            if not np.isfinite(array).all():
                raise DataError(f"the {name} of components must be finite numbers; some are not.")
            view = array.view()
            view.flags.writeable = False
            object.__setattr__(self, name, view)
        if not (self.weights > 0).all():
            raise DataError(f"every weight must be positive; component {int(self.weights.argmin())} has not.")

    def __len__(self) -> int:
        return len(self.basis)

    @property
    def num_vertices(self) -> int:
        return self.basis.shape[1]

    def offsets(self, coefficients: Float[np.ndarray, "*B K"]) -> Float32[np.ndarray, "*B V 3"]:
        """What coefficients add to a face.

        Raises:
            DataError: if there are not as many coefficients as components.
        """
        if coefficients.shape[-1] != len(self):
            raise DataError(f"{len(self)} components need as many coefficients; got {coefficients.shape[-1]}.")
        return np.tensordot(coefficients.astype(np.float32), self.basis, 1)

    def landmarks(self, mesh: FaceMesh) -> Float64[np.ndarray, "K 68 3"]:
        """The components at the 68 points of a mesh.

        Raises:
            DataError: if the mesh has other vertices than the components.
        """
        if len(mesh.mean) != self.num_vertices:
            raise DataError(
                f"components of {self.num_vertices} vertices do not fit a face of {len(mesh.mean)}; "
                "use the mesh they were learned on, or learn them again on this one."
            )
        return mesh.landmarks(self.basis)


def save_components(components: Components, path: Path) -> None:
    """Write as npz without pickles, whole or not at all.

    Raises:
        DataError: if the disk refuses the file.
    """
    arrays = {
        "basis": components.basis,
        "weights": components.weights,
        "kind": np.array(components.kind),
        "names": np.array(components.names, dtype=str),
    }
    if components.template is not None:
        arrays["template"] = components.template
    write_arrays(path, arrays)


def load_components(path: Path) -> Components:
    """Read what `save_components` wrote.

    Raises:
        DataError: if it is not such a file.
    """
    what = "components of a 3DMM"
    arrays = read_arrays(path, required=("basis", "weights", "kind", "names"), what=what)
    wanted = {"basis": ("f", 3), "weights": ("f", 1), "kind": ("U", 0), "names": ("U", 1), "template": ("f", 2)}
    for name, (letter, axes) in wanted.items():
        array = arrays.get(name)
        if array is None or (array.dtype.kind == letter and array.ndim == axes):
            continue
        raise DataError(
            f"{path} should hold {what}; its {name} is an array of {array.dtype} with {array.ndim} axes, "
            f"not of kind {letter!r} with {axes}."
        )
    for name in ("basis", "template"):
        if name in arrays and arrays[name].shape[-1] != 3:
            raise DataError(f"{path} should hold {what}; its {name} has {arrays[name].shape[-1]} coordinates, not 3.")
    kind, template = str(arrays["kind"]), arrays.get("template")
    if kind not in get_args(ComponentKind):
        raise DataError(f"{path} should hold {what}, of kind {' or '.join(get_args(ComponentKind))}; got {kind!r}.")
    try:
        # What single precision cannot hold becomes infinite, and is refused as such.
        with np.errstate(over="ignore"):
            return Components(
                basis=arrays["basis"].astype(np.float32),
                weights=arrays["weights"].astype(np.float64),
                kind=kind,  # type: ignore[arg-type]  # one of them
                template=None if template is None else template.astype(np.float32),
                # One too many is enough to be refused.
                names=tuple(arrays["names"][: len(arrays["basis"]) + 1].tolist()),
            )
    except DataError as error:
        raise DataError(f"{path} should hold {what}: {error}") from error

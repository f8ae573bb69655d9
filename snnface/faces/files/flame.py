"""The FLAME head model, from the files that its owners give to registered users."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from snnface.errors import ConfigError, DataError
from snnface.faces.files.painting import painted
from snnface.faces.model import FaceMesh
from snnface.pickles import StandIn, read_pickle, read_pickled_array

__all__ = ["load_flame"]

NUM_IDENTITY = 300
"""The first of `shapedirs` are identity, the others expression."""


class _Chumpy(StandIn):
    """For chumpy's arrays, which wrap a numpy array called x."""

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.value = state.get("x")


class _Unused(StandIn):
    """For what is not needed here, such as the sparse joint regressor."""

    def __setstate__(self, state: object) -> None: ...


def _reconstructed(kind: type, base: type, state: object) -> object:
    """What Python 2 began objects with."""
    return kind()


_STAND_INS: dict[tuple[str, str], Any] = {
    ("chumpy.ch", "Ch"): _Chumpy,
    ("chumpy.reordering", "Select"): _Chumpy,
    ("scipy.sparse.csc", "csc_matrix"): _Unused,
    ("scipy.sparse._csc", "csc_matrix"): _Unused,
    ("copy_reg", "_reconstructor"): _reconstructed,
    ("copyreg", "_reconstructor"): _reconstructed,
    ("__builtin__", "object"): object,
    ("builtins", "object"): object,
}


def load_flame(
    path: Path,
    embedding: Path,
    *,
    allow_pickle: bool,
    num_identity: int = 100,
    num_expression: int = 50,
) -> FaceMesh:
    """Read FLAME and its landmark embedding; lengths are metres.

    The model has no action units of its own: expressions are named "expression 0" and so on. Only
    the parts of it that are linear are taken: no jaw, neck or eye joints. The face is painted.

    Args:
        path: the model, a pickle (generic_model.pkl or the like).
        embedding: the landmark embedding, an .npy with `full_lmk_faces_idx` and
            `full_lmk_bary_coords`.
        allow_pickle: must be True; both files are pickles. Only plain values and arrays are
            accepted in them, nothing is run.
        num_identity, num_expression: how many modes to keep, of up to 300 and 100.

    Raises:
        ConfigError: if `allow_pickle` is False, or a number of modes is negative.
        DataError: if a file is missing or damaged, wants to call anything, or lacks what is needed.
    """
    if min(num_identity, num_expression) < 0:
        raise ConfigError(f"numbers of modes are at least 0; got {num_identity} and {num_expression}.")
    model = _arrays(read_pickle(path, allow_pickle=allow_pickle, values=_STAND_INS), path)
    template, faces, directions = (model[key] for key in ("v_template", "f", "shapedirs"))
    if directions.ndim != 3 or directions.shape[:2] != template.shape or template.shape[1:] != (3,):
        raise DataError(
            f"{path} should hold v_template [V, 3] and shapedirs [V, 3, K]; it has {list(template.shape)} and "
            f"{list(directions.shape)}."
        )
    if faces.ndim != 2 or faces.shape[1] != 3 or faces.dtype.kind == "f":
        raise DataError(f"{path} should hold f [F, 3], whole numbers; it has {faces.dtype} {list(faces.shape)}.")
    if faces.size and not 0 <= faces.min() <= faces.max() < len(template):
        raise DataError(f"{path} should hold triangles of {len(template)} vertices; f has others.")
    modes, mean = np.moveaxis(directions, 2, 0).astype(np.float32), template.astype(np.float32)
    identity, expression = modes[:NUM_IDENTITY][:num_identity], modes[NUM_IDENTITY:][:num_expression]
    triangles = faces.astype(np.int32)
    landmarks = _embedded(embedding, triangles, allow_pickle=allow_pickle)
    part = np.zeros(len(mean), dtype=np.int8)
    try:
        return FaceMesh(
            mean=mean,
            triangles=triangles,
            identity=identity,
            identity_std=np.ones(len(identity), dtype=np.float32),
            expression=expression,
            expression_names=tuple(f"expression {k}" for k in range(len(expression))),
            **landmarks,
            part=part,
            albedo=painted(mean, landmarks, part),
            action_units={},
        )
    except DataError as error:
        raise DataError(f"{path} is no head model: {error}") from error


def _arrays(model: object, path: Path) -> dict[str, np.ndarray]:
    """The arrays that are needed, out of their wrapping."""
    if not isinstance(model, dict):
        raise DataError(f"{path} should hold a dictionary of arrays; it holds {type(model).__name__}.")
    arrays = {}
    for key in ("v_template", "f", "shapedirs"):
        value = model.get(key)
        if not isinstance(value, np.ndarray) or value.dtype.kind not in "iuf":
            raise DataError(f"{path} should hold FLAME's {key}, an array of numbers; it holds {type(value).__name__}.")
        if not (np.abs(value) <= np.finfo(np.float32).max).all():
            raise DataError(f"{path} should hold finite numbers of single precision; some of {key} are not.")
        arrays[key] = value
    return arrays


def _embedded(path: Path, triangles: np.ndarray, *, allow_pickle: bool) -> dict[str, np.ndarray]:
    try:
        with path.open("rb") as file:
            content = read_pickled_array(file, str(path), allow_pickle=allow_pickle)
    except OSError as error:
        raise DataError(f"{path} should be FLAME's landmark embedding; it cannot be read: {error.strerror}.") from error
    if not isinstance(content, dict) or not {"full_lmk_faces_idx", "full_lmk_bary_coords"} <= content.keys():
        raise DataError(f"{path} should hold full_lmk_faces_idx and full_lmk_bary_coords, the 68 points on FLAME.")
    faces, weights = (np.asarray(content[key]) for key in ("full_lmk_faces_idx", "full_lmk_bary_coords"))
    if faces.dtype.kind not in "iu" or weights.dtype.kind != "f" or (faces.size, weights.size) != (68, 3 * 68):
        raise DataError(
            f"{path} should hold 68 whole numbers and 68 x 3 weights; it holds {faces.dtype} {list(faces.shape)} and "
            f"{weights.dtype} {list(weights.shape)}."
        )
    if faces.min() < 0 or faces.max() >= len(triangles):
        raise DataError(
            f"{path} should place 68 points on {len(triangles)} triangles; it names {faces.min()}..{faces.max()}."
        )
    return {
        "landmark_vertices": triangles[faces.reshape(-1)],
        "landmark_weights": weights.astype(np.float32).reshape(68, 3),
    }

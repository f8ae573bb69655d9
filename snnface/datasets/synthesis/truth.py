"""Everything that is known of a synthetic take: motion a millisecond, geometry of every camera, who it is."""

from collections.abc import Mapping
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Float32, Float64, Int64

from snnface.arrays import read_arrays, write_arrays
from snnface.errors import DataError, unknown_name
from snnface.events.window import Resolution
from snnface.faces.rendering.camera import POSE_NAMES, OrthographicCamera, posed

__all__ = ["STEP_US", "Truth", "TruthCamera", "read_truth", "write_truth"]

STEP_US = 1000
"""Between two rows of what changes over time."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TruthCamera:
    """How one camera saw the scene.

    Attributes:
        geometry: where it shows what, in pixels.
        landmarks68: the 68 points (column, row) at the truth's `frame_t_us`, as plain numbers.
    """

    resolution: Resolution
    geometry: OrthographicCamera
    landmarks68: Float32[np.ndarray, "_ _ _"]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Truth:
    """What is known of a take, in the recording's clock.

    Arrays over time have one row a millisecond, from 0 on: row s holds at s * 1000 us.

    Attributes:
        action_units: FACS codes of the columns of `intensities`.
        intensities: float32 [S, K], 0..1.
        expression_names, weights: what the face model is given, float32 [S, KE].
        poses: float64 [S, 6], see `POSE_NAMES`.
        gaze_deg: float32 [S, 2], to the subject's left, up.
        valence_arousal: float32 [S, 2], -1..1, by the rule `VALENCE_AROUSAL`.
        activation_au: code of each contraction, int64 [M]; those that were asked for come first.
        activation_us: int64 [M, 4]: onset, apex, start of the fall, offset.
        activation_gain: float32 [M, 3]: intensity at the apex, gain of the right and of the left side.
        activation_origin: "asked", "companion" or "blink", of each.
        identity: identity coefficients of the face model, float64 [KI].
        neutral68, expression68: the 68 points of the person's face at rest, float64 [68, 3], and what each
            expression adds, float32 [KE, 68, 3], in outer-eye distances.
        lux: illuminance at the face.
        frame_t_us: times at which the landmarks stand as plain numbers too, int64 [F].
        landmarks68_3d: float32 [F, 68, 3], posed, in outer-eye distances.
        cameras: camera name -> how it saw the scene.

    Raises:
        DataError: if sizes do not fit each other or a value is not finite.
    """

    action_units: tuple[int, ...]
    intensities: Float32[np.ndarray, "_ _"]
    expression_names: tuple[str, ...]
    weights: Float32[np.ndarray, "_ _"]
    poses: Float64[np.ndarray, "_ _"]
    gaze_deg: Float32[np.ndarray, "_ _"]
    valence_arousal: Float32[np.ndarray, "_ _"]
    activation_au: Int64[np.ndarray, "_"]
    activation_us: Int64[np.ndarray, "_ _"]
    activation_gain: Float32[np.ndarray, "_ _"]
    activation_origin: tuple[str, ...]
    identity: Float64[np.ndarray, "_"]
    neutral68: Float64[np.ndarray, "_ _"]
    expression68: Float32[np.ndarray, "_ _ _"]
    lux: float
    frame_t_us: Int64[np.ndarray, "_"]
    landmarks68_3d: Float32[np.ndarray, "_ _ _"]
    cameras: Mapping[str, TruthCamera]

    @property
    def t_us(self) -> Int64[np.ndarray, " S"]:
        """The times of the rows."""
        return np.arange(len(self.poses), dtype=np.int64) * STEP_US

    def landmarks3d(self, t_us: Int64[np.ndarray, " T"]) -> Float64[np.ndarray, "T 68 3"]:
        """The 68 posed points in outer-eye distances: x to the subject's left, y up, z forward.

        Exact at whole milliseconds; weights and pose are linear in between, and rest after the last row.
        """
        turns, shifts = posed(self._at(self.poses, t_us))
        return (turns @ self._at_rest(t_us).transpose(0, 2, 1) + shifts).transpose(0, 2, 1)

    def landmarks(self, camera: str, t_us: Int64[np.ndarray, " T"]) -> Float64[np.ndarray, "T 68 2"]:
        """(column, row) of the 68 points in a camera's picture, seen or hidden; times as `landmarks3d`.

        Raises:
            ConfigError: if there was no such camera.
        """
        if camera not in self.cameras:
            raise unknown_name("camera of this take", camera, self.cameras)
        maps = self.cameras[camera].geometry.matrices(self._at(self.poses, t_us))
        return self._at_rest(t_us) @ maps[:, :2, :3].transpose(0, 2, 1) + maps[:, None, :2, 3]

    def boxes(self, camera: str, t_us: Int64[np.ndarray, " T"]) -> Float64[np.ndarray, "T 4"]:
        """(left, top, width, height) of the box round the 68 points; pixel (x, y) is the square to (x + 1, y + 1).

        Raises:
            ConfigError: if there was no such camera.
        """
        return boxes_of(self.landmarks(camera, t_us))

    def at(self, rows: Float32[np.ndarray, "S D"], t_us: Int64[np.ndarray, " T"]) -> Float32[np.ndarray, "T D"]:
        """An array over time at other times: linear between its rows, at rest after the last."""
        return self._at(rows, t_us).astype(np.float32)

    def _at(self, rows: np.ndarray, t_us: Int64[np.ndarray, " T"]) -> Float64[np.ndarray, "T D"]:
        place = np.clip(t_us / STEP_US, 0, len(rows) - 1)
        before = place.astype(np.int64)
        after = np.minimum(before + 1, len(rows) - 1)
        share = (place - before)[:, None]
        return (1 - share) * rows[before] + share * rows[after]

    def _at_rest(self, t_us: Int64[np.ndarray, " T"]) -> Float64[np.ndarray, "T 68 3"]:
        """The 68 points of the moving face on a head at rest."""
        return self.neutral68 + np.tensordot(self._at(self.weights, t_us), self.expression68, 1)

    def __post_init__(self) -> None:
        steps, frames, moves = len(self.poses), len(self.frame_t_us), len(self.activation_au)
        wanted = {
            "intensities": (steps, len(self.action_units)),
            "weights": (steps, len(self.expression_names)),
            "poses": (steps, len(POSE_NAMES)),
            "gaze_deg": (steps, 2),
            "valence_arousal": (steps, 2),
            "activation_us": (moves, 4),
            "activation_gain": (moves, 3),
            "activation_origin": (moves,),
            "neutral68": (68, 3),
            "expression68": (len(self.expression_names), 68, 3),
            "landmarks68_3d": (frames, 68, 3),
        }
        for name, shape in wanted.items():
            _require(name, np.asarray(getattr(self, name)), shape)
        for name, camera in self.cameras.items():
            _require(f"landmarks68 of {name}", camera.landmarks68, (frames, 68, 2))
        if not steps or (np.diff(self.frame_t_us) <= 0).any():
            raise DataError("the truth of a take needs at least one millisecond, and frame times that rise.")


def boxes_of(landmarks: Float64[np.ndarray, "T 68 2"]) -> Float64[np.ndarray, "T 4"]:
    """The box round points whose pixel centres are whole: a point at (3, 5) lies in the middle of a square."""
    low, high = landmarks.min(1) + 0.5, landmarks.max(1) + 0.5
    return np.concatenate([low, high - low], axis=1)


def write_truth(truth: Truth, path: Path) -> None:
    """Write as npz, without pickled objects; the same truth gives the same bytes.

    Members are named as the attributes of `Truth`; of the cameras there are `camera_names`,
    `camera_sizes` [C, 2] (height, width), `camera_geometry` [C, 4] (scale_px, column_px, row_px, roll_deg
    of `OrthographicCamera`) and `landmarks68` [C, F, 68, 2].
    """
    cameras = truth.cameras.values()
    write_arrays(
        path,
        {
            "t_us": truth.t_us,
            "pose_names": np.array(POSE_NAMES),
            **{name: np.asarray(getattr(truth, name)) for name in _PLAIN},
            "camera_names": np.array(list(truth.cameras)),
            "camera_sizes": np.array([[c.resolution.height, c.resolution.width] for c in cameras], np.int64),
            "camera_geometry": np.array([astuple(c.geometry) for c in cameras], np.float64),
            "landmarks68": np.array([c.landmarks68 for c in cameras]),
        },
    )


def read_truth(path: Path) -> Truth:
    """Read what `write_truth` wrote.

    Raises:
        DataError: if it is no such file, is damaged, or its arrays do not fit each other.
    """
    arrays = read_arrays(path, required=(*_PLAIN, *_CAMERAS), what="what is known of a synthetic take")
    try:
        plain = {name: _as(arrays[name], dtype, ndim) for name, (dtype, ndim) in _PLAIN.items()}
        names = [str(name) for name in _as(arrays["camera_names"], "str", 1)]
        sizes = _as(arrays["camera_sizes"], "int64", 2)
        geometries = _as(arrays["camera_geometry"], "float64", 2)
        points = _as(arrays["landmarks68"], "float32", 4)
        if {len(names), len(sizes), len(geometries)} != {len(points)} or (*sizes.shape[1:], *geometries.shape[1:]) != (
            2,
            4,
        ):
            raise DataError("its cameras are not whole")
        cameras = {
            name: TruthCamera(
                resolution=Resolution(*size),
                geometry=OrthographicCamera(**dict(zip(_GEOMETRY, values, strict=True))),
                landmarks68=seen,
            )
            for name, size, values, seen in zip(names, sizes.tolist(), geometries.tolist(), points, strict=True)
        }
        values: dict[str, Any] = {
            name: tuple(value.tolist()) if name in _TUPLES else value for name, value in plain.items()
        }
        values["lux"] = float(plain["lux"])
        return Truth(**values, cameras=MappingProxyType(cameras))
    except (ValueError, TypeError) as error:
        raise DataError(
            f"{path} should hold what is known of a synthetic take; {error}. Make the set again."
        ) from error


# Member -> type and number of axes.
_PLAIN: Mapping[str, tuple[str, int]] = MappingProxyType(
    {
        "action_units": ("int64", 1),
        "intensities": ("float32", 2),
        "expression_names": ("str", 1),
        "weights": ("float32", 2),
        "poses": ("float64", 2),
        "gaze_deg": ("float32", 2),
        "valence_arousal": ("float32", 2),
        "activation_au": ("int64", 1),
        "activation_us": ("int64", 2),
        "activation_gain": ("float32", 2),
        "activation_origin": ("str", 1),
        "identity": ("float64", 1),
        "neutral68": ("float64", 2),
        "expression68": ("float32", 3),
        "lux": ("float64", 0),
        "frame_t_us": ("int64", 1),
        "landmarks68_3d": ("float32", 3),
    }
)
_TUPLES = ("action_units", "expression_names", "activation_origin")
_CAMERAS = ("camera_names", "camera_sizes", "camera_geometry", "landmarks68")
_GEOMETRY = tuple(field.name for field in fields(OrthographicCamera))


def _as(array: np.ndarray, kind: str, ndim: int) -> np.ndarray:
    """The array, if it is of that type."""
    fits = array.dtype.kind == "U" if kind == "str" else array.dtype == np.dtype(kind)
    if not fits or array.ndim != ndim:
        raise DataError(f"an array of {kind} with {ndim} axes was expected, {array.dtype} {list(array.shape)} came")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise DataError("one of its numbers is not finite")
    return array


def _require(name: str, array: np.ndarray, shape: tuple[int, ...]) -> None:
    if array.shape != shape:
        raise DataError(f"{name} should be {list(shape)}; it is {list(array.shape)}")

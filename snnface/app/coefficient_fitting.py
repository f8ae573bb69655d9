"""Coefficients of FACEMORPHIC's faces, fitted once to their 68 points and kept: one file a recording."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float64, Int64

from snnface.app.filmed_faces import landmark_model
from snnface.arrays import read_arrays, write_arrays
from snnface.datasets.layout.pictures import picture_clip
from snnface.datasets.published.facemorphic import Facemorphic
from snnface.datasets.published.facemorphic_files import FrameRows
from snnface.faces.fitting import fit_clip
from snnface.jobs import Job, run_jobs

__all__ = ["fitted_coefficients"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Task:
    """One recording to fit; travels to the process that does it.

    Attributes:
        points: the 68 points of every frame; None: they are found in the pictures.
        out: the file to write.
    """

    points: FrameRows | None
    pictures: tuple[Path, ...]
    t_us: Int64[np.ndarray, "_"]
    num_coefficients: int
    out: Path

    @property
    def is_possible(self) -> bool:
        """Whether it is done, or there is something to do it with."""
        return self.points is not None or bool(self.pictures) or self.out.is_file()


def fitted_coefficients(
    dataset: Facemorphic,
    *,
    num_coefficients: int,
    finds_points: bool,
    folder: Path,
    on_progress: Callable[[int, int], None] | None = None,
) -> Mapping[str, FrameRows]:
    """Coefficients of every RGB frame of the recordings that have clips; fitted on all cores, read where they are kept.

    Identity comes from a neutral frame of the whole recording, see `fit_clip`. Frames without a face have none. Work
    that was stopped goes on when the same is called again.

    Args:
        finds_points: look for the 68 points in the RGB pictures; otherwise they are the published ones.
        folder: where the fits are kept.

    Returns:
        recording -> coefficients [F, K] of `dataset.frame_times`. A recording without a face, pictures or landmarks
        has none, and the log says so.

    Source: Becattini et al. 2024, arXiv:2409.10213, sec. 5.2.
    """
    names = dict.fromkeys(clip.recording_id for clip in dataset.clips)
    tasks = {name: _task(dataset, name, num_coefficients, finds_points, folder / f"{name}.npz") for name in names}
    jobs = [Job(name, (task.out,), task) for name, task in tasks.items() if task.is_possible]
    outcome = run_jobs(jobs, _fit, on_progress=on_progress)
    failures = {failure.key: failure.message for failure in outcome.failures}
    for name, message in failures.items():
        logger.warning("%s of FACEMORPHIC has no coefficients: %s", name, message)
    found = {job.key: _read(job.outputs[0]) for job in jobs if job.key not in failures}
    return {name: rows for name, rows in found.items() if rows.present.any()}


def _task(dataset: Facemorphic, name: str, num_coefficients: int, finds_points: bool, out: Path) -> _Task:
    # What is kept already needs no reading.
    reads_points = not finds_points and not out.is_file()
    return _Task(
        points=dataset.landmarks(name) if reads_points else None,
        pictures=dataset.rgb_files(name) if finds_points else (),
        t_us=dataset.frame_times(name),
        num_coefficients=num_coefficients,
        out=out,
    )


def _read(path: Path) -> FrameRows:
    arrays = read_arrays(path, required=("alpha", "present"), what="fitted coefficients")
    return FrameRows(arrays["alpha"], arrays["present"])


def _fit(task: _Task) -> None:
    points, present = _points(task)
    alpha = np.zeros((len(points), task.num_coefficients), np.float32)
    if present.any():
        fit = fit_clip(points, landmark_model(task.num_coefficients), valid=present)
        present = np.array(fit.valid)
        alpha[present] = fit.alpha[present]
    write_arrays(task.out, {"alpha": alpha, "present": present})


def _points(task: _Task) -> tuple[Float64[np.ndarray, "F 68 2"], Bool[np.ndarray, " F"]]:
    if task.points is not None:
        return task.points.values.astype(np.float64), task.points.present
    # Detection loads what nothing else here needs.
    from snnface.faces.detection.tracking import track_landmarks

    tracked = track_landmarks(picture_clip(task.pictures, task.t_us))
    return tracked.landmarks, tracked.valid

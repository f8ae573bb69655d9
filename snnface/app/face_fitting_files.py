"""The files that a fitted recording leaves: arrays for programs, tables and pictures for people."""

import csv
import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from snnface.app.face_fitting import EventFrameLabels, FaceFitting
from snnface.arrays import write_arrays
from snnface.faces.components import save_components
from snnface.faces.detection import write_tracked_landmarks
from snnface.faces.figures import displacement_picture, turning_face, write_animation, write_picture
from snnface.faces.fitting import save_fit
from snnface.files import write_text

__all__ = ["write_face_fitting"]


def write_face_fitting(fitting: FaceFitting, out: Path) -> tuple[Path, ...]:
    """Write everything into a folder; the files, in the order of their importance.

    Labels of an earlier run do not stay beside coefficients that they do not belong to.

    Raises:
        DataError: if the disk refuses a file.
    """
    files = [out / "fit.npz", out / "frames.csv", out / "landmarks.npz"]
    save_fit(fitting.fit, files[0])
    _write_frames(fitting, files[1])
    write_tracked_landmarks(fitting.landmarks, files[2])
    if fitting.labels is None:
        for name in ("labels.npz", "labels.csv"):
            (out / name).unlink(missing_ok=True)
    else:
        files[:0] = [out / "labels.npz", out / "labels.csv"]
        steps, labels = fitting.labels.steps, fitting.labels.labels
        write_arrays(
            files[0],
            {
                "alpha": labels.values,
                "alpha_present": labels.present,
                "borders_us": steps.borders_us,
                "at_us": steps.mean_us,
                "num_events": steps.num_events,
            },
        )
        _write_labels(fitting.labels, files[1])
    for name, components in (("identity", fitting.identity), ("expression", fitting.expression)):
        save_components(components, out / f"{name}.npz")
        files.append(out / f"{name}.npz")
    files += _write_figures(fitting, out)
    write_text(out / "summary.json", json.dumps(fitting.values(), indent=2) + "\n")
    return (*files, out / "summary.json")


def _write_figures(fitting: FaceFitting, out: Path) -> list[Path]:
    """The shape of the strongest expression, coloured by how far it is from rest: still, and turning."""
    offset = fitting.expression.offsets(fitting.fit.alpha[fitting.apex])
    files = [out / "shape.png", out / "shape.gif"]
    write_picture(displacement_picture(fitting.mesh, fitting.neutral, offset), files[0])
    write_animation(turning_face(fitting.mesh, fitting.neutral, offset), files[1])
    return files


def _write_frames(fitting: FaceFitting, path: Path) -> None:
    fit, tracked = fitting.fit, fitting.landmarks
    header = ["frame", "t_us", "valid", "error_percent", "yaw_deg", *_names(fit.alpha)]
    measured = np.column_stack([fit.error_percent, fit.cameras.yaw_deg, fit.alpha])
    rows = (
        [frame, int(tracked.t_us[frame]), int(fit.valid[frame]), *_cells(measured[frame])] for frame in range(len(fit))
    )
    _write_csv(path, header, rows)


def _write_labels(labelled: EventFrameLabels, path: Path) -> None:
    steps, labels = labelled.steps, labelled.labels
    header = ["event_frame", "start_us", "end_us", "at_us", "num_events", "present", *_names(labels.values)]
    times = zip(steps.borders_us[:-1].tolist(), steps.borders_us[1:].tolist(), steps.mean_us.round(1), strict=True)
    counts = zip(steps.num_events.tolist(), labels.present.astype(int).tolist(), strict=True)
    alpha = np.where(labels.present[:, None], labels.values, np.nan)
    rows = (
        [k, *time, *count, *_cells(row)] for k, (time, count, row) in enumerate(zip(times, counts, alpha, strict=True))
    )
    _write_csv(path, header, rows)


def _names(alpha: np.ndarray) -> list[str]:
    return [f"alpha_{k}" for k in range(alpha.shape[1])]


def _cells(numbers: Iterable[float]) -> list[str]:
    """A missing number is an empty cell."""
    return ["" if np.isnan(number) else f"{number:.6g}" for number in numbers]


def _write_csv(path: Path, header: list[str], rows: Iterable[list[Any]]) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_text(path, text.getvalue())

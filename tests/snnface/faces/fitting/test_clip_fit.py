"""A fit survives its file; gaps are filled only when asked, and are told from what was measured."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fitted_faces import drawn_cameras, drawn_model, pictures_of

from snnface.arrays import read_arrays, write_arrays
from snnface.errors import ConfigError, DataError
from snnface.faces.fitting import ClipFit, fit_clip, interpolate_gaps, load_fit, save_fit, y_up


def fit_with_gaps(*missing: int, frames: int = 8) -> ClipFit:
    model = drawn_model(3)
    alpha = np.linspace(0, 1, frames)[:, None] * (1, -1, 0.5)
    landmarks = y_up(pictures_of(model, alpha, drawn_cameras(frames, degrees=5)))
    landmarks[list(missing)] = np.nan
    return fit_clip(landmarks, model)


def test_write_then_read_is_the_identity(tmp_path: Path) -> None:
    fit = fit_with_gaps(2)
    save_fit(fit, tmp_path / "fit.npz")
    again = load_fit(tmp_path / "fit.npz")
    for name in ("alpha", "valid", "identity", "error_percent"):
        np.testing.assert_array_equal(getattr(again, name), getattr(fit, name))
    np.testing.assert_array_equal(again.cameras.linear, fit.cameras.linear)
    np.testing.assert_array_equal(again.cameras.shift, fit.cameras.shift)


def test_arrays_are_read_only() -> None:
    with pytest.raises(ValueError, match="read-only"):
        fit_with_gaps().alpha[0] = 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alpha": np.zeros((8, 3, 1))}, "alpha should be float64 with 2 axes"),
        ({"alpha": np.zeros((8, 3), np.float32)}, "alpha should be float64 with 2 axes; it is float32"),
        ({"valid": np.zeros(8)}, "valid should be bool"),
        ({"alpha": np.zeros((7, 3))}, "as many coefficients, cameras and errors as frames"),
        ({"alpha": np.zeros((8, 3))}, "NaN elsewhere"),
        ({"identity": np.full(6, np.inf)}, "coefficients must be finite"),
        ({"camera_linear": np.zeros((8, 2, 4))}, "cameras should be"),
        ({"camera_shift": np.zeros((8, 5))}, "cameras should be"),
    ],
)
def test_a_file_that_does_not_fit_together_is_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = tmp_path / "fit.npz"
    save_fit(fit_with_gaps(2), path)
    write_arrays(path, read_arrays(path) | change)
    with pytest.raises(DataError, match=message):
        load_fit(path)


def test_a_file_that_lacks_an_array_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "fit.npz"
    save_fit(fit_with_gaps(), path)
    arrays = read_arrays(path)
    write_arrays(path, {name: array for name, array in arrays.items() if name != "valid"})
    with pytest.raises(DataError, match="lacks valid"):
        load_fit(path)


def test_a_damaged_or_pickled_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "fit.npz"
    save_fit(fit_with_gaps(), path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match="cannot be read"):
        load_fit(path)
    np.savez(path, alpha=np.array([{"a": 1}], dtype=object))
    with pytest.raises(DataError, match="without Python objects"):
        load_fit(path)


def test_gaps_are_filled_on_straight_lines() -> None:
    fit = fit_with_gaps(3, 4)
    filled = interpolate_gaps(fit, longest=2)
    assert filled.valid.all()
    np.testing.assert_allclose(filled.alpha[3], fit.alpha[2] + (fit.alpha[5] - fit.alpha[2]) / 3)
    np.testing.assert_allclose(filled.alpha[4], fit.alpha[2] + (fit.alpha[5] - fit.alpha[2]) * 2 / 3)
    assert filled.measured.tolist() == fit.valid.tolist()
    # The given fit stays as it is.
    assert np.isnan(fit.alpha[3]).all()


def test_gaps_are_filled_by_the_times_of_the_frames() -> None:
    fit = fit_with_gaps(1, frames=3)
    filled = interpolate_gaps(fit, longest=1, t_us=np.array([0, 10, 100]))
    np.testing.assert_allclose(filled.alpha[1], 0.9 * fit.alpha[0] + 0.1 * fit.alpha[2])


def test_long_gaps_and_the_ends_of_a_clip_stay() -> None:
    filled = interpolate_gaps(fit_with_gaps(0, 2, 3, 5, 7), longest=1)
    assert filled.valid.tolist() == [False, True, False, False, True, True, True, False]


def test_filled_gaps_survive_their_file(tmp_path: Path) -> None:
    filled = interpolate_gaps(fit_with_gaps(3), longest=1)
    save_fit(filled, tmp_path / "fit.npz")
    assert load_fit(tmp_path / "fit.npz").measured.tolist() == [True] * 3 + [False] + [True] * 4


def test_a_gap_of_no_length_and_times_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ConfigError, match="at least 1 frame; got 0"):
        interpolate_gaps(fit_with_gaps(3), longest=0)
    with pytest.raises(DataError, match="8 frames need as many rising times; got 3"):
        interpolate_gaps(fit_with_gaps(3), longest=1, t_us=np.arange(3))
    with pytest.raises(DataError, match="rising times"):
        interpolate_gaps(fit_with_gaps(3), longest=1, t_us=np.zeros(8, np.int64))

"""Who it is and what the face does come apart; poses, places and sizes do not matter; missing faces are masked."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fitted_faces import drawn_cameras, drawn_model, pictures_of
from scipy.spatial.transform import Rotation

from snnface.errors import ConfigError, DataError, ShapeError
from snnface.faces.components import Components
from snnface.faces.fitting import Cameras, FittingConfig, LandmarkModel, fit_clip, y_up
from snnface.faces.landmarks import mean_landmarks
from snnface.faces.model import FaceMesh

MODEL = drawn_model()
IDENTITY = np.array([0.5, -0.4, 0.3, 0.2, -0.1, 0.6])
CONFIGS = [
    FittingConfig(camera=camera, rounds=rounds, camera_landmarks=landmarks)
    for camera in ("sop", "affine")
    for rounds in (0, 2)
    for landmarks in ("all", "rigid")
]


def clip(frames: int = 6, *, size: int = 2, noise: float = 1.0, degrees: float = 14) -> np.ndarray:
    """Landmarks (rows down) of a person whose face is neutral in frame 0, then moves."""
    alpha = np.random.default_rng(5).normal(0, 0.4, (frames, 20))
    alpha[0] = 0
    cameras = drawn_cameras(frames, size=size, degrees=degrees)
    return y_up(pictures_of(MODEL, alpha, cameras, identity=IDENTITY, noise=noise))


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("size", [2, 3])
def test_the_template_has_coefficients_of_zero(config: FittingConfig, size: int) -> None:
    points = pictures_of(MODEL, np.zeros((4, 20)), drawn_cameras(4, size=size, degrees=40))
    fit = fit_clip(y_up(points), MODEL, config)
    assert np.abs(fit.alpha).max() < 1e-10
    assert np.abs(fit.identity).max() < 1e-10
    assert fit.error_percent.max() < 1e-8


def test_identity_and_expression_come_back_without_noise() -> None:
    alpha = np.random.default_rng(5).normal(0, 0.3, (6, 20))
    alpha[0] = 0
    landmarks = y_up(pictures_of(MODEL, alpha, drawn_cameras(6), identity=IDENTITY))
    fit = fit_clip(landmarks, MODEL, FittingConfig(rounds=60, lambda_rel=1e-8))
    np.testing.assert_allclose(fit.identity, IDENTITY, atol=0.01)
    np.testing.assert_allclose(fit.alpha[0], 0, atol=0.01)
    # The camera and 20 components are found together: most of the motion, not all of it.
    assert np.corrcoef(fit.alpha.ravel(), alpha.ravel())[0, 1] > 0.99


def test_rounds_bring_the_camera_and_the_error_nearer() -> None:
    landmarks = clip(noise=0)
    errors = [fit_clip(landmarks, MODEL, FittingConfig(rounds=rounds)).error_percent[1:].mean() for rounds in (0, 2, 8)]
    assert errors[0] > errors[1] > errors[2]


@pytest.mark.parametrize("config", CONFIGS)
def test_the_place_of_the_face_changes_nothing(config: FittingConfig) -> None:
    landmarks = clip()
    moved = fit_clip(landmarks + np.array([150, -80]), MODEL, config)
    np.testing.assert_allclose(moved.alpha, fit_clip(landmarks, MODEL, config).alpha, atol=1e-9)


@pytest.mark.parametrize("config", CONFIGS)
def test_the_size_of_the_picture_changes_nothing(config: FittingConfig) -> None:
    landmarks = clip()
    larger = fit_clip(landmarks * 3.7, MODEL, config)
    np.testing.assert_allclose(larger.alpha, fit_clip(landmarks, MODEL, config).alpha, atol=1e-9)
    np.testing.assert_allclose(larger.error_percent, fit_clip(landmarks, MODEL, config).error_percent)


@pytest.mark.parametrize("degrees", [5, -60, 170])
@pytest.mark.parametrize("config", [config for config in CONFIGS if config.camera == "sop"])
def test_a_turn_of_the_picture_changes_nothing(config: FittingConfig, degrees: float) -> None:
    turn = Rotation.from_euler("z", degrees, degrees=True).as_matrix()[:2, :2]
    landmarks = clip()
    turned = fit_clip(landmarks @ turn.T, MODEL, config)
    np.testing.assert_allclose(turned.alpha, fit_clip(landmarks, MODEL, config).alpha, atol=1e-6)


def test_single_precision_in_gives_double_precision_out() -> None:
    landmarks = clip().astype(np.float32)
    fit = fit_clip(landmarks, MODEL)
    assert fit.alpha.dtype == fit.error_percent.dtype == np.float64
    # Exactly what the same numbers in double precision give: nothing is solved in single precision.
    np.testing.assert_array_equal(fit.alpha, fit_clip(landmarks.astype(np.float64), MODEL).alpha)


def test_a_clip_is_its_frames_one_by_one() -> None:
    landmarks = clip()
    together = fit_clip(landmarks, MODEL)
    for frame in range(6):
        alone = fit_clip(landmarks[frame : frame + 1], MODEL, reference=landmarks[0])
        np.testing.assert_allclose(alone.alpha[0], together.alpha[frame], atol=1e-12)


def test_the_reported_camera_and_error_belong_to_the_reported_coefficients() -> None:
    landmarks = clip(noise=2)
    fit = fit_clip(landmarks, MODEL)
    base = MODEL.template + np.tensordot(fit.identity, MODEL.identity, 1)
    shapes = base + np.tensordot(fit.alpha, MODEL.expression, 1)
    distance = np.linalg.norm(fit.cameras.project(shapes) - y_up(landmarks), axis=2).mean(1)
    eye_distance = fit.cameras.scale * np.linalg.norm(base[45] - base[36])
    np.testing.assert_allclose(fit.error_percent, 100 * distance / eye_distance)
    assert 0.5 < fit.error_percent.mean() < 3


def test_a_missing_face_is_masked_and_changes_no_other_frame() -> None:
    landmarks = clip()
    wanted = fit_clip(landmarks, MODEL)
    landmarks[2] = np.nan
    fit = fit_clip(landmarks, MODEL)
    assert fit.valid.tolist() == [True, True, False, True, True, True]
    assert np.isnan(fit.alpha[2]).all()
    assert np.isnan(fit.error_percent[2])
    assert np.isnan(fit.cameras.linear[2]).all()
    # Which frames a BLAS takes together decides the last bit.
    np.testing.assert_allclose(fit.alpha[[0, 1, 3, 4, 5]], wanted.alpha[[0, 1, 3, 4, 5]], rtol=1e-11)


def test_a_mask_says_more_than_the_numbers() -> None:
    # A detector may leave zeros where it found nothing.
    landmarks = clip()
    landmarks[0] = 0
    fit = fit_clip(landmarks, MODEL, valid=np.arange(6) > 0)
    assert fit.valid.tolist() == [False, True, True, True, True, True]


def test_the_first_reference_is_the_first_frame_with_a_face() -> None:
    landmarks = clip()
    landmarks[0] = np.nan
    np.testing.assert_array_equal(
        fit_clip(landmarks, MODEL).identity, fit_clip(landmarks, MODEL, FittingConfig(reference=1)).identity
    )


def test_a_given_reference_takes_the_place_of_a_frame() -> None:
    landmarks = clip()
    given = fit_clip(landmarks[3:], MODEL, reference=landmarks[0])
    np.testing.assert_array_equal(given.identity, fit_clip(landmarks, MODEL).identity)


@pytest.mark.parametrize("size", [2, 3])
def test_the_median_reference_passes_over_frames_that_move(size: int) -> None:
    alpha = np.zeros((12, 20))
    # The first frames and a noisy one are not neutral; most are.
    alpha[:4] = np.random.default_rng(3).normal(0, 0.5, (4, 20))
    cameras = drawn_cameras(12, size=size, degrees=10)
    landmarks = y_up(pictures_of(MODEL, alpha, cameras, identity=IDENTITY, noise=0.3))
    neutral = y_up(pictures_of(MODEL, np.zeros((1, 20)), drawn_cameras(1, size=size, seed=9), identity=IDENTITY))[0]
    wanted = fit_clip(landmarks, MODEL, reference=neutral).identity
    median = fit_clip(landmarks, MODEL, FittingConfig(reference="median", num_neutral=6)).identity
    first = fit_clip(landmarks, MODEL).identity
    assert np.linalg.norm(median - wanted) < 0.3 * np.linalg.norm(first - wanted)


def test_the_median_of_one_neutral_frame_is_that_frame() -> None:
    landmarks = clip(noise=0.5)
    config = FittingConfig(reference="median", num_neutral=1)
    identities = [fit_clip(landmarks, MODEL, FittingConfig(reference=frame)).identity for frame in range(6)]
    median = fit_clip(landmarks, MODEL, config).identity
    assert min(np.abs(median - identity).max() for identity in identities) < 1e-9


def test_the_median_reference_does_not_depend_on_the_tilt_of_the_head() -> None:
    turn = Rotation.from_euler("z", 40, degrees=True).as_matrix()[:2, :2]
    landmarks = clip(noise=0.5)
    config = FittingConfig(reference="median", num_neutral=3)
    np.testing.assert_allclose(
        fit_clip(landmarks @ turn.T, MODEL, config).identity, fit_clip(landmarks, MODEL, config).identity, atol=1e-6
    )


def test_the_jaw_counts_less_and_not_at_all_in_a_turned_head() -> None:
    straight, turned = clip(2, degrees=0), drawn_cameras(2, degrees=0)
    far = Rotation.from_euler("yxz", [40, 0, 0], degrees=True).as_matrix()
    turned = Cameras(linear=turned.linear @ far, shift=turned.shift)
    away = y_up(pictures_of(MODEL, np.zeros((2, 20)), turned, identity=IDENTITY))
    for landmarks, is_free in ((straight, False), (away, True)):
        moved = landmarks.copy()
        moved[1, :17] += np.random.default_rng(4).normal(0, 2, (17, 2))
        # The jaw is still used by the first camera, from which the turn is told; it decides no coefficient.
        config = FittingConfig(camera_landmarks="rigid")
        change = np.abs(fit_clip(moved, MODEL, config).alpha[1] - fit_clip(landmarks, MODEL, config).alpha[1]).max()
        assert (change < 1e-12) == is_free


def test_rigid_landmarks_are_the_nose_and_the_corners_of_the_eyes() -> None:
    straight = clip(1)[0]
    # In frame k landmark k is out of its place; in the last frame none is.
    landmarks = np.repeat(straight[None], 69, 0)
    landmarks[np.arange(68), np.arange(68)] += (3.0, 1.0)
    config = FittingConfig(camera_landmarks="rigid", rounds=0)
    linear = fit_clip(landmarks, MODEL, config, reference=straight).cameras.linear
    turned = np.flatnonzero((linear != linear[-1]).any((1, 2)))
    assert turned.tolist() == [27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 39, 42, 45]


def test_a_jaw_without_weight_may_be_missing() -> None:
    landmarks = clip()
    config = FittingConfig(jaw_weight=0)
    wanted = fit_clip(landmarks, MODEL, config)
    landmarks[:, :17] = np.nan
    fit = fit_clip(landmarks, MODEL, config)
    np.testing.assert_array_equal(fit.alpha, wanted.alpha)
    np.testing.assert_array_equal(fit.error_percent, wanted.error_percent)
    median = fit_clip(landmarks, MODEL, replace(config, reference="median"))
    assert np.isfinite(median.alpha).all()


def test_models_in_other_units_need_no_other_lambda() -> None:
    centimetres = LandmarkModel(
        template=8.8 * MODEL.template,
        identity=8.8 * MODEL.identity,
        identity_weights=MODEL.identity_weights,
        expression=8.8 * MODEL.expression,
        expression_weights=MODEL.expression_weights,
    )
    landmarks = clip()
    np.testing.assert_allclose(fit_clip(landmarks, centimetres).alpha, fit_clip(landmarks, MODEL).alpha, atol=1e-9)


def test_no_face_at_all_is_refused() -> None:
    with pytest.raises(DataError, match="none of 3 frames has one"):
        fit_clip(np.full((3, 68, 2), np.nan), MODEL)


def test_a_face_with_a_hole_is_refused_with_its_frame_and_landmark() -> None:
    landmarks = clip()
    landmarks[0] = np.nan
    landmarks[3, 30, 1] = np.nan
    with pytest.raises(DataError, match="frame 3 should have 68 finite landmarks; landmark 30 is not"):
        fit_clip(landmarks, MODEL)


def test_a_face_in_one_point_is_refused_with_its_frame() -> None:
    landmarks = clip()
    landmarks[0], landmarks[4] = np.nan, 5.0
    with pytest.raises(DataError, match="frame 4 should show a face; its landmarks lie in one point"):
        fit_clip(landmarks, MODEL)


def test_a_reference_without_a_face_is_refused() -> None:
    landmarks = clip()
    landmarks[2] = np.nan
    with pytest.raises(DataError, match="frame 2 is to be the neutral reference, but no face"):
        fit_clip(landmarks, MODEL, FittingConfig(reference=2))
    with pytest.raises(DataError, match="the reference should have 68 finite landmarks"):
        fit_clip(landmarks, MODEL, reference=landmarks[2])


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ShapeError, match="got 4 numbers a point"):
        fit_clip(np.zeros((2, 68, 4)), MODEL)
    with pytest.raises(ShapeError, match=r"landmarks must have the axes \[F, 68, D\]; its shape is \[2, 51, 2\]"):
        fit_clip(np.zeros((2, 51, 2)), MODEL)
    with pytest.raises(ShapeError, match="the landmarks of the reference must have the axes"):
        fit_clip(clip(), MODEL, reference=np.zeros((68, 3)))
    with pytest.raises(ShapeError, match="6 frames need a mask of as many; got 2"):
        fit_clip(clip(), MODEL, valid=np.ones(2, np.bool_))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lambda_rel": 0.0}, "lambda_rel must be positive"),
        ({"lambda_rel": float("nan")}, "lambda_rel must be positive"),
        ({"rounds": -1}, "rounds are 0 to 100"),
        ({"jaw_weight": -1.0}, "jaw_weight must be at least 0"),
        ({"jaw_max_yaw_deg": 200.0}, "jaw_max_yaw_deg is 0 to 180"),
        ({"depth_weight": 1.5}, "depth_weight is 0 to 1"),
        ({"reference": -1}, "index of the reference frame is 0 or more"),
        ({"num_neutral": 0}, "num_neutral must be at least 1"),
    ],
)
def test_settings_outside_their_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        FittingConfig(**settings)


def mesh_of_landmarks() -> FaceMesh:
    """68 vertices, each of them a landmark."""
    vertices = mean_landmarks().astype(np.float32)
    return FaceMesh(
        mean=vertices,
        triangles=np.array([[0, 1, 2]], np.int32),
        identity=np.zeros((1, 68, 3), np.float32),
        identity_std=np.ones(1, np.float32),
        expression=np.zeros((1, 68, 3), np.float32),
        expression_names=("none",),
        landmark_vertices=np.repeat(np.arange(68, dtype=np.int32)[:, None], 3, 1),
        landmark_weights=np.repeat(np.array([[1, 0, 0]], np.float32), 68, 0),
        part=np.zeros(68, np.int8),
        albedo=np.zeros((68, 3), np.float32),
        action_units={},
    )


def components(kind: Any, *, template: np.ndarray | None = None) -> Components:
    return Components(
        basis=np.arange(2 * 68 * 3, dtype=np.float32).reshape(2, 68, 3),
        weights=np.ones(2),
        kind=kind,
        template=template,
    )


def test_a_model_takes_the_template_of_its_identity_components() -> None:
    mesh = mesh_of_landmarks()
    own = LandmarkModel.of(mesh, components("identity"), components("expression"))
    np.testing.assert_array_equal(own.template, mesh.mean)
    np.testing.assert_array_equal(own.expression[1], np.arange(204, 408).reshape(68, 3))
    assert own.eye_distance == pytest.approx(1)
    learned = LandmarkModel.of(mesh, components("identity", template=2 * mesh.mean), components("expression"))
    assert learned.eye_distance == pytest.approx(2)


def test_components_in_the_wrong_place_are_refused() -> None:
    with pytest.raises(DataError, match="kind 'identity' are needed here; got 'expression'"):
        LandmarkModel.of(mesh_of_landmarks(), components("expression"), components("expression"))

"""From a trajectory to frames, events and landmarks."""

from dataclasses import replace

import numpy as np
import pytest

from snnface.errors import ConfigError
from snnface.events.emulator import EmulatorConfig
from snnface.events.window import Resolution
from snnface.faces.motion.trajectories import Activation, Sway, Trajectory
from snnface.faces.procedural.face import ProceduralFace
from snnface.faces.rendering.renderer import FaceRenderer, Light
from snnface.faces.scene.scene import Person, Scene, SceneConfig

CLIP_US = 300_000
STILL = Trajectory(activations=())
IDEAL = EmulatorConfig(theta_on=0.1, theta_off=0.1)


def moving(code: int, intensity: float = 0.5) -> Trajectory:
    bump = Activation(
        code=code, onset_us=50_000, apex_us=120_000, fall_us=150_000, offset_us=230_000, intensity=intensity
    )
    return Trajectory(activations=(bump,))


def scene(seed: int = 0, **settings: object) -> Scene:
    generator = np.random.default_rng(seed)
    config = replace(SceneConfig(), **settings)  # type: ignore[arg-type]
    return Scene.drawn(config, Person.drawn(generator), generator)


def test_a_face_at_rest_gives_no_events() -> None:
    assert len(scene(background="textured").events(STILL, CLIP_US, IDEAL)) == 0


def test_events_lie_within_the_contraction() -> None:
    events = scene().events(moving(26), CLIP_US, IDEAL)
    assert len(events) > 100
    assert events.t_us.min() >= 50_000
    assert events.t_us.max() <= 230_000


@pytest.mark.parametrize(("code", "rows"), [(1, (10, 32)), (26, (38, 64)), (45, (20, 34))])
def test_events_lie_where_the_unit_moves(code: int, rows: tuple[int, int]) -> None:
    events = scene(4).events(moving(code), CLIP_US, IDEAL)
    inside = (events.y >= rows[0]) & (events.y < rows[1])
    assert inside.mean() > 0.9


@pytest.mark.parametrize("code", [1, 12, 26, 45])
def test_doubling_the_threshold_never_adds_events_at_any_pixel(code: int) -> None:
    counts = []
    for theta in (0.1, 0.2):
        events = scene(1).events(moving(code, 1.0), CLIP_US, EmulatorConfig(theta_on=theta, theta_off=theta))
        counts.append(np.bincount(events.y.astype(int) * 64 + events.x, minlength=64 * 64))
    assert (counts[1] <= counts[0]).all()
    assert counts[1].sum() < counts[0].sum()


def test_head_sway_moves_the_whole_face() -> None:
    sway = Sway.drawn(1.0, np.random.default_rng(0))
    events = scene().events(Trajectory(activations=(), sway=sway), CLIP_US, IDEAL)
    assert events.y.min() < 20 < 50 < events.y.max()


def test_frames_that_equal_both_neighbours_are_left_out() -> None:
    times = scene().frame_times(moving(1), CLIP_US)
    assert times[0] == 0
    assert times[-1] == CLIP_US
    # The last still frame before the onset is kept: the change is not spread over the margin.
    assert times[1] == 50_000
    assert np.diff(times[(times >= 50_000) & (times <= 120_000)]).max() <= 2000
    np.testing.assert_array_equal(scene().frame_times(STILL, CLIP_US), [0, CLIP_US])


def test_no_landmark_moves_more_than_half_a_pixel_between_frames() -> None:
    big = scene(resolution=Resolution(height=256, width=256))
    trajectory = moving(26, 1.0)
    times = big.frame_times(trajectory, CLIP_US)
    steps = np.abs(np.diff(big.landmarks(trajectory, times), axis=0)).max()
    assert steps < 0.7
    assert len(times) > len(scene().frame_times(trajectory, CLIP_US))


def test_leaving_frames_out_and_cutting_into_blocks_changes_no_event(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = scene().events(moving(12), CLIP_US, IDEAL)
    monkeypatch.setattr("snnface.faces.scene.scene._BLOCK_BYTES", 4 * 64 * 64 * 7)
    monkeypatch.setattr("snnface.faces.scene.scene._worth_showing", lambda state: np.ones(len(state), dtype=bool))
    pieces = scene().events(moving(12), CLIP_US, IDEAL)
    for column in ("x", "y", "t_us", "polarity"):
        np.testing.assert_array_equal(getattr(whole, column), getattr(pieces, column))


@pytest.mark.parametrize("index", [17, 19, 21, 26, 27, 30, 31, 35, 48, 51, 54, 57])
def test_landmarks_lie_under_a_dot_painted_on_the_face(index: int) -> None:
    config = SceneConfig(resolution=Resolution(height=128, width=128))
    generator = np.random.default_rng(index)
    shot = Scene.drawn(config, Person.drawn(generator), generator)
    trajectory = Trajectory(
        activations=(*moving(12, 1.0).activations, *moving(1, 1.0).activations), sway=Sway.drawn(3.0, generator)
    )
    t_us = np.array([0, 135_000])
    painted = shot.renderer()
    face = ProceduralFace.build(config.face_cell)
    albedo = np.zeros(len(face.mesh.albedo), np.float32)
    albedo[face.mesh.landmark_vertices[index, 0]] = 1.0
    dots = FaceRenderer(
        vertices=painted.vertices,
        expression=painted.expression,
        triangles=painted.triangles,
        albedo=albedo,
        background=np.zeros_like(painted.background),
        light=Light(key=0.0, ambient=1.0),
    ).render(shot.weights(trajectory, t_us), shot.camera.matrices(trajectory.poses(t_us)))
    for dot, mark in zip(dots, shot.landmarks(trajectory, t_us)[:, index], strict=True):
        # The dot fades into the cells around it, which differ in size: what is bright counts.
        bright = np.where(dot > 0.5 * dot.max(), dot, 0)
        rows, columns = np.indices(dot.shape)
        centre = [(columns * bright).sum() / bright.sum(), (rows * bright).sum() / bright.sum()]
        np.testing.assert_allclose(centre, mark, atol=0.5)


def test_fine_pictures_get_a_fine_face() -> None:
    assert SceneConfig().face_cell == 0.055
    assert SceneConfig(resolution=Resolution(height=720, width=1280)).face_cell == 0.025
    assert SceneConfig(cell=0.04).face_cell == 0.04


def test_the_same_generator_draws_the_same_scene_and_another_one_another() -> None:
    one, again, other = scene(5), scene(5), scene(6)
    np.testing.assert_array_equal(one.person.shape, again.person.shape)
    assert one.light == again.light != other.light
    assert one.camera == again.camera != other.camera


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"render_hz": 5}, r"render_hz must be 50..10000; got 5"),
        ({"supersampling": 9}, r"supersampling must be 1..8 samples a pixel side; got 9"),
        ({"eye_distance": 0.0}, r"eye_distance is a share of the picture, 0.05..1; got 0"),
    ],
)
def test_settings_out_of_range_are_refused(setting: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SceneConfig(**setting)

"""From a trajectory to events, frames and labels."""

from dataclasses import replace

import numpy as np
import pytest

from snnface.errors import ConfigError
from snnface.events.emulator import EmulatorConfig
from snnface.events.stream import EventStream
from snnface.events.window import Resolution
from snnface.faces.complexion import Complexion
from snnface.faces.motion import Activation, Gaze, Sway, Trajectory
from snnface.faces.motion.sway import SWAY_HZ
from snnface.faces.procedural.face import ProceduralFace
from snnface.faces.rendering.renderer import FaceRenderer, Light
from snnface.faces.scene import (
    DAVIS346,
    EVK4,
    Background,
    Clock,
    EventCamera,
    Lighting,
    Person,
    RgbCamera,
    Scene,
    SceneConfig,
    View,
    face_cell,
)

CLIP_US = 300_000
STILL = Trajectory(activations=())
SMALL = Resolution(height=64, width=64)
IDEAL = EmulatorConfig(theta_on=0.1, theta_off=0.1)
CAMERA = EventCamera(resolution=SMALL, emulator=IDEAL)


def moving(code: int, intensity: float = 0.5) -> Trajectory:
    bump = Activation(
        code=code, onset_us=50_000, apex_us=120_000, fall_us=150_000, offset_us=230_000, intensity=intensity
    )
    return Trajectory(activations=(bump,))


def scene(seed: int = 0, **settings: object) -> Scene:
    generator = np.random.default_rng(seed)
    config = replace(SceneConfig(cell=0.055, supersampling=3), **settings)  # type: ignore[arg-type]
    return Scene.drawn(config, Person.drawn(generator), generator)


def assert_same(one: EventStream, other: EventStream) -> None:
    for column in ("x", "y", "t_us", "polarity"):
        np.testing.assert_array_equal(getattr(one, column), getattr(other, column))


@pytest.mark.parametrize("resolution", [SMALL, DAVIS346, EVK4])
def test_a_face_at_rest_gives_no_events_in_any_camera(resolution: Resolution) -> None:
    camera = replace(CAMERA, resolution=resolution, view=VIEWS[1], clock=Clock(offset_us=50, drift_ppm=-900.0))
    aside = Gaze(start_us=np.zeros(0, np.int64), length_us=np.zeros(0, np.int64), degrees=np.array([[9.0, -4.0]]))
    held = replace(STILL, gaze=aside)
    assert len(scene(background="textured").events(held, CLIP_US, camera)) == 0


def test_events_lie_within_the_contraction() -> None:
    events = scene().events(moving(26), CLIP_US, CAMERA)
    assert len(events) > 100
    assert events.t_us.min() >= 50_000
    assert events.t_us.max() <= 230_000


@pytest.mark.parametrize(("code", "rows"), [(1, (10, 32)), (26, (38, 64)), (45, (20, 34))])
def test_events_lie_where_the_unit_moves(code: int, rows: tuple[int, int]) -> None:
    events = scene(4).events(moving(code), CLIP_US, CAMERA)
    inside = (events.y >= rows[0]) & (events.y < rows[1])
    assert inside.mean() > 0.9


@pytest.mark.parametrize("code", [1, 12, 26, 45])
def test_doubling_the_threshold_never_adds_events_at_any_pixel(code: int) -> None:
    counts = []
    for theta in (0.1, 0.2):
        camera = replace(CAMERA, emulator=EmulatorConfig(theta_on=theta, theta_off=theta))
        events = scene(1).events(moving(code, 1.0), CLIP_US, camera)
        counts.append(np.bincount(events.y.astype(int) * 64 + events.x, minlength=64 * 64))
    assert (counts[1] <= counts[0]).all()
    assert counts[1].sum() < counts[0].sum()


@pytest.mark.parametrize(
    ("trajectory", "expected"),
    [
        (1, 1.3e4),
        (12, 1.3e4),
        (26, 2.1e4),
        (45, 6e3),
        (7, 5e2),
        ("sway", 1.5e4),
    ],
)
def test_a_davis_sees_as_many_events_as_a_face_of_that_size_should_give(trajectory: int | str, expected: float) -> None:
    # A face 260 pixels high, contrast 0.2, no noise: a bump of 250 ms, or 0.3 s of 5 degrees of sway at 0.5 Hz.
    if isinstance(trajectory, int):
        bump = Activation(
            code=trajectory, onset_us=20_000, apex_us=145_000, fall_us=145_000, offset_us=270_000, intensity=1.0
        )
        take = Trajectory(activations=(bump,))
    else:
        amplitude = np.zeros((6, len(SWAY_HZ)))
        amplitude[0, SWAY_HZ.index(0.5)] = 5.0
        take = Trajectory(activations=(), sway=Sway(amplitude=amplitude, phase=np.zeros_like(amplitude)))
    mean = Scene(
        config=SceneConfig(),
        face=ProceduralFace.build(0.025),
        person=Person(shape=np.zeros(25), complexion=Complexion()),
        light=Light(),
        lighting=Lighting(),
        background=Background(colour=np.full(3, 60.0), waves=np.zeros((0, 3)), panels=np.zeros((0, 5))),
    )
    found = len(mean.events(take, 300_000, EventCamera(resolution=DAVIS346)))
    assert expected / 2 <= found <= expected * 2


def test_head_sway_moves_the_whole_face() -> None:
    sway = Sway.drawn(1.0, np.random.default_rng(0))
    events = scene().events(Trajectory(activations=(), sway=sway), CLIP_US, CAMERA)
    assert events.y.min() < 20 < 50 < events.y.max()


def test_shoulders_stay_where_they_are_when_the_head_tilts() -> None:
    camera = replace(CAMERA, view=View(eye_distance=0.25))
    events = scene().events(moving(55, 1.0), CLIP_US, camera)
    shoulders = 31.5 + 16 * (1.8 - 0.16)
    assert len(events) > 1000
    assert events.y.max() < shoulders + 2


def test_eyes_that_look_about_give_events_at_the_eyes_only() -> None:
    gaze = Gaze(start_us=np.array([100_000]), length_us=np.array([50_000]), degrees=np.array([[-15.0, 0], [15, 0]]))
    events = scene().events(Trajectory(activations=(), gaze=gaze), CLIP_US, CAMERA)
    assert len(events) > 5
    assert 20 < events.y.min() <= events.y.max() < 34
    assert 100_000 <= events.t_us.min() <= events.t_us.max() <= 150_000


def test_someone_who_passes_by_gives_events_beside_the_face_and_none_before_it() -> None:
    take = scene(3, distractor=True)
    assert take.distractor is not None
    across = replace(take, distractor=replace(take.distractor, x_at_0=-1.4, speed=3.0, half_width=0.4, y=0.0))
    events = across.events(STILL, CLIP_US, CAMERA)
    nose = (np.abs(events.x.astype(int) - 32) < 10) & (np.abs(events.y.astype(int) - 32) < 10)
    assert len(events) > 100
    assert not nose.any()


def test_flicker_is_synchronous_across_the_frame_and_has_its_frequency() -> None:
    lamp = Lighting(lux=500.0, flicker=0.2, flicker_hz=100.0)
    events = replace(scene(), lighting=lamp).events(STILL, CLIP_US, CAMERA)
    # ln(1.2 / 0.8) = 0.405 down gives four events, and leaves the memory at -0.4. From then on it goes
    # 0.4 less a rounding up, three, and 0.305 down, three, at every pixel whose light stays above the knee.
    per_pixel = np.bincount(events.y.astype(int) * 64 + events.x, minlength=64 * 64)
    assert (per_pixel == 4 + 59 * 3).mean() > 0.95
    phase = events.t_us % 10_000
    # From the maximum at 0 it gets darker until 5 ms, then brighter.
    assert (phase[~events.polarity] < 5_200).mean() > 0.97
    assert (phase[events.polarity] > 4_800).mean() > 0.97


def test_pieces_of_any_size_give_the_same_events(monkeypatch: pytest.MonkeyPatch) -> None:
    noisy = replace(CAMERA, emulator=replace(IDEAL, shot_noise_rate_hz=2.0, cutoff_hz=200.0))
    busy = scene(2, distractor=True, flicker=0.1, drift=0.1)
    trajectory = replace(moving(12), sway=Sway.drawn(1.0, np.random.default_rng(0)))
    whole = busy.events(trajectory, CLIP_US, noisy, seed=3)
    monkeypatch.setattr("snnface.faces.scene.scene._BLOCK_BYTES", 4 * 64 * 64 * 7)
    monkeypatch.setattr("snnface.faces.scene.timing._SPAN_STEPS", 11)
    assert_same(whole, busy.events(trajectory, CLIP_US, noisy, seed=3))
    pieces = list(busy.event_pieces(trajectory, CLIP_US, noisy, seed=3))
    assert len(pieces) > 10
    assert sum(map(len, pieces)) == len(whole)
    assert len(busy.events(trajectory, CLIP_US, noisy, seed=4)) != len(whole)


def test_no_landmark_moves_by_more_than_half_a_pixel_between_two_renderings() -> None:
    camera, jaw_drop = replace(CAMERA, resolution=EVK4), moving(27, 1.0)
    times = scene().frame_times(jaw_drop, CLIP_US, camera).all()
    moved = np.linalg.norm(np.diff(scene().landmarks(jaw_drop, times, camera), axis=0), axis=2)
    # Not for nothing: at 500 renderings a second it would be more.
    assert np.diff(times).min() < 1000
    assert moved.max() <= 0.5


def test_leaving_still_frames_out_changes_no_event(monkeypatch: pytest.MonkeyPatch) -> None:
    sparse = scene().events(moving(12), CLIP_US, CAMERA)
    monkeypatch.setattr(
        "snnface.faces.scene.timing.FrameTimes._moving", lambda self, t_us: np.ones(len(t_us), dtype=bool)
    )
    assert_same(sparse, scene().events(moving(12), CLIP_US, CAMERA))


def test_a_cameras_clock_shifts_and_stretches_its_times() -> None:
    plain = scene().events(moving(12), CLIP_US, CAMERA)
    late = scene().events(moving(12), CLIP_US, replace(CAMERA, clock=Clock(offset_us=7000, drift_ppm=100.0)))
    np.testing.assert_array_equal(late.t_us, plain.t_us + 7000 + plain.t_us // 10_000)
    np.testing.assert_array_equal(late.x, plain.x)


def test_dim_light_adds_noise() -> None:
    camera = replace(CAMERA, emulator=replace(IDEAL, shot_noise_rate_hz=1.0))
    dim, bright = (
        len(replace(scene(), lighting=Lighting(lux=lux)).events(STILL, CLIP_US, camera)) for lux in (150.0, 1400.0)
    )
    # 1 Hz at 1000 lux, so 0.71 and 6.7 Hz; pixels differ in luminance, but are the same in both.
    assert dim / bright == pytest.approx(1400 / 150, rel=0.1)


POSE = Sway.drawn(3.0, np.random.default_rng(8))
VIEWS = (View(), View(eye_distance=0.3, off_x=0.1, off_y=-0.08, roll_deg=20.0))


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("index", [17, 19, 26, 27, 30, 31, 35, 48, 51, 54, 57])
def test_landmarks_lie_under_a_dot_painted_on_the_face_in_each_camera(index: int, view: View) -> None:
    shot = scene(index, cell=0.025)
    forward = Activation(code=57, onset_us=50_000, apex_us=120_000, fall_us=150_000, offset_us=230_000, intensity=1.0)
    trajectory = Trajectory(activations=(*moving(12, 1.0).activations, *moving(1, 1.0).activations, forward), sway=POSE)
    t_us = np.array([0, 135_000])
    camera = RgbCamera(resolution=Resolution(height=384, width=384), channels=1, view=view)
    painted, mesh = shot.renderer(camera), shot.face.mesh
    albedo = np.zeros((len(mesh.albedo), 1), np.float32)
    albedo[mesh.landmark_vertices[index, 0]] = 1.0
    dots = FaceRenderer(
        vertices=painted.vertices,
        expression=painted.expression,
        triangles=painted.triangles,
        albedo=albedo,
        background=np.zeros_like(painted.background),
        light=Light(key=0.0, ambient=1.0),
        supersampling=4,
    ).render(shot.weights(trajectory, t_us), view.camera(camera.resolution).matrices(trajectory.poses(t_us)))
    for dot, mark in zip(dots[..., 0], shot.landmarks(trajectory, t_us, camera)[:, index], strict=True):
        # The dot fades into the cells around it, which differ in size: what is brightest counts.
        bright = np.clip(dot - 0.8 * dot.max(), 0, None)
        rows, columns = np.indices(dot.shape)
        centre = [(columns * bright).sum() / bright.sum(), (rows * bright).sum() / bright.sum()]
        np.testing.assert_allclose(centre, mark, atol=0.5)


def test_landmarks_in_space_project_onto_those_in_the_picture() -> None:
    trajectory = replace(moving(12, 1.0), sway=POSE)
    t_us = np.array([0, 140_000])
    shot, camera = scene(), replace(CAMERA, view=View(eye_distance=0.3, off_x=0.1))
    space, picture = shot.landmarks3d(trajectory, t_us), shot.landmarks(trajectory, t_us, camera)
    scale = 0.3 * 64 / (1 - trajectory.poses(t_us)[:, 5] / (80 / 8.8))
    middle = view_middle(camera)
    np.testing.assert_allclose(picture[..., 0], middle[0] + scale[:, None] * space[..., 0], atol=1e-4)
    np.testing.assert_allclose(picture[..., 1], middle[1] - scale[:, None] * space[..., 1], atol=1e-4)


def view_middle(camera: EventCamera) -> tuple[float, float]:
    projection = camera.view.camera(camera.resolution)
    return projection.column_px, projection.row_px


def test_a_rolled_camera_sees_the_light_from_the_same_side_of_the_face() -> None:
    lit = replace(scene(), light=Light(direction=(1.0, 0.0, 0.3)))
    for roll_deg in (0.0, 90.0):
        camera = RgbCamera(resolution=SMALL, channels=1, view=View(roll_deg=roll_deg))
        picture = lit.frames(STILL, 40_000, camera).pixels[0, :, :, 0].astype(float)
        right, left = lit.landmarks(STILL, np.array([0]), camera)[0][[3, 13]].round().astype(int)
        cheeks = [picture[32 + (row - 32) // 2, 32 + (column - 32) // 2] for column, row in (right, left)]
        assert cheeks[1] > cheeks[0] + 10


def test_fine_pictures_get_a_fine_face() -> None:
    assert face_cell(SMALL) == 0.055
    assert face_cell(Resolution(height=720, width=1280)) == 0.025


def test_the_same_generator_draws_the_same_scene_and_another_one_another() -> None:
    one, again, other = scene(5), scene(5), scene(6)
    np.testing.assert_array_equal(one.person.shape, again.person.shape)
    assert one.light == again.light != other.light
    assert one.lighting == again.lighting != other.lighting
    assert 150 <= one.lux <= 1400


def test_a_person_drawn_for_another_face_is_refused() -> None:
    generator = np.random.default_rng(0)
    with pytest.raises(ConfigError, match=r"this face has 25 shapes; the person has 7. Draw the person for this face"):
        Scene.drawn(SceneConfig(cell=0.055), Person.drawn(generator, 7), generator)


def test_a_take_of_no_duration_is_refused() -> None:
    with pytest.raises(ConfigError, match="duration above 0; got 0"):
        scene().events(STILL, 0, CAMERA)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"render_hz": 5}, r"render_hz must be 50..10000; got 5"),
        ({"supersampling": 9}, r"supersampling must be 1..8 samples a pixel side; got 9"),
        ({"lux": (900.0, 100.0)}, r"darkest and a brightest light above 0; got \(900"),
        ({"flicker": 0.5}, r"flicker is a share of the light, 0..0.2; got 0.5"),
    ],
)
def test_settings_out_of_range_are_refused(setting: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        SceneConfig(**setting)

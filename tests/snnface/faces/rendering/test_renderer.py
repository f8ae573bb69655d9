"""Camera and renderer, against values worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnface.errors import ConfigError, ShapeError
from snnface.events.window import Resolution
from snnface.faces.procedural.face import ProceduralFace
from snnface.faces.rendering.camera import DISTANCE, OrthographicCamera
from snnface.faces.rendering.colour import luminance
from snnface.faces.rendering.renderer import FaceRenderer, Light

REST = np.zeros((1, 6))
CAMERA = OrthographicCamera(scale_px=10, column_px=5, row_px=7)
AMBIENT = Light(key=0.0, ambient=1.0)


def projected(point: tuple[float, float, float], pose: np.ndarray) -> np.ndarray:
    return CAMERA.matrices(pose)[0] @ np.array([*point, 1.0])


def sheet(edge: float, *, factor: int, size: int = 8, depth: float = 0.0) -> FaceRenderer:
    """A white sheet that covers every row of the picture above `edge` (in pixels from the top edge)."""
    vertices = np.array([(-99, -0.5, depth), (99, -0.5, depth), (-99, edge - 0.5, depth), (99, edge - 0.5, depth)])
    return FaceRenderer(
        vertices=vertices.astype(np.float32),
        expression=np.zeros((1, 4, 3), np.float32),
        # Rows go down, so what is counter-clockwise for the face is clockwise here.
        triangles=np.array([(0, 2, 1), (2, 3, 1)], dtype=np.int32),
        albedo=np.ones((4, 1), np.float32),
        background=np.zeros((size, size, 1), np.float32),
        light=AMBIENT,
        supersampling=factor,
    )


def picture(renderer: FaceRenderer) -> np.ndarray:
    identity = np.eye(3, 4)[None]
    return renderer.render(np.zeros((1, len(renderer.expression)), np.float32), identity)[0, :, :, 0]


def face_renderer(size: int = 32) -> tuple[ProceduralFace, FaceRenderer]:
    face = ProceduralFace.build(0.055)
    return face, FaceRenderer(
        vertices=face.mesh.mean,
        expression=face.mesh.expression,
        triangles=face.mesh.triangles,
        albedo=luminance(face.mesh.albedo)[:, None],
        background=np.full((size, size, 1), 40, np.float32),
    )


def test_a_resting_camera_scales_and_turns_rows_down() -> None:
    np.testing.assert_allclose(projected((0, 0, 0), REST), [5, 7, 0], atol=1e-12)
    np.testing.assert_allclose(projected((1, 2, 3), REST), [15, -13, 30], atol=1e-12)


@pytest.mark.parametrize(
    ("pose", "moved"),
    [
        ((90, 0, 0, 0, 0, 0), (15, 17, 0)),
        ((0, 90, 0, 0, 0, 0), (5, 7, 0)),
        ((0, 0, 0, 0.5, 0.25, 0), (10, 14.5, 10)),
    ],
)
def test_poses_turn_the_face_to_its_left_and_up_about_the_neck(
    pose: tuple[float, ...], moved: tuple[float, ...]
) -> None:
    # A point one eye distance before the neck at (0, -1, -0.7); its depth at rest is 0.3 * 10.
    row = projected((0, -1, 0.3), np.array([pose], dtype=np.float64))
    neck_depth = -7.0
    np.testing.assert_allclose(row - [0, 0, neck_depth], moved, atol=1e-9)


def test_roll_tilts_the_head_to_the_subjects_right() -> None:
    top = projected((0, 0, -0.7), np.array([[0, 0, 90.0, 0, 0, 0]]))
    np.testing.assert_allclose(top[:2], [5 - 10, 7 + 10], atol=1e-9)


@pytest.mark.parametrize(("forward", "scale"), [(DISTANCE / 5, 1.25), (-DISTANCE / 4, 0.8)])
def test_a_head_that_comes_nearer_grows_about_the_middle_between_the_eyes(forward: float, scale: float) -> None:
    near = np.array([[0, 0, 0, 0, 0, forward]])
    np.testing.assert_allclose(projected((0, 0, 0), near)[:2], [5, 7], atol=1e-12)
    np.testing.assert_allclose(projected((1, 2, 3), near)[:2], [5 + 10 * scale, 7 - 20 * scale], atol=1e-12)


def test_a_head_cannot_come_through_the_camera() -> None:
    with pytest.raises(ConfigError, match=r"at most 4.55 eye distances forward; got 5.00"):
        projected((0, 0, 0), np.array([[0, 0, 0, 0, 0, 5.0]]))


def test_a_rolled_camera_turns_its_picture_counter_clockwise_about_the_face() -> None:
    rolled = replace(CAMERA, roll_deg=90.0)
    row = rolled.matrices(REST)[0]
    # What lies to the subject's left, at high columns, comes to lie at the top; what is above, at low columns.
    np.testing.assert_allclose(row @ [1, 0, 0, 1], [5, -3, 0], atol=1e-9)
    np.testing.assert_allclose(row @ [0, 1, 0, 1], [-5, 7, 0], atol=1e-9)
    np.testing.assert_allclose(rolled.in_picture((1.0, 0.0, 0.5)), (0, 1, 0.5), atol=1e-12)


def test_a_camera_without_scale_is_refused() -> None:
    with pytest.raises(ConfigError, match="scale must be positive; got 0"):
        OrthographicCamera(scale_px=0, column_px=0, row_px=0)


def test_framing_puts_the_eyes_a_given_share_of_the_picture_apart() -> None:
    camera = OrthographicCamera.framing(Resolution(height=100, width=200), eye_distance=0.4)
    assert (camera.scale_px, camera.column_px) == (40, 99.5)


def test_luminance_is_reflectance_times_ambient_light_where_no_lamp_shines() -> None:
    frame = picture(sheet(8, factor=2))
    np.testing.assert_allclose(frame, 255, rtol=1e-6)


def test_the_background_shows_where_there_is_no_face() -> None:
    frame = picture(sheet(3, factor=2))
    np.testing.assert_array_equal(frame[:3], 255)
    np.testing.assert_array_equal(frame[3:], 0)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_a_level_edge_passes_a_pixel_in_as_many_steps_as_it_has_samples(factor: int) -> None:
    # Samples of a column lie `1 / factor` apart, columns are shifted by 1 / factor^2.
    shares = (np.arange(factor**2 + 1)) / factor**2
    found = [picture(sheet(3 + share, factor=factor))[3, 4] / 255 for share in shares]
    np.testing.assert_allclose(found, shares, atol=1e-6)


def test_the_nearer_of_two_sheets_is_seen_whatever_their_order() -> None:
    near, far = sheet(8, factor=1, depth=1.0), sheet(8, factor=1, depth=0.0)
    for first, second in ((near, far), (far, near)):
        both = FaceRenderer(
            vertices=np.concatenate([first.vertices, second.vertices]),
            expression=np.zeros((1, 8, 3), np.float32),
            triangles=np.concatenate([first.triangles, second.triangles + 4]),
            albedo=np.where(np.concatenate([first.vertices, second.vertices])[:, 2:] > 0, 0.5, 1).astype(np.float32),
            background=first.background,
            light=AMBIENT,
            supersampling=1,
        )
        np.testing.assert_allclose(picture(both), 127.5, rtol=1e-6)


def test_what_does_not_follow_the_head_stays_at_rest_and_what_follows_half_goes_half_the_way() -> None:
    # A sheet down to row 3 whose lower corners follow less than the upper ones; the head moves down by 2 rows.
    moved = np.eye(3, 4)
    moved[1, 3] = 2.0
    weights = np.zeros((1, 1), np.float32)
    for share, rows in ((0.0, 3), (0.5, 4), (1.0, 5)):
        still = replace(sheet(3, factor=1), follows=np.array([1, 1, share, share], np.float32))
        picture_ = still.render(weights, moved[None])[0, :, 4, 0]
        # The top, which follows whole, has gone down to row 2.
        np.testing.assert_allclose(picture_, [0, 0, *[255] * (rows - 2), *[0] * (8 - rows)], rtol=1e-6)


def test_a_sheet_seen_from_behind_is_not_drawn() -> None:
    front = sheet(8, factor=1)
    behind = FaceRenderer(
        vertices=front.vertices,
        expression=front.expression,
        triangles=np.ascontiguousarray(front.triangles[:, ::-1]),
        albedo=front.albedo,
        background=front.background,
    )
    np.testing.assert_array_equal(picture(behind), 0)


def test_the_side_towards_the_lamp_is_brighter() -> None:
    face, renderer = face_renderer()
    from_left = FaceRenderer(
        vertices=renderer.vertices,
        expression=renderer.expression,
        triangles=renderer.triangles,
        albedo=np.full((len(renderer.albedo), 1), 0.5, np.float32),
        background=renderer.background,
        light=Light(direction=(1.0, 0.0, 0.5)),
    )
    camera = OrthographicCamera.framing(Resolution(height=32, width=32))
    frame = from_left.render(np.zeros((1, len(face.mesh.expression_names)), np.float32), camera.matrices(REST))[
        0, :, :, 0
    ]
    assert frame[16, 20:24].mean() > frame[16, 8:12].mean() + 10


def test_a_symmetric_face_in_frontal_light_gives_nearly_a_symmetric_picture() -> None:
    face, renderer = face_renderer(64)
    frontal = FaceRenderer(
        vertices=renderer.vertices,
        expression=renderer.expression,
        triangles=renderer.triangles,
        albedo=np.full((len(renderer.albedo), 1), 0.5, np.float32),
        background=renderer.background,
        light=Light(direction=(0.0, 0.3, 1.0)),
        supersampling=4,
    )
    camera = OrthographicCamera.framing(Resolution(height=64, width=64))
    frame = frontal.render(np.zeros((1, len(face.mesh.expression_names)), np.float32), camera.matrices(REST))[
        0, :, :, 0
    ]
    # Samples of a pixel are not mirrored, so edges may differ by a few of 16 samples.
    assert np.abs(frame - frame[:, ::-1]).mean() < 0.5


@given(
    st.lists(
        st.tuples(st.sampled_from([0, 12, 26, 45, 51]), st.floats(0, 1), st.floats(-3, 3)), min_size=2, max_size=5
    ),
    st.integers(1, 3),
)
@settings(deadline=None, max_examples=15)
def test_drawing_only_what_changed_gives_the_same_picture_as_drawing_all(
    steps: list[tuple[int, float, float]], factor: int
) -> None:
    face, plain = face_renderer(48)
    renderer = FaceRenderer(
        vertices=plain.vertices,
        expression=plain.expression,
        triangles=plain.triangles,
        albedo=plain.albedo,
        background=plain.background,
        supersampling=factor,
    )
    camera = OrthographicCamera.framing(Resolution(height=48, width=48))
    weights = np.stack(
        [face.mesh.expression_weights({code: x} if code in face.mesh.action_units else {}) for code, x, _ in steps]
    )
    poses = np.zeros((len(steps), 6))
    poses[:, 0] = [yaw if code == 51 else 0.0 for code, _, yaw in steps]
    maps = camera.matrices(poses)
    behind = np.full((len(steps), 48, 48, 1), 40, np.float32)
    for t in range(len(steps)):
        behind[t, 5 * t : 5 * t + 9, 3 * t : 3 * t + 20] = 90
    together = renderer.render(weights, maps, backgrounds=behind)
    np.testing.assert_array_equal(together, renderer.render(weights, maps, backgrounds=behind, num_threads=3))
    for t in range(len(steps)):
        alone = renderer.render(weights[t : t + 1], maps[t : t + 1], backgrounds=behind[t : t + 1])
        np.testing.assert_array_equal(together[t], alone[0])


def test_the_luminance_of_a_coloured_picture_is_the_picture_of_the_luminance() -> None:
    generator = np.random.default_rng(0)
    face, grey = face_renderer(48)
    colours = generator.uniform(0, 0.9, (len(grey.vertices), 3)).astype(np.float32)
    behind = generator.uniform(0, 200, (48, 48, 3)).astype(np.float32)
    settings_ = {name: getattr(grey, name) for name in ("vertices", "expression", "triangles", "light")}
    coloured = FaceRenderer(**settings_, albedo=colours, background=behind)
    plain = FaceRenderer(**settings_, albedo=luminance(colours)[:, None], background=luminance(behind)[..., None])
    maps = OrthographicCamera.framing(Resolution(height=48, width=48)).matrices(np.array([[9.0, 4, 0, 0, 0, 0]]))
    weights = face.mesh.expression_weights({26: 0.7})[None]
    np.testing.assert_allclose(
        luminance(coloured.render(weights, maps)), plain.render(weights, maps)[..., 0], atol=1e-3
    )


def test_a_background_of_other_channels_than_the_face_is_refused() -> None:
    plain = sheet(1, factor=1)
    with pytest.raises(ShapeError, match=r"background of this face's albedo must have the axes \[H, W, 1\]"):
        replace(plain, background=np.zeros((8, 8, 3), np.float32))


def test_a_face_has_no_holes() -> None:
    # A background brighter than anything lit would shine through a gap between triangles.
    face, renderer = face_renderer(64)
    glowing = FaceRenderer(
        vertices=renderer.vertices,
        expression=renderer.expression,
        triangles=renderer.triangles,
        albedo=np.full((len(renderer.albedo), 1), 0.1, np.float32),
        background=np.full((64, 64, 1), 255, np.float32),
    )
    camera = OrthographicCamera.framing(Resolution(height=64, width=64))
    poses = np.array([[yaw, pitch, roll, 0, 0, 0] for yaw, pitch, roll in ((0, 0, 0), (12, 5, 3), (-7, -8, 6))], float)
    weights = np.stack([face.mesh.expression_weights(unit) for unit in ({}, {26: 1.0}, {45: 0.5, 12: 1.0})])
    frames = glowing.render(weights, camera.matrices(poses))
    assert frames[:, 14:46, 24:40].max() < 30


def test_supersampling_out_of_range_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"supersampling must be 1..8 samples a pixel side; got 0"):
        sheet(1, factor=0)


def test_a_lamp_without_direction_is_refused() -> None:
    with pytest.raises(ConfigError, match="a light needs a direction"):
        Light(direction=(0.0, 0.0, 0.0))

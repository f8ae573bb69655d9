"""Frames of an ordinary camera, views, clocks and light."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snnface.errors import ConfigError
from snnface.events.emulator import EmulatorConfig
from snnface.events.window import Resolution
from snnface.faces.motion import Activation, Trajectory
from snnface.faces.rendering.camera import OrthographicCamera
from snnface.faces.scene import (
    Background,
    Clock,
    Distractor,
    EventCamera,
    Lighting,
    Person,
    RgbCamera,
    Scene,
    SceneConfig,
    View,
)
from snnface.faces.scene.background import Places
from snnface.faces.scene.exposure import developed, srgb
from snnface.faces.scene.shot import Shot

STILL = Trajectory(activations=())
TINY = RgbCamera(resolution=Resolution(height=48, width=64))


def scene(lux: float = 1000.0) -> Scene:
    generator = np.random.default_rng(0)
    drawn = Scene.drawn(SceneConfig(cell=0.055, background="textured"), Person.drawn(generator), generator)
    return replace(drawn, lighting=Lighting(lux=lux))


def test_srgb_has_its_published_values() -> None:
    np.testing.assert_allclose(srgb(np.array([0, 0.0031308, 0.214041, 1.0])), [0, 0.04045, 0.5, 1], atol=1e-5)


def test_developing_clips_and_rounds() -> None:
    light = np.array([[[-5.0, 0.0, 255.0, 300.0, 54.7]]], np.float32).reshape(1, 5, 1)
    np.testing.assert_array_equal(developed(light).ravel(), [0, 0, 255, 255, 128])


def test_frames_come_at_their_rate_stamped_in_the_middle_of_the_exposure() -> None:
    clip = scene().frames(STILL, 1_000_000, replace(TINY, fps=25.0, exposure_ms=10.0))
    assert clip.pixels.shape == (25, 48, 64, 3)
    np.testing.assert_array_equal(clip.t_us, 5000 + 40_000 * np.arange(25))


def test_a_grey_camera_takes_grey_frames() -> None:
    assert scene().frames(STILL, 30_000, replace(TINY, channels=1)).pixels.shape == (1, 48, 64, 1)


def test_dim_light_is_exposed_longer_then_amplified_and_noisier() -> None:
    assert TINY.exposure_us(1000.0) == 8000
    assert TINY.exposure_us(500.0) == 16_000
    assert TINY.exposure_us(100.0) == 30_000
    # 8000 electrons for 255 at 1000 lux, and 5 of reading: sqrt(8025) of 8000.
    grey = np.array([255.0])
    np.testing.assert_allclose(TINY.noise_dn(grey, 1000.0), 255 * np.sqrt(8025) / 8000)
    # Amplified 80 / 30 times: 3000 electrons.
    np.testing.assert_allclose(TINY.noise_dn(grey, 100.0), 255 * np.sqrt(3025) / 3000)


def test_pixels_of_an_event_camera_are_slower_and_noisier_in_dim_light() -> None:
    camera = EventCamera(emulator=EmulatorConfig(cutoff_hz=200.0, shot_noise_rate_hz=2.0))
    dim = camera.pixels_at(250.0)
    assert (dim.cutoff_hz, dim.shot_noise_rate_hz) == (50.0, 8.0)
    assert camera.pixels_at(1000.0) == camera.emulator


def test_noise_differs_from_frame_to_frame_and_repeats_with_the_seed() -> None:
    one, other = (scene(150.0).frames(STILL, 70_000, TINY, seed=seed).pixels for seed in (0, 1))
    assert (one[0] != one[1]).mean() > 0.2
    assert (one != other).mean() > 0.2
    np.testing.assert_array_equal(one, scene(150.0).frames(STILL, 70_000, TINY, seed=0).pixels)


def test_a_long_exposure_blurs_what_moves() -> None:
    turn = Trajectory(
        activations=(Activation(code=51, onset_us=0, apex_us=66_000, fall_us=66_000, offset_us=132_000, intensity=1.0),)
    )
    sharp, blurred = (
        scene().frames(turn, 66_000, replace(TINY, channels=1, exposure_ms=ms)).pixels[1, :, :, 0].astype(float)
        for ms in (0.2, 30.0)
    )
    assert np.abs(np.diff(blurred, axis=1)).max() < 0.8 * np.abs(np.diff(sharp, axis=1)).max()


def test_an_exposure_is_looked_at_evenly_about_the_time_that_its_frame_is_stamped_with() -> None:
    turn = Activation(code=51, onset_us=0, apex_us=96_666, fall_us=96_667, offset_us=200_000, intensity=0.5)
    moving, camera = Trajectory(activations=(turn,)), replace(TINY, channels=1, exposure_ms=30.0)
    shot, stamped_us = Shot(scene(), moving, camera), scene().frames(moving, 66_000, camera).t_us[1]
    times = shot.exposures(33_333, 30_000)
    gaps = np.diff(times)
    assert len(times) > 5
    assert np.ptp(gaps) <= 1
    assert times.mean() == pytest.approx(stamped_us, abs=1)
    assert times[0] - 33_333 == pytest.approx(gaps[0] / 2, abs=1)


def test_an_exposure_as_long_as_a_period_of_the_light_sees_its_mean() -> None:
    lit = replace(scene(), lighting=Lighting(lux=1000.0, flicker=0.2, flicker_hz=100.0))
    clip = lit.frames(STILL, 100_000, replace(TINY, exposure_ms=10.0))
    # The maximum is the light's full strength; the mean of 1.2 and 0.8 is 1 / 1.2 of it.
    wanted = developed(Shot(lit, STILL, TINY).light(np.array([0]))[0] / np.float32(1.2))
    for frame in clip.pixels:
        assert frame.mean() == pytest.approx(wanted.mean(), abs=0.3)


def test_a_take_shorter_than_an_exposure_is_refused() -> None:
    with pytest.raises(ConfigError, match="exposure of 8000 us does not fit into a take of 5000 us"):
        scene().frames(STILL, 5000, TINY)


def test_both_cameras_see_the_same_wall() -> None:
    background = Background.drawn("textured", np.random.default_rng(1))
    size = Resolution(height=61, width=61)
    upright = OrthographicCamera(scale_px=20, column_px=30, row_px=30)
    turned = replace(upright, roll_deg=90.0)
    one, other = (background.picture(Places.seen_by(camera, size), 1)[..., 0] for camera in (upright, turned))
    np.testing.assert_allclose(other, np.rot90(one), rtol=1e-5)


def test_someone_who_passes_by_is_where_the_formula_says() -> None:
    walker = replace(Distractor.drawn(np.random.default_rng(0)), x_at_0=-1.0, speed=2.0, y=0.0, half_width=0.3)
    size = Resolution(height=41, width=121)
    places = Places.seen_by(OrthographicCamera(scale_px=20, column_px=60, row_px=20), size)
    wall = np.full((41, 121, 1), -1000, np.float32)
    pictures = walker.before(wall, places, np.array([0, 500_000, 1_000_000]))
    for picture, middle in zip(pictures, (40, 60, 80), strict=True):
        columns = np.flatnonzero(picture[20, :, 0] > -1000)
        assert abs((columns.min() + columns.max()) / 2 - middle) <= 1
        assert abs(columns.max() - columns.min() - 12) <= 2


@given(st.floats(0, 0.2), st.floats(0, 0.2), st.sampled_from([100.0, 120.0]))
def test_light_never_exceeds_its_maximum_and_swings_by_its_share(flicker: float, drift: float, hz: float) -> None:
    gain = Lighting(flicker=flicker, flicker_hz=hz, drift=drift, drift_hz=1.0).gain(np.arange(0, 1_000_000, 50))
    assert gain.max() <= 1 + 1e-12
    lowest = (1 - flicker) * (1 - drift) / ((1 + flicker) * (1 + drift))
    assert gain.min() == pytest.approx(lowest, rel=0.01)


def test_pictures_between_pictures_are_linear_in_time() -> None:
    lamp = Lighting(drift=0.1, drift_hz=0.02)
    steady = [
        (np.array([0, 40_000]), np.array([[[0.0]], [[100.0]]], np.float32)),
        (np.array([80_000]), np.array([[[60.0]]], np.float32)),
    ]
    # An iterator: T differs between pieces, and of a list beartype would look into one or the other.
    pieces = list(lamp.on(iter(steady), 2))
    t_us = np.concatenate([t for t, _ in pieces])
    np.testing.assert_array_equal(t_us, [0, 20_000, 40_000, 60_000, 80_000])
    values = np.concatenate([picture[:, 0, 0] for _, picture in pieces])
    np.testing.assert_allclose(values, np.array([0, 50, 100, 80, 60]) * lamp.gain(t_us), rtol=1e-6)


def test_a_drawn_view_is_near_the_wanted_one() -> None:
    views = [View.drawn(np.random.default_rng(seed)) for seed in range(50)]
    assert all(0.376 <= view.eye_distance <= 0.424 and abs(view.roll_deg) <= 3 for view in views)
    assert len({view.off_x for view in views}) == 50


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: View(eye_distance=0.0), r"eye_distance is a share of the picture, 0.05..1; got 0"),
        (lambda: Clock(offset_us=-1), r"offset_us from 0 on"),
        (lambda: RgbCamera(fps=0.0), r"fps must be 1..1000; got 0"),
        (lambda: RgbCamera(exposure_ms=-1.0), r"exposure_ms must be positive; got -1"),
        (lambda: EventCamera(emulator=EmulatorConfig(input="log")), r'its emulator needs input="linear_dn"'),
        (lambda: Lighting(lux=0.0), r"lux must be 1..100000; got 0"),
        (lambda: Lighting(flicker_hz=0.0), r"flicker_hz and drift_hz must be positive"),
    ],
)
def test_settings_out_of_range_are_refused(make, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        make()

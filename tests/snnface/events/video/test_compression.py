"""Block edges: the score on made-up and really encoded pictures, the filter, what both leave alone."""

import logging
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from videos import texture, write_video

from snnface.errors import ConfigError
from snnface.events import emulate
from snnface.events.video import Deblocking, block_edge_score, block_edges, deblock, open_frames


def grey(values: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(values, 0, 255)).astype(np.uint8)


def blocks(height: int, width: int, *, step: float, seed: int = 0) -> np.ndarray:
    """Random levels of 8 x 8 blocks, `step` apart on average from the mean."""
    levels = np.random.default_rng(seed).choice([-step, step], (height // 8 + 1, width // 8 + 1))
    return np.kron(levels, np.ones((8, 8)))[:height, :width]


def noisy_scene(num: int, *, scale: float) -> list[np.ndarray]:
    """A still scene with camera noise: smooth shades and a dark disc, 96 x 128."""
    generator = np.random.default_rng(1)
    rows, columns = np.mgrid[:96, :128]
    scene = 90 + 0.7 * columns + 0.1 * texture(96, 128)
    scene[(rows - 48) ** 2 + (columns - 64) ** 2 < 900] -= 60
    return [grey(scale * scene + generator.normal(0, 1, scene.shape)) for _ in range(num)]


def compressed(path: Path, frames: list[np.ndarray], *, codec: str = "mpeg4", options: dict[str, str]) -> Path:
    times = [40_000 * k for k in range(len(frames))]
    return write_video(path, frames, times, codec=codec, clock=Fraction(1, 25), num_b_frames=0, options=options)


HEAVY = {"qmin": "12", "qmax": "12"}
LIGHT = {"qmin": "2", "qmax": "2"}


def test_a_step_only_at_borders_scores_its_ratio() -> None:
    # Columns 0 0 0 0 0 0 0 0 4 4 ...: mean border step 4, nothing inside. (4 + .05) / .05 = 81; rows are flat: 1.
    frame = np.tile(np.repeat(np.arange(4, dtype=np.uint8) * 4, 8), (32, 1))
    assert block_edge_score(frame) == pytest.approx((81 + 1) / 2)


def test_an_even_slope_has_no_blocks() -> None:
    rows, columns = np.mgrid[:64, :64]
    assert block_edge_score((rows + 2 * columns).astype(np.uint8)) == pytest.approx(1)


@pytest.mark.parametrize(
    "frame", [np.zeros((0, 9), np.uint8), np.zeros((4, 5), np.uint8), np.full((64, 64), 9, np.uint8)]
)
def test_frames_without_gradients_score_one(frame: np.ndarray) -> None:
    assert block_edge_score(frame) == 1


@pytest.mark.parametrize("seed", range(4))
def test_pictures_that_were_never_compressed_score_about_one(seed: int) -> None:
    noise = np.random.default_rng(seed).normal(0, 1, (120, 160))
    assert 1 <= block_edge_score(grey(texture(120, 160, seed=seed) + noise)) < 1.15


def test_strong_edges_of_things_do_not_hide_blocks() -> None:
    frame = texture(96, 128) * 0.3 + blocks(96, 128, step=2)
    frame[:, 60:] += 120
    assert block_edge_score(grey(frame)) > 1.3


@given(st.integers(0, 7), st.integers(0, 7))
def test_the_grid_is_found_wherever_a_crop_put_it(top: int, left: int) -> None:
    whole = grey(texture(104, 136) * 0.5 + blocks(104, 136, step=4))
    edges = block_edges([(whole[top:, left:].copy(), 0)], name="crop")
    assert (edges.top, edges.left) == (-top % 8, -left % 8)
    assert edges.is_blocky


def test_the_score_rises_with_compression_and_warns_above_the_limit(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frames = noisy_scene(6, scale=1)
    scores = []
    for name, options in (("light", LIGHT), ("heavy", HEAVY)):
        source = open_frames(compressed(tmp_path / f"{name}.avi", frames, options=options))
        with caplog.at_level(logging.WARNING):
            scores.append(block_edges(source.native_frames(), name=source.name))
    raw = block_edges([(frame, 0) for frame in frames], name="raw")
    assert raw.score < scores[0].score < scores[1].score
    assert (raw.is_blocky, scores[1].is_blocky) == (False, True)
    assert (raw.top, raw.left, raw.num_frames) == (0, 0, 6)
    assert "heavy: gradients at the borders of 8x8 blocks" in caplog.text
    assert "raw:" not in caplog.text


def test_only_the_first_frames_are_read() -> None:
    taken = ((np.zeros((16, 16), np.uint8), k) for k in range(100))
    assert block_edges(taken, name="long", max_frames=5).num_frames == 5
    assert next(taken)[1] == 5


def test_a_small_step_becomes_a_ramp() -> None:
    frame = np.repeat(np.array([100, 106], np.uint8), 8)[None].repeat(16, axis=0)
    # Excess 6: pixels 5 .. 7 rise by 6/12, 18/12, 30/12 and 8 .. 10 fall by as much; halves round to even.
    expected = [100, 100, 100, 100, 100, 100, 102, 102, 104, 104, 106, 106, 106, 106, 106, 106]
    assert deblock(frame, Deblocking())[0].tolist() == expected


def test_edges_and_texture_stay() -> None:
    edge = np.repeat(np.array([80, 110], np.uint8), 8)[None].repeat(16, axis=0)
    np.testing.assert_array_equal(deblock(edge, Deblocking(strength_dn=10)), edge)
    rough = np.random.default_rng(0).integers(0, 2, (16, 16)).astype(np.uint8) * 30
    rough = np.where(np.indices((16, 16)).sum(axis=0) % 2, 40, 80).astype(np.uint8)
    np.testing.assert_array_equal(deblock(rough, Deblocking(strength_dn=10)), rough)


def test_an_even_slope_stays() -> None:
    rows, columns = np.mgrid[:24, :24]
    slope = (2 * rows + 3 * columns).astype(np.uint8)
    np.testing.assert_array_equal(deblock(slope, Deblocking()), slope)


@given(npst.arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20))), st.integers(0, 7), st.integers(0, 7))
def test_no_value_wraps_and_the_input_stays(frame: np.ndarray, top: int, left: int) -> None:
    before = frame.copy()
    after = deblock(frame, Deblocking(strength_dn=255, top=top, left=left))
    np.testing.assert_array_equal(frame, before)
    # Each pass moves a pixel by at most 5/12 of the greatest excess, 255 and two slopes of 255.
    assert after.shape == frame.shape
    assert np.all(np.abs(after.astype(int) - frame) <= 255)


def test_filtering_a_clip_lowers_its_score_and_its_false_events(tmp_path: Path) -> None:
    # Dark and still: every event beyond the noise is the codec's.
    frames = noisy_scene(26, scale=0.25)
    path = compressed(tmp_path / "dark.avi", frames, options={"qmin": "8", "qmax": "8"})
    times = np.arange(26) * 40_000
    edges = block_edges(open_frames(path).native_frames(), name="dark")
    filtered = open_frames(path, deblocking=Deblocking(top=edges.top, left=edges.left))
    before, after = (np.stack([frame for frame, _ in source]) for source in (open_frames(path), filtered))
    assert np.mean([block_edge_score(frame) for frame in after]) < 1 + 0.6 * (edges.score - 1)
    assert len(emulate(after, times)) < 0.8 * len(emulate(before, times))


def test_filtering_keeps_the_events_of_a_moving_edge(tmp_path: Path) -> None:
    still = noisy_scene(10, scale=1)
    columns = np.arange(128)
    frames = [grey(frame + 60 * (columns < 30 + 5 * k)) for k, frame in enumerate(still)]
    path = compressed(tmp_path / "moving.avi", frames, options=HEAVY)
    times = np.arange(10) * 40_000
    on_edge = []
    for deblocking in (None, Deblocking()):
        source = open_frames(path, deblocking=deblocking)
        events = emulate(np.stack([frame for frame, _ in source]), times)
        on_edge.append(int((events.polarity & (events.x >= 30) & (events.x < 75)).sum()))
    assert on_edge[1] > 0.95 * on_edge[0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"strength_dn": 0}, "strength_dn must be above 0"),
        ({"strength_dn": float("nan")}, "strength_dn must be above 0"),
        ({"top": 8}, r"top must be in 0\.\.7; got 8"),
        ({"left": -1}, r"left must be in 0\.\.7; got -1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(values: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Deblocking(**values)

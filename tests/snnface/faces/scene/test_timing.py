"""When pictures are rendered."""

import numpy as np

from snnface.faces.scene.timing import FrameTimes


def times(
    duration_us: int, *, speed_px_per_ms: float = 0.0, moving: tuple[int, int] = (0, 0), **settings
) -> FrameTimes:
    """One point that moves to the right between two times."""

    def place(t_us: np.ndarray) -> np.ndarray:
        return speed_px_per_ms * np.clip(t_us - moving[0], 0, moving[1] - moving[0]) / 1000

    return FrameTimes(
        duration_us=duration_us,
        step_us=2000,
        longest_us=settings.get("longest_us"),
        state=lambda t_us: place(t_us)[:, None],
        points=lambda t_us: np.stack([place(t_us), np.zeros(len(t_us))], 1)[:, None],
        max_step_px=0.5,
    )


def test_nothing_moves_nothing_is_shown_but_the_ends() -> None:
    np.testing.assert_array_equal(times(1_000_001).all(), [0, 1_000_001])


def test_frames_that_equal_both_neighbours_are_left_out() -> None:
    shown = times(20_000, speed_px_per_ms=0.1, moving=(8000, 12_000)).all()
    # The last still frame before the motion is kept: the change is not spread over the rest before it.
    np.testing.assert_array_equal(shown, [0, 8000, 10_000, 12_000, 20_000])


def test_fast_steps_are_divided() -> None:
    shown = times(8000, speed_px_per_ms=1.0, moving=(2000, 4000)).all()
    np.testing.assert_array_equal(shown, [0, 2000, 2500, 3000, 3500, 4000, 8000])


def test_a_noisy_sensor_gets_frames_at_rest_too() -> None:
    shown = times(1_000_000, longest_us=10_000).all()
    assert np.diff(shown).max() <= 10_000
    assert len(shown) == 101


def test_spans_are_bounded_and_put_together_the_whole() -> None:
    long = times(10_000_000, speed_px_per_ms=0.1, moving=(0, 10_000_000))
    spans = list(long.spans())
    assert max(map(len, spans)) <= 513
    whole = np.concatenate(spans)
    np.testing.assert_array_equal(whole, np.arange(0, 10_000_001, 2000))
    np.testing.assert_array_equal(whole, long.all())

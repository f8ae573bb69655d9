"""Parts of a long video are what the whole video holds there."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from videos import texture, write_video

from snnface.datasets.layout.video_part import video_part
from snnface.errors import DataError

NUM_FRAMES = 40


def frames() -> list[np.ndarray]:
    wall = texture(32, 48).astype(np.uint8)
    return [np.roll(wall, 2 * index, axis=1) for index in range(NUM_FRAMES)]


def video(path: Path, **options: object) -> Path:
    return write_video(path, frames(), [50_000 * index for index in range(NUM_FRAMES)], **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("v.avi", {"codec": "mpeg4", "num_b_frames": 0, "options": {"g": "7"}, "bit_rate": 4_000_000}),
        ("v.avi", {"codec": "mjpeg", "pixel_format": "yuvj420p"}),
        ("v.mp4", {"options": {"g": "9"}, "num_b_frames": 2}),
    ],
)
def test_a_part_is_the_same_as_in_the_whole(tmp_path: Path, name: str, options: dict[str, object]) -> None:
    path = video(tmp_path / name, clock=Fraction(1, 20), **options)
    whole = video_part(path, 0, NUM_FRAMES, fps=20.0)
    for start, stop in ((0, 3), (6, 8), (7, 8), (13, 30), (NUM_FRAMES - 1, NUM_FRAMES)):
        part = video_part(path, start, stop, fps=20.0)
        np.testing.assert_array_equal(part.pixels, whole.pixels[start:stop])
        assert part.t_us.tolist() == [50_000 * index for index in range(start, stop)]
    error = np.abs(whole.pixels[..., 0].astype(int) - np.stack(frames()).astype(int)).mean()
    assert error < 12, "decoded frames lie where the encoded ones were"


def test_a_part_beyond_the_end_is_refused(tmp_path: Path) -> None:
    path = video(tmp_path / "v.mp4")
    with pytest.raises(DataError, match="should have frames 35 to 44; 5 are missing, the first is 40"):
        video_part(path, 35, 45, fps=20.0)


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "v.avi"
    path.write_bytes(b"RIFF....AVI LIST" + bytes(100))
    with pytest.raises(DataError, match=r"v\.avi"):
        video_part(path, 0, 3, fps=20.0)


def test_a_part_that_would_not_fit_memory_is_refused(tmp_path: Path) -> None:
    path = video(tmp_path / "v.mp4")
    with pytest.raises(DataError, match=r"more than 16 GiB. Take shorter clips"):
        video_part(path, 0, 10_000_000, fps=20.0)

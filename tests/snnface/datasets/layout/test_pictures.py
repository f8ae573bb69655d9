"""Pictures of a clip, in colour and whole."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from snnface.datasets.fixtures.images import write_pictures
from snnface.datasets.layout.pictures import frame_times, picture_clip
from snnface.errors import ConfigError, DataError
from snnface.events.video import open_frames


def pixels(num_frames: int = 3, height: int = 4, width: int = 6) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (num_frames, height, width, 3), np.uint8)


def files(folder: Path, num_frames: int = 3) -> list[Path]:
    return [folder / f"{index}.png" for index in range(num_frames)]


def test_colour_comes_back_as_it_was(tmp_path: Path) -> None:
    write_pictures(files(tmp_path), pixels())
    clip = picture_clip(files(tmp_path), frame_times(3, 25.0))
    np.testing.assert_array_equal(clip.pixels, pixels())
    assert clip.t_us.tolist() == [0, 40_000, 80_000]


def test_grey_pictures_have_one_channel(tmp_path: Path) -> None:
    write_pictures(files(tmp_path), pixels()[..., 0])
    assert picture_clip(files(tmp_path), frame_times(3, 25.0)).pixels.shape == (3, 4, 6, 1)


@pytest.mark.parametrize("fps", [20.0, 25.0, 29.97, 30.0, 200.0])
def test_times_are_those_that_the_emulator_sees(tmp_path: Path, fps: float) -> None:
    write_pictures(files(tmp_path, 12), pixels(12))
    seen = [t_us for _, t_us in open_frames(tmp_path, fps=fps)]
    assert frame_times(12, fps).tolist() == seen


@pytest.mark.parametrize("fps", [0.0, -1.0, float("nan"), float("inf"), 1e7])
def test_a_rate_out_of_range_is_refused(fps: float) -> None:
    with pytest.raises(ConfigError, match="fps must be above 0"):
        frame_times(3, fps)


def test_pictures_of_two_sizes_or_of_none_are_refused(tmp_path: Path) -> None:
    write_pictures(files(tmp_path, 2), pixels(2))
    write_pictures([tmp_path / "2.png"], pixels(1, 5, 6))
    with pytest.raises(DataError, match=r"2\.png should be 6x4 in colour like 0\.png; it is 6x5"):
        picture_clip(files(tmp_path), frame_times(3, 25.0))
    with pytest.raises(DataError, match="at least one picture"):
        picture_clip([], frame_times(0, 25.0))


def test_grey_among_colour_is_refused(tmp_path: Path) -> None:
    write_pictures(files(tmp_path, 2), pixels(2))
    Image.fromarray(pixels()[0, ..., 0]).save(tmp_path / "2.png")
    with pytest.raises(DataError, match="it is 6x4 in grey"):
        picture_clip(files(tmp_path), frame_times(3, 25.0))


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    write_pictures(files(tmp_path), pixels())
    whole = (tmp_path / "1.png").read_bytes()
    (tmp_path / "1.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"1\.png should be a picture; it cannot be decoded"):
        picture_clip(files(tmp_path), frame_times(3, 25.0))


def test_sixteen_bits_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 6), 1000, np.uint16)).save(tmp_path / "0.png")
    with pytest.raises(DataError, match="8 bits a channel"):
        picture_clip(files(tmp_path, 1), frame_times(1, 25.0))

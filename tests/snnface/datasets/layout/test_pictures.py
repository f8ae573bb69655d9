"""Pictures of a clip, in colour and whole."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from snnface.datasets.fixtures.images import write_pictures
from snnface.datasets.layout.pictures import first_gap, frame_times, picture_clip, pictures_in
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


def test_sixteen_bits_of_colour_are_refused(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "0.png"), np.zeros((4, 4, 3), np.uint16))
    with pytest.raises(DataError, match=r"0.png should have 8 bits a channel; it has more"):
        picture_clip([tmp_path / "0.png"], frame_times(1, 25.0))


def test_the_pictures_of_a_folder_are_those_that_the_emulator_sees(tmp_path: Path) -> None:
    names = ["img9.JPG", "img10.jpg", "img11.png"]
    write_pictures([tmp_path / name for name in names], pixels())
    for name in ("Thumbs.db", ".DS_Store", "._img9.JPG", "notes12.txt"):
        (tmp_path / name).write_bytes(b"\0")
    assert [path.name for path in pictures_in(tmp_path)] == names
    assert len(list(open_frames(tmp_path, fps=25.0))) == len(names)
    assert pictures_in(tmp_path / "none") == []


def test_copies_with_another_ending_are_passed_over(tmp_path: Path) -> None:
    write_pictures([tmp_path / name for name in ("1.png", "1_cropped.png")], pixels(2))
    assert [path.name for path in pictures_in(tmp_path, but_for="_cropped")] == ["1.png"]


@pytest.mark.parametrize(("names", "gap"), [((), None), (("7",), None), (("7", "8", "9"), None), (("7", "9", "12"), 8)])
def test_the_first_number_that_is_missing_is_told(names: tuple[str, ...], gap: int | None) -> None:
    assert first_gap([Path(f"{name}.png") for name in names]) == gap

"""Pictures and animations as files."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from snnface.errors import ConfigError
from snnface.faces.figures import write_animation, write_picture

PICTURES = np.full((6, 20, 30, 3), 255, np.uint8)
for _step, _picture in enumerate(PICTURES):
    _picture[5:15, 3 * _step : 3 * _step + 8] = (200, 20 * _step, 30)


def test_a_picture_comes_back_as_it_was(tmp_path: Path) -> None:
    write_picture(PICTURES[3], tmp_path / "face.png")
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "face.png")), PICTURES[3])


def test_an_animation_shows_every_picture_and_repeats(tmp_path: Path) -> None:
    write_animation(PICTURES, tmp_path / "face.gif", fps=10)
    with Image.open(tmp_path / "face.gif") as animation:
        assert animation.n_frames == 6
        assert animation.info["loop"] == 0
        assert animation.info["duration"] == 100
        for index, wanted in enumerate(PICTURES):
            animation.seek(index)
            shown = np.asarray(animation.convert("RGB")).astype(int)
            assert np.abs(shown - wanted).max() <= 8


def test_other_endings_and_empty_animations_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"is a \.png file; got 'face\.jpg'\. Name it face\.png"):
        write_picture(PICTURES[0], tmp_path / "face.jpg")
    with pytest.raises(ConfigError, match=r"is a \.gif file"):
        write_animation(PICTURES, tmp_path / "face.png")
    with pytest.raises(ConfigError, match="got 0 at 20"):
        write_animation(PICTURES[:0], tmp_path / "face.gif")
    with pytest.raises(ConfigError, match="got 6 at 99"):
        write_animation(PICTURES, tmp_path / "face.gif", fps=99)

"""Pictures and animations as files, whole or not at all."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from snnface.errors import ConfigError
from snnface.files import atomic_path

__all__ = ["write_animation", "write_picture"]


def write_picture(picture: UInt8[np.ndarray, "H W 3"], path: Path) -> None:
    """Write a .png file.

    Raises:
        ConfigError: if its name ends otherwise.
        DataError: if the disk refuses the file.
    """
    _require_suffix(path, ".png")
    with atomic_path(path) as temporary:
        Image.fromarray(picture).save(temporary, format="PNG", optimize=True)


def write_animation(pictures: UInt8[np.ndarray, "T H W 3"], path: Path, *, fps: int = 20) -> None:
    """Write a .gif file that repeats for ever, in 255 colours chosen for all its pictures together.

    Raises:
        ConfigError: if its name ends otherwise, there is no picture, or the rate is not 1..50 a second.
        DataError: if the disk refuses the file.
    """
    _require_suffix(path, ".gif")
    if not len(pictures) or not 1 <= fps <= 50:
        raise ConfigError(f"an animation has pictures, and 1..50 of them a second; got {len(pictures)} at {fps}.")
    palette = Image.fromarray(np.concatenate(pictures[:: max(1, len(pictures) // 8)])).quantize(255)
    # One palette for all: colours do not flicker from picture to picture.
    frames = [Image.fromarray(picture).quantize(palette=palette, dither=Image.Dither.NONE) for picture in pictures]
    with atomic_path(path) as temporary:
        frames[0].save(
            temporary, format="GIF", save_all=True, append_images=frames[1:], duration=1000 // fps, loop=0, disposal=1
        )


def _require_suffix(path: Path, suffix: str) -> None:
    if path.suffix.lower() != suffix:
        raise ConfigError(f"this picture is a {suffix} file; got {path.name!r}. Name it {path.stem or 'face'}{suffix}.")

"""A folder of pictures as a source of frames."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from snnface.errors import DataError
from snnface.events.video.source import FrameSource, native_resolution
from snnface.events.window import Resolution

__all__ = ["PictureFolder", "read_picture"]

LOSSY = {".jpg", ".jpeg", ".webp"}
SUFFIXES = {".png", ".bmp", ".tif", ".tiff", ".pgm", ".ppm", ".pnm"} | LOSSY
FORMATS = ("PNG", "JPEG", "BMP", "TIFF", "WEBP", "PPM")


class PictureFolder(FrameSource):
    """The pictures of a folder in natural order of their names, at a constant rate.

    Other files are passed over. Orientation tags are followed, transparency is not. Pictures
    of more than 8 bits are refused: how their range maps to 0..255 is the user's choice.

    Raises:
        DataError: if no rate is given, there is no picture, or one is damaged or of another size.
    """

    def __init__(self, path: Path, resolution: Resolution | None, *, fps: float | None) -> None:
        if fps is None:
            raise DataError(f"{path} is a folder of pictures, which have no times; give their rate (fps).")
        self.fps = fps
        names = (file for file in path.iterdir() if file.suffix.lower() in SUFFIXES and not file.name.startswith("."))
        self._files = sorted(names, key=_natural)
        if not self._files:
            raise DataError(f"{path} should hold pictures ({', '.join(sorted(SUFFIXES))}); it has none.")
        first = read_picture(self._files[0])
        super().__init__(path, native_resolution(self._files[0], *first.shape[:2]), resolution)
        self.num_frames = len(self._files)
        self.duration_us = round((self.num_frames - 1) * 1e6 / fps)
        self.is_compressed = any(file.suffix.lower() in LOSSY for file in self._files)

    def _pictures(self) -> Iterator[tuple[np.ndarray, int]]:
        for index, file in enumerate(self._files):
            picture = read_picture(file)
            if picture.shape[:2] != (self.native.height, self.native.width):
                raise DataError(
                    f"{file} should be {self.native} pixels like {self._files[0].name}; it is "
                    f"{picture.shape[1]}x{picture.shape[0]}. Put pictures of other sizes into another folder."
                )
            yield picture, round(index * 1e6 / self.fps)


def _natural(file: Path) -> tuple[list[tuple[bool, int, str]], str]:
    """Runs of digits compare as numbers; the name itself decides between 1 and 01."""
    parts = re.split(r"([0-9]+)", file.name.lower())
    return [(part.isdigit(), int(part) if part.isdigit() else 0, part) for part in parts if part], file.name


def read_picture(file: Path) -> UInt8[np.ndarray, "H W *C"]:
    """A picture of 8 bits a channel, upright: grey [H, W] or colour [H, W, 3].

    Raises:
        DataError: if it cannot be decoded, or has more bits a channel or too many pixels.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(file, formats=FORMATS) as image:
            native_resolution(file, image.height, image.width)
            raw_modes = (str(tile[-1]) for tile in getattr(image, "tile", []))
            if image.mode.startswith(("I", "F")) or any(";16" in mode for mode in raw_modes):
                raise DataError(
                    f"{file} should have 8 bits a channel; it has more. Convert it with the range that you mean."
                )
            upright = ImageOps.exif_transpose(image)
            return np.asarray(upright.convert("L" if upright.mode in ("1", "L", "LA") else "RGB"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{file} should be a picture; it cannot be decoded ({error}). Remove or replace it.") from error

"""Pictures one after the other into a video (.mp4) or an animation (.gif), in bounded memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from snnface.errors import ConfigError, ShapeError
from snnface.events.pictures import DARK, WHITE
from snnface.events.window import Resolution
from snnface.files import atomic_path

if TYPE_CHECKING:
    from av.container import OutputContainer

__all__ = ["MIN_WIDTH_PX", "MOVIE_SUFFIXES", "Movie", "create_movie", "enlarged", "require_movie"]

MOVIE_SUFFIXES = (".mp4", ".gif")
# Browsers slow down animations with less than 20 ms a picture.
MAX_FPS = {".mp4": Fraction(60), ".gif": Fraction(50)}
# Small sensors are shown enlarged. H.264 halves the resolution of colours, and a lone event
# would lose its own: a pixel of the sensor covers at least two of the video.
MIN_WIDTH_PX = {".mp4": 960, ".gif": 480}
# An animation has 256 colours: those of events, exactly, and greys.
COLOURS = [colour for theme in (WHITE, DARK) for colour in (theme.on, theme.off, theme.background)]
NUM_GREYS = 256 - len(COLOURS)


class Movie:
    """A video or animation that is being written; see `create_movie`.

    Attributes:
        fps: pictures a second when it is played.
    """

    def __init__(self, container: "OutputContainer", resolution: Resolution, fps: Fraction, *, is_gif: bool) -> None:
        import av
        from av.codec import codecs_available

        self.fps = fps
        self._container, self._resolution, self._is_gif = container, resolution, is_gif
        self._make_frame = av.VideoFrame.from_ndarray
        codec = "gif" if is_gif else "libx264" if "libx264" in codecs_available else "mpeg4"
        # H.264 halves the resolution of colours, so its sides are even.
        evenly = 1 if is_gif else 2
        self._height = -(-resolution.height // evenly) * evenly
        self._width = -(-resolution.width // evenly) * evenly
        options = {"crf": "18", "preset": "veryfast"} if codec == "libx264" else {}
        stream = container.add_stream(codec, rate=fps, options=options)
        assert isinstance(stream, av.VideoStream)
        stream.height, stream.width = self._height, self._width
        stream.pix_fmt = "pal8" if is_gif else "yuv420p"
        self._stream = stream

    def append(self, picture: UInt8[np.ndarray, "H W 3"]) -> None:
        """Show one more picture.

        Raises:
            ShapeError: if it does not have the size of the movie.
        """
        size = (self._resolution.height, self._resolution.width)
        if picture.shape[:2] != size:
            raise ShapeError(f"pictures of this movie are {self._resolution}; one of {picture.shape[:2]} came.")
        missing = ((0, self._height - size[0]), (0, self._width - size[1]), (0, 0))
        padded = np.pad(picture, missing, mode="edge")
        if self._is_gif:
            frame = self._make_frame((_indices(padded), _palette()), format="pal8")
        else:
            frame = self._make_frame(padded, format="rgb24")
        for packet in self._stream.encode(frame):
            self._container.mux(packet)

    def finish(self) -> None:
        """Write the pictures that the encoder still holds."""
        for packet in self._stream.encode(None):
            self._container.mux(packet)


@contextmanager
def create_movie(path: Path, resolution: Resolution, *, fps: Fraction) -> Iterator[Movie]:
    """A movie to append pictures of one size to; it appears under its name when the block ends well.

    Args:
        path: ends in .mp4 (H.264) or .gif. An animation keeps greys and the colours of events;
            others become the nearest grey.
        fps: pictures a second; at most 60, and 50 for an animation, are played.

    Raises:
        ConfigError: if the name ends otherwise.
    """
    require_movie(path)
    import av

    suffix = path.suffix.lower()
    with atomic_path(path) as temporary:
        options = {} if suffix == ".gif" else {"movflags": "faststart"}
        with av.open(str(temporary), "w", format=suffix[1:], options=options) as container:
            movie = Movie(container, resolution, min(fps, MAX_FPS[suffix]), is_gif=suffix == ".gif")
            yield movie
            movie.finish()


def require_movie(path: Path) -> None:
    """Check that a movie can be written to `path`, before the work is done.

    Raises:
        ConfigError: if its name does not end in .mp4 or .gif, or it is a folder.
    """
    if path.suffix.lower() not in MOVIE_SUFFIXES or path.is_dir():
        raise ConfigError(f"a movie is an .mp4 or .gif file; got {path.name!r}. Name it {path.stem or 'movie'}.mp4.")


def enlarged(picture: UInt8[np.ndarray, "H W 3"], min_width: int) -> UInt8[np.ndarray, "rows columns 3"]:
    """A picture of a small sensor, each pixel repeated until it is at least `min_width` wide."""
    scale = -(-min_width // picture.shape[1])
    return picture.repeat(scale, axis=0).repeat(scale, axis=1)


def _indices(picture: np.ndarray) -> np.ndarray:
    """A picture as entries of `_palette`, uint8 [H, W]."""
    red, green, blue = (picture[..., channel].astype(np.uint32) for channel in range(3))
    grey = (red + green + blue) // 3
    indices = (len(COLOURS) + grey * (NUM_GREYS - 1) // 255).astype(np.uint8)
    packed = red << 16 | green << 8 | blue
    for index, (r, g, b) in enumerate(COLOURS):
        indices[packed == r << 16 | g << 8 | b] = index
    return indices


def _palette() -> np.ndarray:
    """Alpha, red, green, blue of each entry, uint8 [256, 4]."""
    greys = np.linspace(0, 255, NUM_GREYS).round().astype(np.uint8)
    colours = np.concatenate([np.array(COLOURS, np.uint8), np.stack([greys] * 3, axis=1)])
    return np.concatenate([np.full((256, 1), 255, np.uint8), colours], axis=1)

"""Single frames of a file, made one clip."""

from collections.abc import Sequence

import numpy as np

from snnface.events.frames import FrameClip
from snnface.events.readers.assembly import Assembly

__all__ = ["collected_frames"]


def collected_frames(assembly: Assembly, pictures: Sequence[np.ndarray], t_us: Sequence[int]) -> FrameClip | None:
    """The frames as a clip; None if there are none.

    Args:
        pictures: uint8, each [H, W] (grey) or [H, W, C] with C = 3 or 4; a fourth channel is dropped.

    Raises:
        DataError: unless recovering, if one differs from the first in size or format, or its time
            does not come after the one before.
    """
    kept: list[int] = []
    for index, (picture, time) in enumerate(zip(pictures, t_us, strict=True)):
        if kept and (picture.shape, picture.dtype) != (pictures[0].shape, pictures[0].dtype):
            cause = (
                f"all frames must have one size and format; frame {index} is {picture.dtype} {list(picture.shape)}, "
                f"the first {pictures[0].dtype} {list(pictures[0].shape)}."
            )
            assembly.damage(cause, dropped="frames of another size or format")
        elif kept and time <= t_us[kept[-1]]:
            assembly.damage(
                f"frame times must rise; frame {index} does not come after the one before.",
                dropped="frames whose time does not rise",
            )
        else:
            kept.append(index)
    if not kept:
        return None
    stack = np.stack([pictures[index] for index in kept])
    stack = stack[..., np.newaxis] if stack.ndim == 3 else stack[..., :3]
    return FrameClip(pixels=stack, t_us=np.array([t_us[index] for index in kept], dtype=np.int64))

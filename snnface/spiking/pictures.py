"""What an encoder takes in: event pictures [T, B, C, H, W], checked where they enter."""

import torch
from jaxtyping import Float
from torch import Tensor

from snnface.errors import DataError, ShapeError
from snnface.events.window import Resolution

__all__ = ["NonFinitePictureError", "require_pictures"]


class NonFinitePictureError(DataError):
    """An event picture holds NaN or an infinity.

    Attributes:
        batch_index: position of the first such clip in the batch.
    """

    def __init__(self, message: str, *, batch_index: int) -> None:
        super().__init__(message)
        self.batch_index = batch_index


def require_pictures(inputs: Float[Tensor, "*axes"], *, channels: int, resolution: Resolution) -> None:
    """Check that `inputs` are event pictures that an encoder for such pictures can read.

    Raises:
        ShapeError: if axes, channels or size differ, or T or B is 0.
        NonFinitePictureError: if a value is no finite number; names the first.
    """
    wanted = (channels, resolution.height, resolution.width)
    if inputs.ndim != 5 or tuple(inputs.shape[2:]) != wanted:
        raise ShapeError(
            f"the encoder's input must have the axes [T, B, {', '.join(map(str, wanted))}]; its shape is "
            f"{list(inputs.shape)}. Make the pictures with the representation and size that the model was built for."
        )
    if 0 in inputs.shape:
        raise ShapeError(
            f"the encoder's input must have at least one step and one clip; its shape is {list(inputs.shape)}. "
            "Use a longer window or shorter steps."
        )
    # One pass, nothing kept: a sum is finite unless a value is not (or it overflows, which the slow look tells apart).
    if torch.compiler.is_compiling() or torch.isfinite(inputs.sum()):
        return
    bad = ~torch.isfinite(inputs)
    if not bad.any():
        return
    first = bad.nonzero()[0].tolist()
    raise NonFinitePictureError(
        f"the encoder's input holds {int(bad.sum())} values that are no finite numbers, the first at "
        f"[t, b, c, y, x] = {first} ({float(inputs[tuple(first)])}). Look at that clip's recording or representation.",
        batch_index=first[1],
    )

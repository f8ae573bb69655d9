"""Frames between two frames from a network that the user brings."""

import warnings
from pathlib import Path

import numpy as np
from jaxtyping import Float32, UInt8

from snnface.errors import DataError, DatasetNotFoundError

__all__ = ["LearnedInterpolator"]


class LearnedInterpolator:
    """A TorchScript file with `forward(first, second, part) -> frame`, run on the CPU.

    `first`, `second` and the result are float32 [1, 1, H, W], luminance divided by 255;
    `part` is float32 [1] in (0, 1): 0.25 asks for the frame at a quarter of the way from
    `first` to `second`. The result is clipped to 0..1.

    A TorchScript file is a program: whoever names one here has its code run. Nothing is
    unpickled, and no file is ever looked for.

    Raises:
        DatasetNotFoundError: if there is no such file.
        DataError: if it is no TorchScript.
    """

    def __init__(self, path: str | Path) -> None:
        import torch

        self.path = Path(path)
        if not self.path.is_file():
            raise DatasetNotFoundError(f"{path} should be a TorchScript file for interpolation; there is nothing.")
        try:
            with warnings.catch_warnings():
                # torch advises torch.export, whose files fix the size of the frames.
                warnings.simplefilter("ignore", DeprecationWarning)
                self._network = torch.jit.load(str(self.path), map_location="cpu").eval()  # type: ignore[no-untyped-call]
        except (RuntimeError, ValueError, OSError) as error:
            cause = str(error).strip().splitlines()[0]
            raise DataError(
                f"{path} should be a TorchScript file (torch.jit.save); it cannot be loaded ({cause})."
            ) from error

    def frame(
        self, first: UInt8[np.ndarray, "H W"], second: UInt8[np.ndarray, "H W"], part: float
    ) -> Float32[np.ndarray, "H W"]:
        """The frame at `part` of the way, in digital numbers 0..255.

        Raises:
            DataError: if the network fails, or its answer is of another shape or not finite.
        """
        import torch

        ends = [torch.from_numpy(end.astype(np.float32) / np.float32(255))[None, None] for end in (first, second)]
        try:
            with torch.inference_mode():
                answer = self._network(*ends, torch.tensor([part], dtype=torch.float32))
        except (RuntimeError, TypeError, ValueError) as error:
            cause = str(error).strip().splitlines()[-1]
            raise DataError(
                f"{self.path} should take two frames [1, 1, H, W] and a time [1]; it failed ({cause})."
            ) from error
        shape = list(answer.shape) if isinstance(answer, torch.Tensor) else type(answer).__name__
        if shape != [1, 1, *first.shape]:
            raise DataError(f"{self.path} should give a frame {[1, 1, *first.shape]}; it gave {shape}.")
        if not bool(torch.isfinite(answer).all()):
            raise DataError(f"{self.path} should give finite values; its frame at part {part:.3f} has others.")
        return answer[0, 0].clamp(0, 1).mul(255).to(torch.float32).numpy()

"""How alike two pictures are, over a whole set: MSE, RMSE, MAE, PSNR, SSIM and NCC, of sums that add up."""

import numpy as np
import torch
from jaxtyping import Float, Float64
from torch import Tensor

from snnface.errors import DataError, ShapeError

__all__ = ["NUM_SUMS", "picture_metrics", "picture_sums"]

NUM_SUMS = 5
"""Numbers that `picture_sums` keeps of each picture: one, and its MSE, MAE, SSIM and NCC."""

# The Gaussian window of SSIM: sigma 1.5, cut off at 3.5 sigma.
WINDOW = 11


def picture_sums(pictures: Float[Tensor, "B 1 H W"], truths: Float[Tensor, "B 1 H W"]) -> Float64[Tensor, "B 5"]:
    """What the metrics need of each pair of grey pictures in 0..1; those of two pictures are added.

    NCC is the correlation of the pixels of both; 0 where one picture is of one brightness.

    Raises:
        ShapeError: if pictures are smaller than the window of SSIM.

    Source: SSIM: Wang et al. 2004, "Image quality assessment", sec. III.C (Gaussian window of 11 x 11,
        sigma 1.5, K1 0.01, K2 0.03), computed by scikit-image.
    """
    if min(pictures.shape[2:]) < WINDOW:
        raise ShapeError(
            f"SSIM needs pictures of {WINDOW} x {WINDOW} pixels at least; got {tuple(pictures.shape[2:])}."
        )
    pairs = zip(_plain(pictures), _plain(truths), strict=True)
    rows = np.array([_of_pair(picture, truth) for picture, truth in pairs], np.float64).reshape(-1, NUM_SUMS)
    return torch.from_numpy(rows)


def picture_metrics(sums: Float64[Tensor, "*D 5"]) -> dict[str, Float64[Tensor, "*D"]]:
    """Metrics of the whole set from the sum of `picture_sums`.

    `mse`, `mae`, `ssim` and `ncc` are means over pictures; `rmse` and `psnr` (in dB, of a peak of 1)
    are those of the set's `mse`, so that one perfect picture does not make the PSNR of a set infinite.

    Raises:
        DataError: if there is no picture.
    """
    n = sums[..., 0]
    if not (n > 0).all():
        raise DataError("metrics need at least one picture; got none.")
    mse, mae, ssim, ncc = (sums[..., k] / n for k in range(1, NUM_SUMS))
    return {"mse": mse, "rmse": mse.sqrt(), "mae": mae, "psnr": -10 * torch.log10(mse), "ssim": ssim, "ncc": ncc}


def _plain(pictures: Float[Tensor, "B 1 H W"]) -> Float64[np.ndarray, "B H W"]:
    return pictures[:, 0].detach().double().cpu().numpy()


def _of_pair(picture: Float64[np.ndarray, "H W"], truth: Float64[np.ndarray, "H W"]) -> tuple[float, ...]:
    # Imported here: what does not look at pictures need not load it.
    from skimage.metrics import structural_similarity

    error = picture - truth
    ssim = structural_similarity(
        picture, truth, data_range=1.0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False
    )
    a, b = picture - picture.mean(), truth - truth.mean()
    spread = np.sqrt((a * a).sum() * (b * b).sum())
    ncc = (a * b).sum() / spread if spread > 0 else 0.0
    return 1.0, float((error * error).mean()), float(np.abs(error).mean()), float(ssim), float(ncc)

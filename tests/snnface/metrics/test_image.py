import numpy as np
import pytest
import torch
from skimage.metrics import mean_squared_error, peak_signal_noise_ratio, structural_similarity

from snnface.errors import DataError, ShapeError
from snnface.metrics import picture_metrics, picture_sums

GENERATOR = torch.Generator().manual_seed(0)
TRUTHS = torch.rand(3, 1, 16, 20, generator=GENERATOR)
PICTURES = (TRUTHS + 0.2 * torch.randn(3, 1, 16, 20, generator=GENERATOR)).clamp(0, 1)


def metrics_of(pictures: torch.Tensor, truths: torch.Tensor) -> dict[str, float]:
    return {name: float(value) for name, value in picture_metrics(picture_sums(pictures, truths).sum(0)).items()}


def test_errors_by_hand() -> None:
    truth = torch.full((1, 1, 12, 12), 0.5)
    picture = truth.clone()
    picture[..., :6] += 0.2
    found = metrics_of(picture, truth)
    assert found["mse"] == pytest.approx(0.02)
    assert found["rmse"] == pytest.approx(0.02**0.5)
    assert found["mae"] == pytest.approx(0.1)
    assert found["psnr"] == pytest.approx(10 * np.log10(50), abs=1e-5)
    # The truth is of one brightness: nothing to correlate with.
    assert found["ncc"] == 0.0


def test_metrics_are_those_of_scikit_image_and_numpy() -> None:
    found = metrics_of(PICTURES, TRUTHS)
    pairs = [(a[0].double().numpy(), b[0].double().numpy()) for a, b in zip(PICTURES, TRUTHS, strict=True)]
    gaussian = {"data_range": 1.0, "gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False}
    assert found["ssim"] == pytest.approx(np.mean([structural_similarity(a, b, **gaussian) for a, b in pairs]))
    assert found["ncc"] == pytest.approx(np.mean([np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in pairs]))
    assert found["mse"] == pytest.approx(np.mean([mean_squared_error(a, b) for a, b in pairs]))
    everything = [np.concatenate(side) for side in zip(*pairs, strict=True)]
    assert found["psnr"] == pytest.approx(peak_signal_noise_ratio(*everything, data_range=1.0))


def test_one_perfect_picture_does_not_make_the_psnr_of_a_set_infinite() -> None:
    pictures = torch.cat([TRUTHS[:1], PICTURES[1:2]])
    found = metrics_of(pictures, TRUTHS[:2])
    alone = metrics_of(PICTURES[1:2], TRUTHS[1:2])
    assert found["psnr"] == pytest.approx(alone["psnr"] + 10 * np.log10(2))


def test_the_same_picture_is_as_alike_as_can_be() -> None:
    found = metrics_of(TRUTHS, TRUTHS)
    assert found["ssim"] == pytest.approx(1)
    assert found["ncc"] == pytest.approx(1)
    assert found["mse"] == 0.0


def test_a_picture_smaller_than_the_window_is_refused() -> None:
    with pytest.raises(ShapeError, match="11 x 11 pixels at least"):
        picture_sums(torch.zeros(1, 1, 8, 20), torch.zeros(1, 1, 8, 20))


def test_a_set_without_pictures_has_no_metrics() -> None:
    with pytest.raises(DataError, match="at least one picture"):
        picture_metrics(torch.zeros(5, dtype=torch.float64))

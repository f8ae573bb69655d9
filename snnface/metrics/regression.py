"""How well numbers over time are told: RMSE, PCC, CCC and SAGR over a whole set, of sums that add up over clips."""

import torch
from jaxtyping import Bool, Float, Float64
from torch import Tensor

from snnface.errors import DataError

__all__ = ["NUM_MOMENTS", "explained_variance", "moments", "regression_metrics"]

NUM_MOMENTS = 7
"""Numbers that `moments` keeps of each dimension: n, x, y, xx, yy, xy (summed) and equal signs (counted)."""

# Of a series' mean square: what is smaller is rounding, not change.
CONSTANT = 1e-12


def moments(
    answers: Float[Tensor, "*N K"], labels: Float[Tensor, "*N K"], present: Bool[Tensor, "*N"]
) -> Float64[Tensor, "K 7"]:
    """What the metrics need of pairs (answer x, label y), per dimension; those of two sets are added.

    Pairs that are not present do not count.
    """
    x, y = (numbers[present].double() for numbers in (answers, labels))
    same_sign = (x >= 0) == (y >= 0)
    columns = (torch.ones_like(x), x, y, x * x, y * y, x * y, same_sign.double())
    return torch.stack([column.sum(0) for column in columns], dim=-1)


def regression_metrics(sums: Float64[Tensor, "*D K 7"]) -> dict[str, Float64[Tensor, "*D K"]]:
    """Metrics of each dimension, from `moments` of the whole set.

        rmse   sqrt(mean((x - y)^2))
        pcc    cov(x, y) / (std(x) std(y))                                   Pearson's correlation
        ccc    2 cov(x, y) / (var(x) + var(y) + (mean(x) - mean(y))^2)       Lin 1989, eq. for rho_c
        sagr   share of pairs of one sign

    Variances divide by n. A series that does not change has neither pcc nor ccc; both are 0 here,
    so that a constant answer is never better than one that follows. The sign of 0 is +, for
    answers and labels alike.

    Source: sagr: Nicolaou et al. 2011, "Continuous prediction of spontaneous affect"; the sign of 0 is ours.

    Raises:
        DataError: if there is no pair.
    """
    n = sums[..., 0]
    if not (n > 0).all():
        raise DataError("metrics need at least one labelled step; got none.")
    mean_x, mean_y, xx, yy, xy, same = (sums[..., k] / n for k in range(1, NUM_MOMENTS))
    var_x, var_y = ((square - mean**2).clamp(min=0) for square, mean in ((xx, mean_x), (yy, mean_y)))
    covariance = xy - mean_x * mean_y
    changes = (var_x > CONSTANT * xx) & (var_y > CONSTANT * yy)
    zero = torch.zeros_like(n)
    apart = var_x + var_y + (mean_x - mean_y) ** 2
    return {
        "rmse": (xx + yy - 2 * xy).clamp(min=0).sqrt(),
        "pcc": torch.where(changes, covariance / (var_x * var_y).sqrt(), zero),
        "ccc": torch.where(changes, 2 * covariance / apart, zero),
        "sagr": same,
    }


def explained_variance(sums: Float64[Tensor, "*D K 7"]) -> Float64[Tensor, "*D"]:
    """Of all dimensions together, from `moments` of the whole set: 1 - squared error / squares around the mean.

    1 is perfect, 0 as good as the set's own mean (and 0 where no label varies), less than that is worse.

    Raises:
        DataError: if there is no pair.
    """
    rmse, n = regression_metrics(sums)["rmse"], sums[..., 0]
    around_mean = (sums[..., 4] - sums[..., 2] ** 2 / n).clamp(min=0)
    varies = (around_mean > CONSTANT * sums[..., 4]).any(-1)
    share = 1 - (n * rmse**2).sum(-1) / around_mean.sum(-1).clamp(min=1e-30)
    return torch.where(varies, share, torch.zeros_like(share))

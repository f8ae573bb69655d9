import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.functional.regression import concordance_corrcoef, mean_squared_error

from snnface.errors import DataError
from snnface.metrics import explained_variance, moments, regression_metrics


def metrics_of(answers: torch.Tensor, labels: torch.Tensor, present: torch.Tensor | None = None) -> dict[str, float]:
    mask = torch.ones(len(answers), dtype=torch.bool) if present is None else present
    found = regression_metrics(moments(answers[:, None], labels[:, None], mask))
    return {name: float(values[0]) for name, values in found.items()}


def test_metrics_by_hand() -> None:
    # x = 0, 1, 2 and y = 0, 2, 1: means 1, variances 2/3, covariance 1/3.
    found = metrics_of(torch.tensor([0.0, 1.0, 2.0]), torch.tensor([0.0, 2.0, 1.0]))
    assert found["rmse"] == pytest.approx((2 / 3) ** 0.5)
    assert found["pcc"] == pytest.approx(0.5)
    assert found["ccc"] == pytest.approx(0.5)


def test_the_concordance_pays_for_an_offset_where_the_correlation_does_not() -> None:
    labels = torch.tensor([0.0, 1.0, 2.0, 3.0])
    found = metrics_of(labels + 1, labels)
    assert found["pcc"] == pytest.approx(1.0)
    # 2 * 1.25 / (1.25 + 1.25 + 1)
    assert found["ccc"] == pytest.approx(2.5 / 3.5)


@given(st.integers(0, 2**31), st.integers(3, 200), st.floats(-2, 2), st.floats(0.01, 3))
def test_metrics_are_those_of_scipy_and_torchmetrics(seed: int, count: int, shift: float, scale: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randn(count, generator=generator, dtype=torch.float64)
    answers = scale * (labels + torch.randn(count, generator=generator, dtype=torch.float64)) + shift
    found = metrics_of(answers, labels)
    assert found["pcc"] == pytest.approx(scipy.stats.pearsonr(answers.numpy(), labels.numpy()).statistic, abs=1e-9)
    assert found["rmse"] == pytest.approx(float(mean_squared_error(answers, labels, squared=False)), rel=1e-9)
    # torchmetrics divides variances and covariance by n - 1.
    x, y = answers.numpy(), labels.numpy()
    apart = x.var() + y.var() + (x.mean() - y.mean()) ** 2
    assert found["ccc"] == pytest.approx(2 * np.cov(x, y, bias=True)[0, 1] / apart, abs=1e-9)
    assert found["ccc"] == pytest.approx(float(concordance_corrcoef(answers, labels)), abs=2 / count)


@pytest.mark.parametrize("value", [0.0, 0.3, -0.7])
def test_a_series_that_never_changes_has_no_correlation_and_no_concordance(value: float) -> None:
    generator = torch.Generator().manual_seed(0)
    labels, constant = torch.rand(1000, generator=generator), torch.full((1000,), value)
    for answers, wanted in ((constant, labels), (labels, constant), (constant, constant)):
        found = metrics_of(answers, wanted)
        assert found["pcc"] == 0.0
        assert found["ccc"] == 0.0


def test_the_sign_of_zero_is_plus() -> None:
    answers, labels = torch.tensor([0.0, 0.0, 0.1, -0.1]), torch.tensor([0.2, -0.2, 0.0, 0.0])
    assert metrics_of(answers, labels)["sagr"] == 0.5


def test_metrics_are_of_the_whole_set_not_means_of_its_parts() -> None:
    x, y = torch.tensor([[0.0], [1.0], [5.0], [6.0]]), torch.tensor([[1.0], [0.0], [6.0], [5.0]])
    here = torch.ones(2, dtype=torch.bool)
    added = moments(x[:2], y[:2], here) + moments(x[2:], y[2:], here)
    # Each half is anticorrelated, the whole is not.
    assert float(regression_metrics(added)["pcc"][0]) == pytest.approx(12 / 13)
    assert float(regression_metrics(moments(x[:2], y[:2], here))["pcc"][0]) == pytest.approx(-1)


def test_pairs_without_a_label_do_not_count() -> None:
    answers, labels = torch.tensor([0.0, 1.0, 9.0]), torch.tensor([0.0, 1.0, 0.0])
    assert metrics_of(answers, labels, torch.tensor([True, True, False]))["rmse"] == 0.0


def test_a_set_without_labels_has_no_metrics() -> None:
    with pytest.raises(DataError, match="at least one labelled step"):
        metrics_of(torch.zeros(2), torch.zeros(2), torch.zeros(2, dtype=torch.bool))


def explained(answers: torch.Tensor, labels: torch.Tensor) -> float:
    return float(explained_variance(moments(answers, labels, torch.ones(len(answers), dtype=torch.bool))))


def test_the_explained_variance_by_hand() -> None:
    # Squares around the means 2 + 8, squared errors 1 + 4: half of the variance of both dimensions together.
    labels = torch.tensor([[0.0, 0.0], [1.0, 2.0], [2.0, 4.0]])
    answers = torch.tensor([[0.0, 0.0], [0.0, 2.0], [2.0, 2.0]])
    assert explained(answers, labels) == pytest.approx(0.5)
    assert explained(labels, labels) == pytest.approx(1.0)
    assert explained(labels.mean(0).expand(3, 2), labels) == pytest.approx(0.0)


def test_where_no_label_varies_nothing_is_explained() -> None:
    assert explained(drawn(5), torch.full((5, 2), 0.3)) == 0.0


@given(st.integers(0, 2**31))
def test_of_two_answers_the_one_with_less_squared_error_explains_more(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    labels, one, other = torch.randn(3, 30, 2, generator=generator, dtype=torch.float64)
    errors = [float((answers - labels).square().mean()) for answers in (one, other)]
    assert (explained(one, labels) > explained(other, labels)) == (errors[0] < errors[1])


def drawn(count: int) -> torch.Tensor:
    return torch.rand(count, 2, generator=torch.Generator().manual_seed(0))

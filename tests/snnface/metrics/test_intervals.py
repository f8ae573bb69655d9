import numpy as np
import pytest
import torch

from snnface.errors import DataError
from snnface.metrics import subject_intervals


def share(sums: torch.Tensor) -> dict[str, torch.Tensor]:
    """Statistics are (clips, right ones)."""
    return {"share": sums[..., 1] / sums[..., 0]}


def rows(right: list[float]) -> torch.Tensor:
    return torch.tensor([[1.0, value] for value in right], dtype=torch.float64)


def test_the_interval_draws_subjects_not_clips() -> None:
    # Two subjects, one all right, one all wrong: draws are 0, 1/2 or 1, however many clips there are.
    statistics = rows([1.0] * 50 + [0.0] * 50)
    found = subject_intervals(statistics, share, ["a"] * 50 + ["b"] * 50, generator=np.random.default_rng(0))
    assert found == {"share": (0.0, 1.0)}


def test_the_interval_of_certainty_is_a_point() -> None:
    found = subject_intervals(rows([1.0] * 4), share, list("abcd"), generator=np.random.default_rng(0))
    assert found["share"] == (1.0, 1.0)


def test_the_interval_of_many_subjects_is_that_of_the_normal_approximation() -> None:
    generator = np.random.default_rng(1)
    values = generator.random(400)
    names = [str(index) for index in range(400)]
    low, high = subject_intervals(rows(values.tolist()), share, names, generator=generator)["share"]
    half = 1.96 * values.std() / np.sqrt(400)
    assert low == pytest.approx(values.mean() - half, abs=0.004)
    assert high == pytest.approx(values.mean() + half, abs=0.004)


def test_a_subject_without_labels_is_not_drawn() -> None:
    statistics = torch.cat([rows([1.0]), torch.zeros(1, 2, dtype=torch.float64)])
    found = subject_intervals(statistics, share, ["a", "b"], generator=np.random.default_rng(0))
    assert found["share"] == (1.0, 1.0)


@pytest.mark.parametrize(("count", "subjects"), [(0, []), (2, ["a"])])
def test_an_interval_needs_a_subject_for_each_clip(count: int, subjects: list[str]) -> None:
    with pytest.raises(DataError, match=f"one subject a clip; got {count} clips, {len(subjects)} subjects"):
        subject_intervals(rows([1.0] * count).reshape(count, 2), share, subjects, generator=np.random.default_rng(0))


def test_an_interval_of_unlabelled_clips_is_refused() -> None:
    with pytest.raises(DataError, match="at least one labelled clip"):
        subject_intervals(torch.zeros(2, 2, dtype=torch.float64), share, ["a", "b"], generator=np.random.default_rng(0))

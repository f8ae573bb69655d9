import numpy as np
import pytest
import torch

from snnface.errors import DataError
from snnface.metrics import Judged, moments, paired_intervals, regression_metrics, subject_intervals


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
    statistics = torch.cat([rows([1.0, 1.0]), torch.zeros(1, 2, dtype=torch.float64)])
    found = subject_intervals(statistics, share, list("abc"), generator=np.random.default_rng(0))
    assert found["share"] == (1.0, 1.0)


def test_of_one_subject_there_is_no_interval_however_many_its_clips() -> None:
    unlabelled = torch.zeros(1, 2, dtype=torch.float64)
    for statistics, subjects in ((rows([1.0, 0.0]), "aa"), (torch.cat([rows([1.0, 0.0]), unlabelled]), "aab")):
        assert subject_intervals(statistics, share, list(subjects), generator=np.random.default_rng(0)) == {}
    one = judged([1.0, 0.0], "aa")
    assert paired_intervals(one, one, generator=np.random.default_rng(0)) == {}


@pytest.mark.parametrize(("count", "subjects"), [(0, []), (2, ["a"])])
def test_an_interval_needs_a_subject_for_each_clip(count: int, subjects: list[str]) -> None:
    with pytest.raises(DataError, match=f"one subject a clip; got {count} clips, {len(subjects)} subjects"):
        subject_intervals(rows([1.0] * count).reshape(count, 2), share, subjects, generator=np.random.default_rng(0))


def test_an_interval_of_unlabelled_clips_is_refused() -> None:
    with pytest.raises(DataError, match="at least one labelled clip"):
        subject_intervals(torch.zeros(2, 2, dtype=torch.float64), share, ["a", "b"], generator=np.random.default_rng(0))


def judged(right: list[float], subjects: str) -> Judged:
    return Judged(rows(right), share, list(subjects))


def test_a_difference_that_every_subject_shows_is_certain() -> None:
    # Shares 0.9 and 0.8, 0.5 and 0.4, 0.1 and 0: whoever is drawn, the first is better by 0.1.
    one, other = judged([0.9, 0.5, 0.1], "abc"), judged([0.8, 0.4, 0.0], "abc")
    low, high = paired_intervals(one, other, generator=np.random.default_rng(0))["share"]
    assert low == pytest.approx(0.1)
    assert high == pytest.approx(0.1)


def test_the_difference_is_the_first_minus_the_second_and_draws_subjects() -> None:
    # a: 1 - 0, b: 0 - 0; drawn with replacement the mean difference is 0, 1/2 or 1.
    one, other = judged([1.0] * 30 + [0.0] * 30, "a" * 30 + "b" * 30), judged([0.0] * 2, "ab")
    assert paired_intervals(one, other, generator=np.random.default_rng(0)) == {"share": (0.0, 1.0)}
    assert paired_intervals(other, one, generator=np.random.default_rng(0)) == {"share": (-1.0, 0.0)}


def test_two_models_whose_own_intervals_overlap_are_told_apart_by_pairs() -> None:
    generator, num_people, steps = np.random.default_rng(2), 12, 40
    names = [f"person{index:02d}" for index in range(num_people)]
    labels = torch.from_numpy(generator.normal(0, 1, (num_people, steps, 1)) * generator.uniform(0.1, 0.5, (12, 1, 1)))
    found = {}
    # Both answer a share of the truth; some people move much and are hard for either.
    for name, part in {"better": 0.3, "worse": 0.1}.items():
        answers = part * labels + torch.from_numpy(generator.normal(0, 0.03, labels.shape))
        of_people = [moments(answers[k], labels[k], torch.ones(steps, dtype=torch.bool)) for k in range(num_people)]
        found[name] = Judged(
            torch.stack(of_people).flatten(1),
            lambda sums: {"rmse": regression_metrics(sums[..., None, :])["rmse"][..., 0]},
            names,
        )
    (low, high), (other_low, _) = (
        subject_intervals(each.statistics, each.metrics, names, generator=np.random.default_rng(0))["rmse"]
        for each in (found["better"], found["worse"])
    )
    assert low < other_low < high
    apart_low, apart_high = paired_intervals(found["better"], found["worse"], generator=np.random.default_rng(0))[
        "rmse"
    ]
    assert apart_low < apart_high < 0


def test_equal_answers_differ_by_nothing_and_noise_by_an_interval_around_nothing() -> None:
    generator = np.random.default_rng(3)
    values, names = generator.random(60), [str(index) for index in range(60)]
    one = Judged(rows(values.tolist()), share, names)
    assert paired_intervals(one, one, generator=np.random.default_rng(0))["share"] == (0.0, 0.0)
    noisy = Judged(rows((values + generator.normal(0, 0.1, 60)).tolist()), share, names)
    low, high = paired_intervals(noisy, one, generator=np.random.default_rng(0))["share"]
    assert low < 0 < high


def test_only_metrics_that_both_have_are_compared() -> None:
    one = judged([1.0, 0.0], "ab")
    two = Judged(one.statistics, lambda sums: {**share(sums), "count": sums[..., 0]}, one.subjects)
    assert set(paired_intervals(two, one, generator=np.random.default_rng(0))) == {"share"}


def test_pairs_of_different_subjects_are_refused() -> None:
    # Of "c" the second has no label.
    other = Judged(torch.cat([rows([1.0, 1.0]), torch.zeros(1, 2, dtype=torch.float64)]), share, ["a", "b", "c"])
    with pytest.raises(DataError, match="the same subjects on both sides; 'c' is on one alone"):
        paired_intervals(judged([1.0, 0.0, 0.0], "abc"), other, generator=np.random.default_rng(0))

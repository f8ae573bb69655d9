import pytest
import torch

from snnface.datasets.clip import Batch
from snnface.errors import ConfigError, DataError
from snnface.tasks import ScoringMeter, ValenceArousalTask, ValenceArousalTaskConfig

TASK = ValenceArousalTask(ValenceArousalTaskConfig())
NAME = "valence_arousal"


def batch(labels: torch.Tensor, *, present: list[bool] | None = None, **further: torch.Tensor) -> Batch:
    """Labels [B, T, 2]; further targets are present for every clip."""
    size = len(labels)
    return Batch(
        inputs=torch.zeros(labels.shape[1], size, 2, 4, 4),
        targets={NAME: labels, **further},
        present={NAME: torch.tensor(present or [True] * size)}
        | {name: torch.ones(size, dtype=torch.bool) for name in further},
        clip_ids=tuple(f"clip{index}" for index in range(size)),
    )


def drawn(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def test_the_loss_is_the_mean_square_over_steps_clips_and_dimensions() -> None:
    labels = torch.zeros(1, 2, 2)
    answers = torch.tensor([[[1.0, 0.0]], [[0.0, 3.0]]])
    loss = TASK.loss({NAME: answers}, batch(labels))
    assert loss.value == pytest.approx((1 + 9) / 4)
    assert loss.parts == {"valence_arousal_mse": pytest.approx(2.5)}


def test_a_right_answer_scores_better_than_a_wrong_one() -> None:
    labels = drawn(2, 5, 2)
    right = labels.transpose(0, 1)
    for weight in (0.0, 1.0):
        task = ValenceArousalTask(ValenceArousalTaskConfig(ccc_weight=weight))
        assert task.loss({NAME: right}, batch(labels)).value < task.loss({NAME: -right}, batch(labels)).value


def test_one_minus_ccc_joins_the_loss_with_its_weight() -> None:
    labels, task = drawn(2, 50, 2), ValenceArousalTask(ValenceArousalTaskConfig(ccc_weight=0.5))
    answers = drawn(50, 2, 2, seed=1)
    loss = task.loss({NAME: answers}, batch(labels))
    parts = loss.parts
    assert loss.value == pytest.approx(parts["valence_arousal_mse"] + 0.5 * parts["valence_arousal_1_minus_ccc"])
    meter = task.meter()
    meter.update({NAME: answers}, batch(labels))
    assert parts["valence_arousal_1_minus_ccc"] == pytest.approx(1 - meter.compute()["ccc"], abs=1e-4)


def test_checkpoints_are_chosen_by_what_is_minimised() -> None:
    """Answers that range as widely as the labels have more concordance, and more error, than timid ones."""
    labels = drawn(2, 50, 2)
    found = {}
    for name, share, noise in (("bold", 1.0, 1.0), ("timid", 0.4, 0.3)):
        meter = TASK.meter()
        answers = share * labels + noise * drawn(2, 50, 2, seed=1)
        meter.update({NAME: answers.transpose(0, 1)}, batch(labels))
        found[name] = meter.compute()
    assert found["bold"]["ccc"] > found["timid"]["ccc"]
    assert found["bold"]["rmse_valence"] > found["timid"]["rmse_valence"]
    assert TASK.selection_metric == "r2"
    assert found["timid"]["r2"] > found["bold"]["r2"]
    assert ValenceArousalTask(ValenceArousalTaskConfig(ccc_weight=0.1)).selection_metric == "ccc"


@pytest.mark.parametrize("mask", ["step_present", "valence_arousal_present"])
def test_masked_steps_change_nothing(mask: str) -> None:
    labels, answers = drawn(2, 6, 2), drawn(6, 2, 2, seed=1)
    here = torch.tensor([[False, False, True, True, True, True]] * 2)
    spoiled = labels.clone()
    spoiled[:, :2] = 100.0
    output, cut = {NAME: answers}, {NAME: answers[2:]}
    masked = batch(spoiled, **{mask: here})
    assert TASK.loss(output, masked).value == pytest.approx(TASK.loss(cut, batch(labels[:, 2:])).value)
    whole, part = TASK.meter(), TASK.meter()
    whole.update(output, masked)
    part.update(cut, batch(labels[:, 2:]))
    assert whole.compute() == pytest.approx(part.compute())


def test_a_clip_without_labels_changes_nothing() -> None:
    labels, answers = drawn(2, 4, 2), drawn(4, 2, 2, seed=1)
    labels[1] = 0
    with_absent = batch(labels, present=[True, False])
    assert TASK.loss({NAME: answers}, with_absent).value == TASK.loss({NAME: answers[:, :1]}, batch(labels[:1])).value
    assert TASK.statistics({NAME: answers}, with_absent)[1].sum() == 0


def test_a_batch_without_any_labelled_step_has_no_loss_and_no_gradient() -> None:
    answers = torch.ones(3, 1, 2, requires_grad=True)
    loss = TASK.loss({NAME: answers}, batch(torch.zeros(1, 3, 2), present=[False]))
    loss.total.backward()
    assert loss.value == 0.0
    assert answers.grad is not None
    assert not answers.grad.any()


def test_valence_and_arousal_may_be_two_labels() -> None:
    task = ValenceArousalTask(ValenceArousalTaskConfig(labels=("valence", "arousal")))
    labels, answers = drawn(2, 4, 2), drawn(4, 2, 2, seed=1)
    apart = Batch(
        inputs=torch.zeros(4, 2, 2, 4, 4),
        targets={"valence": labels[..., 0], "arousal": labels[..., 1]},
        present={"valence": torch.ones(2).bool(), "arousal": torch.ones(2).bool()},
        clip_ids=("a", "b"),
    )
    assert task.loss({NAME: answers}, apart).value == pytest.approx(TASK.loss({NAME: answers}, batch(labels)).value)


def test_metrics_are_of_the_whole_set_not_means_over_batches() -> None:
    labels, answers = drawn(4, 20, 2), drawn(20, 4, 2, seed=1)
    whole, pieces = TASK.meter(), TASK.meter()
    whole.update({NAME: answers}, batch(labels))
    for clip in range(4):
        pieces.update({NAME: answers[:, clip : clip + 1]}, batch(labels[clip : clip + 1]))
    assert isinstance(whole, ScoringMeter)
    assert pieces.compute() == pytest.approx(whole.compute())


def test_the_mean_predictor_knows_the_training_clips_alone_and_has_no_concordance() -> None:
    training, test = batch(torch.full((3, 5, 2), 0.25)), batch(drawn(2, 5, 2))
    predictors = TASK.predictors([training])
    assert list(predictors) == ["constant", "mean"]
    answers = predictors["mean"](test)
    assert answers[NAME].shape == (5, 2, 2)
    assert (answers[NAME] == 0.25).all()
    assert not predictors["constant"](test)[NAME].any()
    meter = TASK.meter()
    meter.update(answers, test)
    assert meter.compute()["ccc"] == 0.0


def test_answers_to_whole_clips_are_refused() -> None:
    with pytest.raises(DataError, match=r"answered in every step, \[T, B, 2\]; got \[1, 2\]. Choose a temporal part"):
        TASK.loss({NAME: torch.zeros(1, 2)}, batch(torch.zeros(1, 3, 2)))


def test_labels_at_other_times_than_the_steps_are_refused() -> None:
    with pytest.raises(DataError, match="a row for each of 4 answers over time"):
        TASK.loss({NAME: torch.zeros(4, 1, 2)}, batch(torch.zeros(1, 660, 2)))


def test_data_without_such_labels_are_refused_by_name() -> None:
    task = ValenceArousalTask(ValenceArousalTaskConfig(labels=("valence", "arousal")))
    with pytest.raises(DataError, match="no clip of clip0 has the label 'valence'; they have valence_arousal"):
        task.loss({NAME: torch.zeros(3, 1, 2)}, batch(torch.zeros(1, 3, 2)))


def test_a_negative_weight_is_refused() -> None:
    with pytest.raises(ConfigError, match="ccc_weight must be at least 0"):
        ValenceArousalTaskConfig(ccc_weight=-1)

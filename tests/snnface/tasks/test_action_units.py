import math
from typing import Any

import pytest
import torch

from snnface.datasets.clip import Batch
from snnface.errors import ConfigError, DataError
from snnface.tasks import ActionUnitTask, ActionUnitTaskConfig

TASK = ActionUnitTask(ActionUnitTaskConfig(), num_classes=3)


def batch(labels: list[int], present: list[bool]) -> Batch:
    return Batch(
        inputs=torch.zeros(1, len(labels), 2, 4, 4),
        targets={"action_unit": torch.tensor(labels)},
        present={"action_unit": torch.tensor(present)},
        clip_ids=tuple(f"clip{index}" for index in range(len(labels))),
    )


def test_the_loss_is_the_mean_square_to_the_one_hot_label() -> None:
    loss = TASK.loss({"action_unit": torch.tensor([[0.5, 0.0, 1.0]])}, batch([2], [True]))
    assert float(loss.total) == pytest.approx(0.25 / 3)
    assert loss.parts == {"action_unit_mse": pytest.approx(0.25 / 3)}


def test_a_right_answer_scores_better_than_a_wrong_one() -> None:
    right = TASK.loss({"action_unit": torch.tensor([[0.0, 1.0, 0.0]])}, batch([1], [True]))
    wrong = TASK.loss({"action_unit": torch.tensor([[1.0, 0.0, 0.0]])}, batch([1], [True]))
    assert float(right.total) < float(wrong.total)


def test_absent_labels_change_nothing() -> None:
    answers = torch.tensor([[0.2, 0.1, 0.9], [5.0, -3.0, 2.0]])
    with_absent, without = batch([2, 0], [True, False]), batch([2], [True])
    output = {"action_unit": answers}
    assert float(TASK.loss(output, with_absent).total) == float(TASK.loss({"action_unit": answers[:1]}, without).total)
    meter = TASK.meter()
    meter.update(output, with_absent)
    assert meter.compute()["top1"] == 1.0


def test_metrics_are_taken_over_the_whole_set_not_averaged_over_batches() -> None:
    meter = TASK.meter()
    meter.update({"action_unit": torch.eye(3)}, batch([0, 1, 2], [True] * 3))
    meter.update({"action_unit": torch.tensor([[1.0, 0, 0]])}, batch([1], [True]))
    assert meter.compute()["top1"] == 0.75


def test_a_batch_without_any_label_is_refused_by_name() -> None:
    with pytest.raises(DataError, match="no clip of clip0 has the label 'action_unit'"):
        TASK.loss({"action_unit": torch.zeros(1, 3)}, batch([0], [False]))


def task(**options: Any) -> ActionUnitTask:
    return ActionUnitTask(ActionUnitTaskConfig(**options), num_classes=3)


def test_cross_entropy_takes_the_answers_as_logits() -> None:
    answers = torch.tensor([[0.0, math.log(2.0), 0.0]])
    loss = task(loss="cross_entropy").loss({"action_unit": answers}, batch([1], [True]))
    assert float(loss.total) == pytest.approx(-math.log(2 / 4))
    assert loss.parts == {"action_unit_cross_entropy": pytest.approx(math.log(2.0))}


def test_smoothing_spreads_a_share_of_the_wanted_answer() -> None:
    # 0.3 spread over three classes: the wanted answer is 0.8, 0.1, 0.1.
    answers = torch.tensor([[0.8, 0.1, 0.0]])
    loss = task(label_smoothing=0.3).loss({"action_unit": answers}, batch([0], [True]))
    assert float(loss.total) == pytest.approx(0.01 / 3)


def test_smoothed_cross_entropy_is_that_of_torch() -> None:
    answers = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    ours = task(loss="cross_entropy", label_smoothing=0.2).loss(
        {"action_unit": answers}, batch([0, 2, 1, 1], [True] * 4)
    )
    theirs = torch.nn.functional.cross_entropy(answers, torch.tensor([0, 2, 1, 1]), label_smoothing=0.2)
    assert float(ours.total) == pytest.approx(float(theirs))


def test_the_loss_of_every_step_is_averaged() -> None:
    answers = torch.randn(5, 2, 3, generator=torch.Generator().manual_seed(1))
    labels = batch([1, 2], [True, True])
    for options in ({}, {"loss": "cross_entropy"}):
        steps = [float(task(**options).loss({"action_unit": step}, labels).total) for step in answers]
        assert float(task(**options).loss({"action_unit": answers}, labels).total) == pytest.approx(sum(steps) / 5)


def test_lambda_pulls_the_answers_of_every_step_to_phi() -> None:
    answers = torch.tensor([[[1.0, 3.0, 1.0]], [[1.0, 1.0, 1.0]]])
    config = {"loss": "cross_entropy", "tet_lambda": 0.25, "tet_phi": 1.0}
    loss = task(**config).loss({"action_unit": answers}, batch([1], [True]))
    each = [math.log(1 + 2 * math.exp(-2)), math.log(3)]
    assert loss.parts["action_unit_tet"] == pytest.approx(4 / 6)
    assert float(loss.total) == pytest.approx(0.75 * sum(each) / 2 + 0.25 * 4 / 6)


def test_answers_of_every_step_are_measured_by_their_mean_without_absent_clips() -> None:
    answers = torch.tensor([[[9.0, 0.0, 0.0], [0.0, 1.0, 0.0]], [[0.0, 5.0, 0.0], [1.5, 0.0, 0.0]]])
    meter = TASK.meter()
    meter.update({"action_unit": answers}, batch([0, 1], [True, False]))
    assert meter.compute()["top1"] == 1.0


def test_lambda_needs_answers_of_every_step() -> None:
    with pytest.raises(ConfigError, match="this model gives one a clip"):
        task(tet_lambda=0.1).loss({"action_unit": torch.zeros(1, 3)}, batch([1], [True]))


def test_shares_outside_their_range_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"label_smoothing is a share in \[0, 1\); got 1"):
        ActionUnitTaskConfig(label_smoothing=1)

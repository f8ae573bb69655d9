import pytest
import torch

from snnface.datasets.clip import Batch
from snnface.errors import DataError
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

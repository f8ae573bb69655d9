"""The lessons of fine-tuning: their losses by hand, and what is no lesson."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from conversion.calibration.fine_tuning import FineTuningConfig, Lesson, fine_tune
from snnface.errors import DataError, NonFiniteLossError

INPUTS = np.zeros((2, 1))


def test_classes_are_learnt_from_softened_answers_and_labels():
    teacher, answers = np.array([[2.0, 0.0], [0.0, 4.0]]), torch.tensor([[0.0, 0.0], [0.0, 4.0]])
    lesson = Lesson(INPUTS, teacher, None, "classification")
    # KL of softmax([1, 0]) and (1/2, 1/2), times 4; the second sample is right already.
    p = 1 / (1 + np.exp(-1.0))
    divergence = p * np.log(2 * p) + (1 - p) * np.log(2 * (1 - p))
    distilled = lesson.loss(answers, torch.tensor([0, 1])).item()
    assert distilled == pytest.approx(4 * divergence / 2, rel=1e-5)
    labelled = Lesson(INPUTS, teacher, np.array([0, 1]), "classification")
    entropy = (np.log(2) + np.log1p(np.exp(-4.0))) / 2
    assert labelled.loss(answers, torch.tensor([0, 1])).item() == pytest.approx(distilled + entropy, rel=1e-5)


def test_values_are_learnt_in_units_of_the_answers_variance():
    teacher = np.array([[0.0], [4.0]])
    answers = torch.tensor([[3.0]])
    assert Lesson(INPUTS, teacher, None, "regression").loss(answers, torch.tensor([1])).item() == pytest.approx(1 / 4)
    labelled = Lesson(INPUTS, teacher, np.array([[1.0], [5.0]]), "regression")
    assert labelled.loss(answers, torch.tensor([1])).item() == pytest.approx((1 + 4) / 4)


@pytest.mark.parametrize(
    ("labels", "task", "message"),
    [
        (np.array([0, 2]), "classification", "2 class indices below 2"),
        (np.array([0, -1]), "classification", "2 class indices below 2"),
        (np.array([0.0, 1.0]), "classification", "2 class indices below 2; got float64"),
        (np.array([0, 1, 1]), "classification", r"got int64 \[3\]"),
        (np.zeros(2), "regression", r"finite values \[2, 2\]; got float64 \[2\]"),
        (np.full((2, 2), np.nan), "regression", r"finite values \[2, 2\]"),
    ],
)
def test_labels_that_do_not_fit_are_refused(labels, task, message):
    with pytest.raises(DataError, match=message):
        Lesson(INPUTS, np.zeros((2, 2)), labels, task)


def test_samples_without_answers_are_refused():
    with pytest.raises(DataError, match="every training sample needs an answer; got 2 and 3"):
        Lesson(INPUTS, np.zeros((3, 2)), None, "classification")
    with pytest.raises(DataError, match="training samples must hold at least one sample"):
        Lesson(np.zeros((0, 1)), np.zeros((0, 2)), None, "classification")


def test_a_loss_that_is_no_number_stops_with_the_epoch():
    class Broken(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.tensor(float("nan")))

        def forward(self, inputs: Tensor) -> Tensor:
            return (self.weight * inputs)[None]

    lesson = Lesson(INPUTS, np.zeros((2, 1)), None, "regression")
    with pytest.raises(NonFiniteLossError, match=r"became nan in epoch 1 of 2\. Lower the learning rate"):
        fine_tune(Broken(), lesson, FineTuningConfig(epochs=2))

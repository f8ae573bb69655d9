import numpy as np
import pytest
import torch

from snnface.errors import DataError
from snnface.metrics import (
    chance_metrics,
    classification_metrics,
    constant_answers,
    correct_at,
    subject_interval,
)


def test_top1_and_top3_by_hand() -> None:
    answers = torch.tensor([[0.9, 0.1, 0.0, 0.0], [0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4]])
    metrics = classification_metrics(answers, torch.tensor([0, 2, 0]))
    assert metrics["top1"] == pytest.approx(1 / 3)
    assert metrics["top3"] == pytest.approx(2 / 3)


def test_macro_f1_by_hand() -> None:
    # Class 0: precision 1, recall 1/2 (F1 2/3); class 1: precision 1/2, recall 1 (F1 2/3).
    answers = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    assert classification_metrics(answers, torch.tensor([0, 0, 1]))["macro_f1"] == pytest.approx(2 / 3)


def test_a_tie_goes_to_the_lower_index() -> None:
    answers = torch.zeros(2, 4)
    assert correct_at(answers, torch.tensor([0, 1]), 1).tolist() == [True, False]


def test_an_empty_set_has_no_accuracy() -> None:
    with pytest.raises(DataError, match="at least one labelled clip"):
        classification_metrics(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64))


def test_chance_of_eight_classes() -> None:
    assert chance_metrics(8) == {"top1": 0.125, "top3": 0.375}


def test_the_constant_predictor_knows_the_training_labels_only() -> None:
    answers = constant_answers(torch.tensor([2, 2, 1]), 4, 2)
    assert answers.argmax(1).tolist() == [2, 2]
    torch.testing.assert_close(answers[0], torch.tensor([0, 1 / 3, 2 / 3, 0]))


def test_the_interval_draws_subjects_not_clips() -> None:
    # Two subjects, one all right, one all wrong: draws are 0, 1/2 or 1, however many clips there are.
    correct = torch.tensor([True] * 50 + [False] * 50)
    interval = subject_interval(correct, ["a"] * 50 + ["b"] * 50, generator=np.random.default_rng(0))
    assert interval == (0.0, 1.0)


def test_the_interval_of_certainty_is_a_point() -> None:
    assert subject_interval(torch.ones(4).bool(), list("abcd"), generator=np.random.default_rng(0)) == (1.0, 1.0)

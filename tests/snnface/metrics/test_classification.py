import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_f1_score

from snnface.errors import DataError
from snnface.metrics import answer_counts, chance_metrics, classification_metrics, correct_at, counted_metrics


def test_top1_and_top3_by_hand() -> None:
    answers = torch.tensor([[0.9, 0.1, 0.0, 0.0], [0.4, 0.3, 0.2, 0.1], [0.1, 0.2, 0.3, 0.4]])
    metrics = classification_metrics(answers, torch.tensor([0, 2, 0]))
    assert metrics["top1"] == pytest.approx(1 / 3)
    assert metrics["top3"] == pytest.approx(2 / 3)


def test_macro_f1_by_hand() -> None:
    # Class 0: precision 1, recall 1/2 (F1 2/3); class 1: precision 1/2, recall 1 (F1 2/3).
    answers = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    assert classification_metrics(answers, torch.tensor([0, 0, 1]))["macro_f1"] == pytest.approx(2 / 3)


@given(st.integers(0, 2**31), st.integers(2, 6), st.integers(1, 30))
def test_recall_and_f1_are_those_of_torchmetrics(seed: int, num_classes: int, num_clips: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    answers = torch.rand(num_clips, num_classes, generator=generator)
    labels = torch.randint(num_classes, (num_clips,), generator=generator)
    ours = classification_metrics(answers, labels)
    for name, theirs in (("macro_recall", multiclass_accuracy), ("macro_f1", multiclass_f1_score)):
        wanted = float(theirs(answers, labels, num_classes, average="macro"))
        assert ours[name] == pytest.approx(wanted, abs=1e-6), name


def test_metrics_are_of_the_whole_set_not_means_of_its_parts() -> None:
    answers, labels = torch.eye(3)[[0, 1, 2, 0]], torch.tensor([0, 1, 2, 1])
    counts = answer_counts(answers, labels, torch.ones(4).bool())
    parts = counts[:3].sum(0) + counts[3:].sum(0)
    assert float(counted_metrics(parts)["top1"]) == 0.75


def test_absent_labels_count_nothing() -> None:
    counts = answer_counts(torch.eye(2), torch.tensor([0, 0]), torch.tensor([True, False]))
    assert counts[1].sum() == 0
    assert float(counted_metrics(counts.sum(0))["top1"]) == 1.0


def test_a_tie_goes_to_the_lower_index() -> None:
    answers = torch.zeros(2, 4)
    assert correct_at(answers, torch.tensor([0, 1]), 1).tolist() == [True, False]


def test_an_empty_set_has_no_accuracy() -> None:
    with pytest.raises(DataError, match="at least one labelled clip"):
        classification_metrics(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64))


def test_chance_of_eight_classes() -> None:
    assert chance_metrics(8) == {"top1": 0.125, "top3": 0.375}

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics.functional.classification import multiclass_accuracy, multiclass_f1_score

from snnface.config import from_json, to_json
from snnface.errors import DataError
from snnface.metrics import (
    ClassResult,
    answer_counts,
    chance_metrics,
    class_results,
    classification_metrics,
    confusion_of,
    correct_at,
    counted_metrics,
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
    assert chance_metrics(8) == {"top1": 0.125, "top3": 0.375, "top5": 0.625}


def test_top5_by_hand_among_seven_classes() -> None:
    # Places of the label, from 0: 4 and 5; only the first is among five.
    answers = torch.arange(7.0, 0, -1).expand(2, 7)
    metrics = classification_metrics(answers, torch.tensor([4, 5]))
    assert (metrics["top3"], metrics["top5"]) == (0.0, 0.5)


@pytest.mark.parametrize("num_classes", [2, 5])
def test_top5_of_five_classes_or_fewer_says_nothing_and_is_left_out(num_classes: int) -> None:
    metrics = classification_metrics(torch.eye(num_classes), torch.arange(num_classes))
    assert "top5" not in metrics
    assert "top5" not in chance_metrics(num_classes)
    assert metrics["top1"] == metrics["top3"] == 1.0


@given(st.integers(0, 2**31), st.integers(6, 24))
def test_top5_is_that_of_torchmetrics(seed: int, num_classes: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    answers = torch.rand(20, num_classes, generator=generator)
    labels = torch.randint(num_classes, (20,), generator=generator)
    wanted = float(multiclass_accuracy(answers, labels, num_classes, average="micro", top_k=5))
    assert classification_metrics(answers, labels)["top5"] == pytest.approx(wanted, abs=1e-6)


def sums_of(answered: list[int], labels: list[int], num_classes: int) -> torch.Tensor:
    return answer_counts(torch.eye(num_classes)[answered], torch.tensor(labels), torch.ones(len(labels)).bool()).sum(0)


def test_rows_of_the_confusion_matrix_are_labels_and_columns_answers() -> None:
    assert confusion_of(sums_of([0, 1, 1], [0, 0, 1], 2)).tolist() == [[1, 1], [0, 1]]


def test_each_class_has_its_recall_precision_and_f1() -> None:
    # smile: two clips, one answered as frown; frown: one clip, right; blink: neither label nor answer.
    results = class_results(sums_of([0, 1, 1], [0, 0, 1], 3), ("smile", "frown", "blink"))
    assert results["smile"] == ClassResult(2, 0.5, 1.0, 2 / 3, {"smile": 1, "frown": 1})
    assert results["frown"] == ClassResult(1, 1.0, 0.5, 2 / 3, {"frown": 1})
    assert results["blink"] == ClassResult(0, None, None, None, {})


def test_answers_of_a_class_stand_from_the_most_frequent_down() -> None:
    results = class_results(sums_of([2, 2, 0, 1], [0, 0, 0, 0], 3), ("a", "b", "c"))
    assert list(results["a"].answered.items()) == [("c", 2), ("a", 1), ("b", 1)]


def test_a_class_result_survives_json() -> None:
    result = class_results(sums_of([0, 1], [0, 0], 2), ("a", "b"))["a"]
    assert from_json(ClassResult, to_json(result)) == result


def test_names_that_do_not_fit_the_classes_are_refused() -> None:
    for names in (("a",), ("a", "a")):
        with pytest.raises(DataError, match="2 classes need as many different names"):
            class_results(sums_of([0], [0], 2), names)

import pytest
import torch

from snnface.datasets.clip import Batch
from snnface.errors import DataError
from snnface.tasks import FaceShapeTask, FaceShapeTaskConfig

TASK = FaceShapeTask(FaceShapeTaskConfig())
OF_CLIPS = FaceShapeTask(FaceShapeTaskConfig(per_step=False))
NAME = "face_shape"


def batch(labels: torch.Tensor, here: torch.Tensor | None = None) -> Batch:
    size = len(labels)
    mask = torch.ones(labels.shape[:2], dtype=torch.bool) if here is None else here
    all_present = torch.ones(size, dtype=torch.bool)
    return Batch(
        inputs=torch.zeros(labels.shape[1], size, 2, 4, 4),
        targets={"alpha": labels, "alpha_present": mask},
        present={"alpha": all_present, "alpha_present": all_present},
        clip_ids=tuple(map(str, range(size))),
    )


def metrics_of(task: FaceShapeTask, answers: torch.Tensor, given: Batch) -> dict[str, float]:
    meter = task.meter()
    meter.update({NAME: answers}, given)
    return meter.compute()


def test_the_loss_is_the_mean_square_over_the_labelled_steps() -> None:
    labels = torch.zeros(1, 3, 2)
    here = torch.tensor([[True, True, False]])
    answers = torch.tensor([[[1.0, 1.0]], [[2.0, 0.0]], [[50.0, 50.0]]])
    assert TASK.loss({NAME: answers}, batch(labels, here)).value == pytest.approx(6 / 4)


def test_an_answer_to_a_whole_clip_is_compared_with_the_mean_of_its_labelled_steps() -> None:
    labels = torch.tensor([[[1.0], [3.0], [100.0]]])
    here = torch.tensor([[True, True, False]])
    assert OF_CLIPS.loss({NAME: torch.tensor([[2.0]])}, batch(labels, here)).value == 0.0
    assert OF_CLIPS.loss({NAME: torch.tensor([[3.0]])}, batch(labels, here)).value == 1.0


def test_explained_variance_by_hand() -> None:
    # Labels 0, 2 (variance 1); the errors of 1, 1 leave nothing explained, those of 0, 1 a half.
    labels = torch.tensor([[[0.0], [2.0]]])
    assert metrics_of(TASK, torch.tensor([[[1.0]], [[1.0]]]), batch(labels))["r2"] == pytest.approx(0)
    found = metrics_of(TASK, torch.tensor([[[0.0]], [[1.0]]]), batch(labels))
    assert found["r2"] == pytest.approx(0.5)
    assert found["mse"] == pytest.approx(0.5)
    assert metrics_of(TASK, torch.tensor([[[0.0]], [[2.0]]]), batch(labels))["r2"] == 1.0


def test_metrics_are_in_units_of_the_label_whatever_the_scale() -> None:
    scaled = FaceShapeTask(FaceShapeTaskConfig(scale=10.0))
    labels = torch.tensor([[[0.0], [2.0]]])
    answers = torch.tensor([[[0.0]], [[10.0]]])
    assert metrics_of(scaled, answers, batch(labels))["mse"] == pytest.approx(0.5)
    assert scaled.loss({NAME: answers}, batch(labels)).value == pytest.approx(50)
    assert scaled.answers({NAME: answers})[NAME].flatten().tolist() == [0.0, 1.0]


@pytest.mark.parametrize("task", [TASK, OF_CLIPS])
def test_trivial_answers_have_the_form_of_the_model_and_explain_nothing(task: FaceShapeTask) -> None:
    labels = torch.rand(3, 4, 2, generator=torch.Generator().manual_seed(0))
    predictors = task.predictors([batch(labels)])
    mean = predictors["mean"](batch(labels))[NAME]
    assert mean.shape == ((4, 3, 2) if task is TASK else (3, 2))
    assert metrics_of(task, mean, batch(labels))["r2"] == pytest.approx(0, abs=1e-6)
    assert metrics_of(task, predictors["constant"](batch(labels))[NAME], batch(labels))["r2"] < 0


def test_another_number_of_coefficients_is_refused() -> None:
    with pytest.raises(DataError, match="'alpha' has 2 coefficients a step, 'face_shape' answers 5"):
        TASK.loss({NAME: torch.zeros(3, 1, 5)}, batch(torch.zeros(1, 3, 2)))


def test_answers_of_the_other_form_are_refused() -> None:
    with pytest.raises(DataError, match=r"should have 3 axes \(T, B, K\); got \[1, 2\]"):
        TASK.loss({NAME: torch.zeros(1, 2)}, batch(torch.zeros(1, 3, 2)))

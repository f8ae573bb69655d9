import pytest
import torch
from torch import nn

from snnface.datasets.clip import Batch
from snnface.errors import ConfigError
from snnface.tasks import (
    ActionUnitTask,
    ActionUnitTaskConfig,
    ClassScoring,
    FaceShapeTask,
    FaceShapeTaskConfig,
    Task,
    WeightedSum,
    merged,
)

UNITS, SHAPE = ActionUnitTask(ActionUnitTaskConfig(), num_classes=3), FaceShapeTask(FaceShapeTaskConfig())
BOTH = WeightedSum([(UNITS, 1.0), (SHAPE, 0.1)])
BATCH = Batch(
    inputs=torch.zeros(4, 2, 2, 4, 4),
    targets={"action_unit": torch.tensor([0, 2]), "alpha": torch.ones(2, 4, 5)},
    present={"action_unit": torch.ones(2).bool(), "alpha": torch.ones(2).bool()},
    clip_ids=("a", "b"),
)
OUTPUT = {"action_unit": torch.eye(3)[:2], "face_shape": torch.zeros(4, 2, 5)}


def test_the_loss_is_the_weighted_sum_of_the_parts() -> None:
    loss = BOTH.loss(OUTPUT, BATCH)
    units, shape = UNITS.loss(OUTPUT, BATCH), SHAPE.loss(OUTPUT, BATCH)
    assert loss.value == pytest.approx(units.value + 0.1 * shape.value)
    assert loss.parts == dict(units.parts) | dict(shape.parts)


def test_the_model_is_called_once() -> None:
    class Counted(nn.Module):
        calls = 0

        def forward(self, inputs: torch.Tensor) -> dict[str, torch.Tensor]:
            self.calls += 1
            return OUTPUT

    model = Counted()
    assert BOTH.predict(model, BATCH) is OUTPUT
    assert model.calls == 1


def test_metrics_of_all_parts_stand_side_by_side_and_the_first_one_chooses() -> None:
    meter = BOTH.meter()
    meter.update(OUTPUT, BATCH)
    found = meter.compute()
    assert found["top1"] == 0.5
    assert found["mse"] == 1.0
    assert BOTH.selection_metric == UNITS.selection_metric
    assert isinstance(BOTH, Task)


def test_a_name_that_is_taken_gets_the_number_of_its_task() -> None:
    assert merged([{"mse": 1.0}, {"mse": 2.0, "ccc": 3.0}]) == {"mse": 1.0, "mse_2": 2.0, "ccc": 3.0}


@pytest.mark.parametrize("weight", [-1.0, float("nan")])
def test_a_weight_that_is_no_weight_is_refused(weight: float) -> None:
    with pytest.raises(ConfigError, match="weights of at least 0"):
        WeightedSum([(UNITS, weight)])


def test_answers_to_every_step_are_judged_by_their_mean() -> None:
    scoring = ClassScoring("action_unit", num_classes=3)
    steps = torch.stack([torch.eye(3)[:2], torch.zeros(2, 3)])
    torch.testing.assert_close(
        scoring.statistics({"action_unit": steps}, BATCH), scoring.statistics(OUTPUT, BATCH), rtol=0, atol=0
    )
    assert scoring.answers({"action_unit": steps})["action_unit"].shape == (2, 3)


def test_the_constant_answer_knows_the_training_labels_only() -> None:
    scoring = ClassScoring("action_unit", num_classes=4)
    labels = torch.tensor([2, 2, 1])
    training = Batch(torch.zeros(1, 3, 1, 1, 1), {"action_unit": labels}, {"action_unit": labels > 0}, ("a", "b", "c"))
    answers = scoring.predictors([training])["constant"](BATCH)["action_unit"]
    assert answers.argmax(1).tolist() == [2, 2]
    torch.testing.assert_close(answers[0], torch.tensor([0, 1 / 3, 2 / 3, 0]))

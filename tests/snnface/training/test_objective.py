"""What is added to a task's loss: a budget of spikes, and mixed clips."""

import pytest
import torch
from torch import nn

from snnface.datasets.clip import collate
from snnface.errors import ConfigError
from snnface.spiking import record_activity
from snnface.spiking.activity import SpikeCounts
from snnface.tasks import ActionUnitTask, ActionUnitTaskConfig, Loss
from snnface.training import Objective, TrainingConfig
from snnface.training.objective import mixed, over_budget
from tests.support.toy_training import toy_model, toy_samples

TASK = ActionUnitTask(ActionUnitTaskConfig(), num_classes=2)
BATCH = collate(toy_samples(4))


def loss_of(model: nn.Module, **options: float) -> Loss:
    return Objective(TASK, TrainingConfig(**options))(model, BATCH)  # type: ignore[arg-type]


def counts(spikes: dict[str, float], updates: dict[str, int]) -> SpikeCounts:
    numbers = {name: torch.tensor(value, dtype=torch.float64, requires_grad=True) for name, value in spikes.items()}
    return SpikeCounts(num_spikes=numbers, num_updates=updates)


def test_spikes_beyond_the_budget_cost_the_square_of_their_excess() -> None:
    gathered = counts({"a": 30.0, "b": 10.0}, {"a": 150, "b": 50})
    # 40 of 200 are 0.2: twice the target of 0.1.
    cost = over_budget(gathered, target=0.1)
    assert cost.item() == pytest.approx(1.0)
    (slope,) = torch.autograd.grad(cost, [gathered.num_spikes["a"]])
    assert slope.item() == pytest.approx(2 * 1.0 / 0.1 / 200)


def test_spikes_within_the_budget_cost_nothing() -> None:
    gathered = counts({"a": 30.0, "b": 0.0}, {"a": 100, "b": 100})
    cost = over_budget(gathered, target=0.2)
    assert cost.item() == 0
    assert torch.autograd.grad(cost, [gathered.num_spikes["a"]])[0].item() == 0


def test_the_budget_is_added_to_the_loss_of_the_task() -> None:
    model = toy_model(dropout=0.0)
    with record_activity(model) as activity:
        plain = loss_of(model)
    rate = sum(activity.num_spikes.values()) / sum(activity.num_updates.values())
    budgeted = loss_of(model, rate_weight=0.5, rate_target=rate / 3)
    assert budgeted.value == pytest.approx(plain.value + 0.5 * 4, rel=1e-5)
    assert budgeted.parts["rate"] == pytest.approx(2.0, rel=1e-5)
    assert budgeted.parts["action_unit_mse"] == pytest.approx(plain.value)


def test_a_budget_lowers_the_rate_in_training() -> None:
    model = toy_model(dropout=0.0)

    def rate() -> float:
        with torch.no_grad(), record_activity(model) as activity:
            model(BATCH.inputs)
        return sum(activity.num_spikes.values()) / sum(activity.num_updates.values())

    before = rate()
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(15):
        optimiser.zero_grad()
        loss_of(model, rate_weight=1.0, rate_target=before / 2).total.backward()
        optimiser.step()
    assert rate() < 0.75 * before


def test_a_model_without_spikes_has_no_budget() -> None:
    class Plain(nn.Module):
        def forward(self, inputs: torch.Tensor) -> dict[str, torch.Tensor]:
            return {"action_unit": inputs.mean((0, 3, 4))}

    with pytest.raises(ConfigError, match="this model has no spiking neurons; set it to 0"):
        loss_of(Plain(), rate_weight=1.0)


def test_mixing_takes_each_clip_with_the_one_at_the_other_end() -> None:
    batch = mixed(BATCH, 0.75)
    expected = 0.75 * BATCH.inputs[:, 0] + 0.25 * BATCH.inputs[:, 3]
    torch.testing.assert_close(batch.inputs[:, 0], expected)
    assert batch.clip_ids[1] == "clip1 mixed with clip2"


def test_the_loss_of_mixed_clips_is_mixed_likewise() -> None:
    class Means(nn.Module):
        def forward(self, inputs: torch.Tensor) -> dict[str, torch.Tensor]:
            self.seen = inputs
            return {"action_unit": inputs.mean((0, 3, 4))}

    model = Means()
    loss = loss_of(model, mixup_alpha=0.4)
    share = float((model.seen - BATCH.inputs.flip(1)).norm() / (BATCH.inputs - BATCH.inputs.flip(1)).norm())
    answers = model.seen.mean((0, 3, 4))
    own = nn.functional.mse_loss(answers, nn.functional.one_hot(BATCH.targets["action_unit"], 2).float())
    other = nn.functional.mse_loss(answers, nn.functional.one_hot(BATCH.targets["action_unit"].flip(0), 2).float())
    assert 0 < share < 1
    assert loss.value == pytest.approx(float(share * own + (1 - share) * other), rel=1e-4)
    assert loss.value == loss_of(Means(), mixup_alpha=0.4).value

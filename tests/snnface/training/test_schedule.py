"""The learning rate of each epoch, and what a training config refuses."""

import math
from typing import Any, Literal

import pytest
import torch

from snnface.errors import ConfigError
from snnface.training import TrainingConfig, optimiser_of, rate_share, schedule_of


def shares(**options: Any) -> list[float]:
    config = TrainingConfig(**options)
    return [rate_share(config, epoch) for epoch in range(config.num_epochs)]


def test_cosine_is_that_of_torch() -> None:
    model = torch.nn.Linear(1, 1)
    theirs = torch.optim.Adam(model.parameters(), lr=0.4)
    reference = torch.optim.lr_scheduler.CosineAnnealingLR(theirs, T_max=7)
    config = TrainingConfig(num_epochs=7, learning_rate=0.4)
    ours = optimiser_of(model, config)
    schedule = schedule_of(ours, config)
    for _ in range(8):
        assert ours.param_groups[0]["lr"] == pytest.approx(theirs.param_groups[0]["lr"], abs=1e-12)
        for part in (ours, theirs, schedule, reference):
            part.step()


def test_warm_up_rises_in_even_steps_to_the_start_of_the_cosine() -> None:
    assert shares(num_epochs=7, warmup_epochs=3) == pytest.approx(
        [1 / 4, 2 / 4, 3 / 4, 1, (1 + math.cos(math.pi / 4)) / 2, 0.5, (1 - math.cos(math.pi / 4)) / 2]
    )


def test_constant_does_not_fall_after_warm_up() -> None:
    assert shares(num_epochs=4, warmup_epochs=1, schedule="constant") == [0.5, 1, 1, 1]


def test_quantised_epochs_begin_again_at_a_tenth() -> None:
    assert shares(num_epochs=4, quantisation_aware_epochs=2) == pytest.approx([1, 0.5, 0.1, 0.05])
    assert shares(num_epochs=3, quantisation_aware_epochs=1, schedule="constant") == [1, 1, 0.1]


def test_halving_is_that_of_torch_and_begins_after_warm_up() -> None:
    model = torch.nn.Linear(1, 1)
    theirs = torch.optim.AdamW(model.parameters(), lr=0.4)
    reference = torch.optim.lr_scheduler.StepLR(theirs, step_size=3, gamma=0.5)
    config = TrainingConfig(num_epochs=10, learning_rate=0.4, schedule="halving", halving_epochs=3)
    for epoch in range(10):
        assert 0.4 * rate_share(config, epoch) == pytest.approx(theirs.param_groups[0]["lr"])
        theirs.step()
        reference.step()
    assert shares(num_epochs=5, warmup_epochs=1, schedule="halving", halving_epochs=2) == [0.5, 1, 1, 0.5, 0.5]
    quantised = shares(num_epochs=5, quantisation_aware_epochs=2, schedule="halving", halving_epochs=1)
    assert quantised == pytest.approx([1, 0.5, 0.25, 0.1, 0.05])


def test_adamw_takes_the_decay_of_weights_out_of_the_gradient() -> None:
    def weights_after_a_step(kind: Literal["adam", "adamw"]) -> float:
        weight = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.constant_(weight.weight, 2.0)
        optimiser = optimiser_of(weight, TrainingConfig(optimiser=kind, learning_rate=0.1, weight_decay=0.5))
        weight(torch.ones(1, 1)).sum().backward()
        optimiser.step()
        return weight.weight.item()

    # One step of Adam is the learning rate, whatever the gradient: 2 - 0.1, against 2 (1 - 0.1 * 0.5) - 0.1.
    assert weights_after_a_step("adam") == pytest.approx(1.9)
    assert weights_after_a_step("adamw") == pytest.approx(1.8)


def test_weights_that_are_frozen_are_not_decayed() -> None:
    model = torch.nn.Linear(1, 1)
    model.weight.requires_grad_(False)
    (group,) = optimiser_of(model, TrainingConfig(optimiser="adamw", weight_decay=0.5)).param_groups
    assert [id(parameter) for parameter in group["params"]] == [id(model.bias)]


def test_a_schedule_is_restored_by_its_state() -> None:
    config = TrainingConfig(num_epochs=5, warmup_epochs=1)
    model = torch.nn.Linear(1, 1)
    one, other = (schedule_of(optimiser_of(model, config), config) for _ in range(2))
    for _ in range(3):
        one.optimizer.step()
        one.step()
    other.load_state_dict(one.state_dict())
    assert other.get_last_lr() == one.get_last_lr() == [1e-3 * rate_share(config, 3)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_epochs": 0}, "num_epochs must be positive; got 0"),
        ({"halving_epochs": 0}, "halving_epochs must be positive; got 0"),
        ({"rate_target": 0.0}, "rate_target must be positive; got 0.0"),
        ({"rate_weight": -1.0}, "rate_weight must not be negative; got -1.0"),
        ({"mixup_alpha": float("nan")}, "mixup_alpha must not be negative; got nan"),
        ({"max_gradient_norm": 0.0}, "max_gradient_norm must be positive, or None for no limit; got 0.0"),
        (
            {"num_epochs": 5, "warmup_epochs": 2, "quantisation_aware_epochs": 3},
            "2 epochs of warm-up and 3 quantisation-aware ones leave none of 5 between them",
        ),
    ],
)
def test_a_config_that_makes_no_sense_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TrainingConfig(**options)

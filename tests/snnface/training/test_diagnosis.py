"""Numbers that stop being finite: the clip and the layer are named."""

import pytest
import torch
from lightning_fabric import Fabric
from torch import nn
from torch.utils.data import DataLoader

from snnface.datasets.clip import Sample, collate
from snnface.errors import DataError, NonFiniteLossError
from snnface.tasks import ActionUnitTask, ActionUnitTaskConfig
from snnface.training import TrainingConfig, evaluate, first_non_finite, train
from tests.support.toy_training import toy_model, toy_samples, toy_state

TASK = ActionUnitTask(ActionUnitTaskConfig(), num_classes=2)
NAN, INF = float("nan"), float("inf")


class Plain(nn.Module):
    """No spikes, which would hide NaN, and no check of its inputs."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(128, 4), nn.Linear(4, 2)

    def forward(self, inputs: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"action_unit": self.second(torch.exp(self.first(inputs.flatten(2)))).mean(0)}


def fit(model: nn.Module, samples: list[Sample]) -> None:
    config = TrainingConfig(num_epochs=1, batch_size=4)
    train(
        toy_state(config, model),  # type: ignore[arg-type]
        TASK,
        train_batches=DataLoader(samples, batch_size=4, collate_fn=collate),
        validation_batches=DataLoader(toy_samples(2), batch_size=2, collate_fn=collate),
        config=config,
        fabric=Fabric(accelerator="cpu", devices=1),
    )


def test_an_input_that_is_no_number_is_named_by_its_clip() -> None:
    samples = toy_samples(8)
    samples[5].inputs[0, 0, 0, 0] = NAN
    with pytest.raises(NonFiniteLossError, match=r"clips clip4, clip5, .*: the input of clip 'clip5'\. Look at"):
        fit(Plain(), samples)


def test_a_spiking_model_names_the_clip_before_it_hides_the_number() -> None:
    samples = toy_samples(8)
    samples[6].inputs[2, 1, 3, 3] = INF
    with pytest.raises(DataError, match="clip 'clip6'"):
        fit(toy_model(), samples)
    with pytest.raises(DataError, match="clip 'clip6'"):
        evaluate(toy_model(), TASK, DataLoader(samples, batch_size=4, collate_fn=collate))


def test_broken_weights_are_named_by_their_layer() -> None:
    model = Plain()
    with torch.no_grad():
        model.second.bias[0] = NAN
    with pytest.raises(
        NonFiniteLossError, match=r"the loss is nan \(parts: \{'action_unit_mse': nan\}\).*'bias' of the layer 'second'"
    ):
        fit(model, toy_samples(4))


def test_answers_that_overflow_are_named_by_layer_and_clip() -> None:
    model, samples = Plain(), toy_samples(4)
    with torch.no_grad():
        model.first.weight.fill_(3e37)
        samples[0].inputs.zero_()
        samples[1].inputs.zero_()
        samples[3].inputs.zero_()
    with pytest.raises(NonFiniteLossError, match=r"the output of the layer '(first|second)' on clip 'clip2'"):
        fit(model, samples)


def test_currents_that_spikes_would_hide_are_found() -> None:
    model, batch = toy_model(), collate(toy_samples(2))
    with torch.no_grad():
        model.encoder.blocks[0].conv.weight.fill_(3e38)
    found = first_non_finite(model, TASK, batch)
    assert found.startswith("the currents of the layer 'encoder.blocks.0' on clip 'clip0'")


def test_a_gradient_that_overflows_stops_before_the_weights_are_spoilt() -> None:
    class Steep(torch.autograd.Function):
        @staticmethod
        def forward(ctx, inputs):  # type: ignore[no-untyped-def]
            return inputs.clone()

        @staticmethod
        def backward(ctx, gradient):  # type: ignore[no-untyped-def]
            return gradient * INF

    model = Plain()
    before = [parameter.clone() for parameter in model.parameters()]
    model.second.register_forward_hook(lambda module, inputs, output: Steep.apply(output))
    with pytest.raises(NonFiniteLossError, match=r"the gradient must be finite; .* on the clips clip0, clip1"):
        fit(model, toy_samples(2))
    assert all(torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))


def test_a_loss_that_is_bad_by_itself_is_said_to_be() -> None:
    assert "the loss itself" in first_non_finite(toy_model(), TASK, collate(toy_samples(2)))

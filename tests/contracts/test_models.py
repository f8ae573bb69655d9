"""What every model must keep, spiking or not: one list, one suite."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch
from small_models import MODELS, SIZE, conv_snn, sew_resnet
from torch import Tensor, nn

from snnface.errors import ConfigError
from snnface.models import SpikingReconstruction
from snnface.spiking import SpikingNeuron, record_activity

WHOLE_CLIPS = ("ANN action units", "ANN Transformer", "ANN Fusion", "ANN class token", "ANN I3D", "ANN reconstruction")
STREAMING = [name for name in MODELS if name not in WHOLE_CLIPS]
SPIKING = [name for name in MODELS if not name.startswith("ANN")]
RECONSTRUCTIONS = ("reconstruction", "ANN reconstruction")

every_model = pytest.mark.parametrize("name", MODELS)


@dataclass
class Made:
    """A model and how it is called on events alone: the reference picture is always the same."""

    name: str
    model: nn.Module

    @property
    def is_reconstruction(self) -> bool:
        return self.name in RECONSTRUCTIONS

    def __call__(self, inputs: Tensor, target: Tensor | None = None) -> dict[str, Tensor]:
        if not self.is_reconstruction:
            return self.model(inputs)
        return self.model(inputs, self.reference(inputs.shape[1]), target)

    def advance(self, inputs: Tensor, state: object) -> tuple[dict[str, Tensor], object]:
        if not self.is_reconstruction:
            return self.model.advance(inputs, state)
        return self.model.advance(inputs, self.reference(inputs.shape[1]), state)

    def step(self, inputs: Tensor, state: object) -> tuple[dict[str, Tensor], object]:
        if not self.is_reconstruction:
            return self.model.step(inputs, state)
        return self.model.step(inputs, self.reference(len(inputs)), state)

    @staticmethod
    def reference(num_clips: int) -> Tensor:
        ramp = torch.linspace(0.1, 0.9, SIZE.num_pixels).reshape(1, 1, SIZE.height, SIZE.width)
        return ramp.expand(num_clips, -1, -1, -1)


def made(name: str) -> Made:
    """A model of the list, in evaluation mode."""
    return Made(name, with_spikes(MODELS[name]))


def with_spikes(make: Callable[[], nn.Module]) -> nn.Module:
    """A network with spikes in all its layers, in evaluation mode."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        model = make()
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.uniform_(module.running_var, 0.02, 0.05)
                nn.init.normal_(module.bias, mean=0.3, std=0.2)
            if isinstance(module, nn.Linear):
                module.weight.data *= 4
        if isinstance(model, SpikingReconstruction):
            nn.init.normal_(model.readout.weight, std=0.2)
    return model.eval()


def events(num_steps: int = 7, num_clips: int = 3) -> Tensor:
    """Counts [T, B, 2, 16, 16]."""
    generator = torch.Generator().manual_seed(2)
    return torch.poisson(torch.full((num_steps, num_clips, 2, SIZE.height, SIZE.width), 0.5), generator=generator)


def assert_same(first: dict[str, Tensor], second: dict[str, Tensor]) -> None:
    assert first.keys() == second.keys()
    for name in first:
        # Of sums that cancel each other out, rounding is as large as of the largest.
        atol = 1e-5 * max(1.0, float(second[name].abs().max()))
        torch.testing.assert_close(first[name], second[name], rtol=1e-5, atol=atol)


@every_model
@torch.no_grad()
def test_answers_to_a_clip_do_not_depend_on_the_clips_beside_it(name: str) -> None:
    model = made(name)
    together, alone = model(events()), model(events()[:, 1:2])
    clip_axis = {key: 1 if answer.ndim == 3 else 0 for key, answer in together.items()}
    assert_same({key: answer.narrow(clip_axis[key], 1, 1) for key, answer in together.items()}, alone)


@every_model
@torch.no_grad()
def test_the_same_clip_gives_the_same_answer_twice(name: str) -> None:
    model = made(name)
    first, second = model(events()), model(events())
    assert all(torch.equal(first[key], second[key]) for key in first)


@every_model
@torch.no_grad()
def test_answers_depend_on_the_events(name: str) -> None:
    model = made(name)
    first, second = model(events()), model(torch.zeros_like(events()))
    assert all(not torch.equal(first[key], second[key]) for key in first)


@every_model
@torch.no_grad()
def test_one_step_is_a_clip(name: str) -> None:
    answers = made(name)(events(num_steps=1))
    assert all(torch.isfinite(answer).all() for answer in answers.values())


@every_model
def test_every_weight_gets_a_finite_gradient_that_is_not_zero(name: str) -> None:
    model = made(name)
    model.model.train()
    target = Made.reference(3) if model.is_reconstruction else None
    with torch.random.fork_rng():
        torch.manual_seed(0)
        answers = model(events(), target)
    sum((answer - 1).square().sum() for answer in answers.values()).backward()
    for weight, parameter in model.model.named_parameters():
        assert parameter.grad is not None, weight
        assert torch.isfinite(parameter.grad).all(), weight
        assert parameter.grad.abs().max() > 0, weight


@pytest.mark.parametrize("name", STREAMING)
@pytest.mark.parametrize("chunks", [(1, 1, 1, 1, 1, 1, 1), (3, 4)])
@torch.no_grad()
def test_in_pieces_a_model_answers_as_to_the_whole(name: str, chunks: tuple[int, ...]) -> None:
    model, state, pieces = made(name), None, []
    for chunk in events().split(chunks):
        answers, state = model.advance(chunk, state)
        pieces.append(answers)
    for key, whole in model(events()).items():
        keeps_steps = whole.ndim == 3
        streamed = torch.cat([piece[key] for piece in pieces]) if keeps_steps else pieces[-1][key]
        torch.testing.assert_close(streamed, whole, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", STREAMING)
@torch.no_grad()
def test_a_step_is_a_piece_of_one_step(name: str) -> None:
    model = made(name)
    stepped, _ = model.step(events()[0], None)
    advanced, _ = model.advance(events()[:1], None)
    for key, answer in advanced.items():
        assert torch.equal(stepped[key], answer[0] if answer.ndim == 3 else answer)


@pytest.mark.parametrize("encoder", [conv_snn, sew_resnet])
@torch.no_grad()
def test_a_spiking_encoder_gives_the_same_spikes_in_pieces_to_the_bit(encoder: Callable[[], nn.Module]) -> None:
    network = with_spikes(encoder)
    whole, state, pieces = network(events()), None, []
    assert 0 < whole.mean() < 1
    for chunk in events().split((2, 1, 4)):
        spikes, state = network.advance(chunk, state)
        pieces.append(spikes)
    assert torch.equal(torch.cat(pieces), whole)


@pytest.mark.parametrize("name", [name for name in SPIKING if name != "reconstruction"])
@torch.no_grad()
def test_spikes_do_not_depend_on_what_comes_later(name: str) -> None:
    encoder = made(name).model.encoder
    later = events()
    later[4:] = 0
    first, second = encoder(events()), encoder(later)
    assert torch.equal(first[:4], second[:4])
    assert not torch.equal(first[4:], second[4:])


@pytest.mark.parametrize("name", SPIKING)
@torch.no_grad()
def test_every_spiking_layer_spikes_in_these_tests(name: str) -> None:
    model = made(name)
    with record_activity(model.model) as activity:
        model(events())
    neurons = [key for key, module in model.model.named_modules() if isinstance(module, SpikingNeuron)]
    assert sorted(activity.rates) == sorted(neurons)
    assert all(0 < rate < 1 for rate in activity.rates.values())


def test_a_network_of_whole_clips_refuses_to_run_in_pieces_by_name() -> None:
    with pytest.raises(ConfigError, match="C3d looks at whole clips"):
        made("ANN action units").model.step(events()[0])


@pytest.mark.parametrize("name", ["valence and arousal, residual", "ANN valence and arousal", "reconstruction"])
def test_a_model_in_training_refuses_to_run_in_pieces(name: str) -> None:
    model = made(name)
    model.model.train()
    with pytest.raises(ConfigError, match="only in evaluation mode"):
        model.advance(events(), None)

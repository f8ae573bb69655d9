import math
from dataclasses import replace

import pytest
import torch

from ann_baselines import (
    FlatFrameConfig,
    FrameCnnConfig,
    LstmConfig,
    PerFrame,
    PerFrameConfig,
    ResNet18Config,
    VitConfig,
)
from snnface.errors import ConfigError
from snnface.events.window import Resolution

SIZE = Resolution(height=8, width=8)
FRAME = FrameCnnConfig(channels=(4, 6), features=10)
PAPERS_LSTM = LstmConfig(hidden=256, num_layers=3)


def network(lstm: LstmConfig | None) -> PerFrame:
    return PerFrame(PerFrameConfig(frame=FRAME, lstm=lstm), in_channels=2, resolution=SIZE).eval()


def lstm_size(inputs: int, config: LstmConfig) -> int:
    """Four gates of one matrix for the input, one for the state before, and two biases, in every layer."""
    inputs_of_layers = [inputs] + [config.hidden] * (config.num_layers - 1)
    return sum(4 * config.hidden * (width + config.hidden + 2) for width in inputs_of_layers)


def test_the_papers_lstm_behind_resnet18_has_the_parameters_that_its_sizes_ask_for() -> None:
    with torch.device("meta"):
        config = PerFrameConfig(frame=ResNet18Config(), lstm=PAPERS_LSTM)
        model = PerFrame(config, in_channels=1, resolution=Resolution(height=224, width=224))
    assert sum(p.numel() for p in model.lstm.parameters()) == lstm_size(1024, PAPERS_LSTM) == 2_365_440
    assert sum(p.numel() for p in model.parameters()) == 11_695_552 + 2_365_440


def test_the_papers_lstm_over_coefficients_has_the_parameters_that_its_sizes_ask_for() -> None:
    config = PerFrameConfig(frame=FlatFrameConfig(), lstm=LstmConfig(hidden=256))
    model = PerFrame(config, in_channels=32, resolution=Resolution(height=1, width=1))
    assert sum(p.numel() for p in model.parameters()) == lstm_size(32, LstmConfig(hidden=256)) == 296_960


def test_without_an_lstm_each_frame_is_answered_by_itself() -> None:
    encoder, events = network(None), torch.rand(5, 3, 2, 8, 8)
    assert encoder.num_features == 10
    torch.testing.assert_close(encoder(events.flip(0)), encoder(events).flip(0))


def test_an_lstm_remembers_what_came_before_and_not_what_comes_after() -> None:
    encoder, events = network(LstmConfig(hidden=7, num_layers=2)), torch.rand(5, 3, 2, 8, 8)
    other = events.clone()
    other[2] = 0
    first, second = encoder(events), encoder(other)
    assert first.shape == (5, 3, 7)
    assert encoder.num_features == 7
    assert torch.equal(first[:2], second[:2])
    assert not torch.allclose(first[4], second[4])


def test_coefficients_are_their_own_features() -> None:
    size = Resolution(height=1, width=1)
    encoder = PerFrame(PerFrameConfig(frame=FlatFrameConfig(), lstm=None), in_channels=4, resolution=size).eval()
    coefficients = torch.rand(3, 2, 4, 1, 1)
    assert encoder.num_features == 4
    assert torch.equal(encoder(coefficients), coefficients[..., 0, 0])


@pytest.mark.parametrize("frame", [ResNet18Config(width=4, features=6), VitConfig(width=8, depth=1, num_heads=2)])
@torch.no_grad()
def test_any_network_of_one_frame_streams(frame: ResNet18Config | VitConfig) -> None:
    encoder = PerFrame(PerFrameConfig(frame=frame, lstm=LstmConfig(hidden=5)), in_channels=2, resolution=SIZE).eval()
    clip, state, steps = torch.rand(4, 2, 2, 8, 8), None, []
    for pictures in clip:
        answer, state = encoder.step(pictures, state)
        steps.append(answer)
    torch.testing.assert_close(torch.stack(steps), encoder(clip), rtol=1e-4, atol=1e-5)


def test_an_lstm_runs_in_full_precision_under_autocast() -> None:
    encoder, clip = network(LstmConfig(hidden=5)), torch.rand(3, 1, 2, 8, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        half = encoder(clip)
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, encoder(clip), rtol=0.05, atol=0.05)


def test_a_forget_bias_keeps_what_every_layer_holds_from_step_to_step() -> None:
    config = LstmConfig(hidden=5, num_layers=2)
    with torch.random.fork_rng():
        lstm = network(replace(config, forget_bias=5.0)).lstm
    plain = network(config).lstm
    # What it adds, alone: neither input nor output then touch what the cells hold.
    for weights, others in zip(lstm.parameters(), plain.parameters(), strict=True):
        weights.data -= others.data
    held = torch.ones(2, 1, 5)
    _, (_, kept) = lstm(torch.zeros(40, 1, FRAME.features), (torch.zeros_like(held), held))
    torch.testing.assert_close(kept, torch.full_like(kept, (1 / (1 + math.exp(-5.0))) ** 40), rtol=1e-4, atol=0)


def test_impossible_widths_and_sizes_are_refused() -> None:
    with pytest.raises(ConfigError, match="forget_bias must be finite; got inf"):
        LstmConfig(forget_bias=math.inf)
    with pytest.raises(ConfigError, match=r"at least 1; got 0 and 1\. For no memory"):
        LstmConfig(hidden=0)
    with pytest.raises(ConfigError, match="at least one block"):
        FrameCnnConfig(channels=())
    with pytest.raises(ConfigError, match="not divisible by 8"):
        PerFrame(PerFrameConfig(), in_channels=2, resolution=Resolution(height=12, width=8))

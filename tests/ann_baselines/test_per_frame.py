import pytest
import torch

from ann_baselines import FrameCnnConfig, PerFrame, PerFrameConfig
from snnface.errors import ConfigError
from snnface.events.window import Resolution

SIZE = Resolution(height=8, width=8)
FRAME = FrameCnnConfig(channels=(4, 6), features=10)


def network(**config) -> PerFrame:
    return PerFrame(PerFrameConfig(frame=FRAME, **config), in_channels=2, resolution=SIZE).eval()


def test_without_an_lstm_each_frame_is_answered_by_itself() -> None:
    encoder, events = network(hidden=0), torch.rand(5, 3, 2, 8, 8)
    assert encoder.num_features == 10
    torch.testing.assert_close(encoder(events.flip(0)), encoder(events).flip(0))


def test_an_lstm_remembers_what_came_before_and_not_what_comes_after() -> None:
    encoder, events = network(hidden=7, num_layers=2), torch.rand(5, 3, 2, 8, 8)
    other = events.clone()
    other[2] = 0
    first, second = encoder(events), encoder(other)
    assert first.shape == (5, 3, 7)
    assert encoder.num_features == 7
    assert torch.equal(first[:2], second[:2])
    assert not torch.allclose(first[4], second[4])


def test_impossible_widths_and_sizes_are_refused() -> None:
    with pytest.raises(ConfigError, match="hidden must be at least 0"):
        PerFrameConfig(hidden=-1)
    with pytest.raises(ConfigError, match="at least one block"):
        FrameCnnConfig(channels=())
    with pytest.raises(ConfigError, match="not divisible by 8"):
        PerFrame(PerFrameConfig(), in_channels=2, resolution=Resolution(height=12, width=8))

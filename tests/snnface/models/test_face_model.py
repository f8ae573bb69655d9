import pytest
import torch

from snnface.errors import ConfigError
from snnface.events.window import Resolution
from snnface.models import (
    EveryStep,
    FaceModel,
    LeakyReadout,
    LeakyReadoutConfig,
    MeanOverTime,
    MlpHead,
    MlpHeadConfig,
    VotingHead,
    VotingHeadConfig,
)
from snnface.spiking import ConvSnn, ConvSnnConfig


def encoder() -> ConvSnn:
    return ConvSnn(ConvSnnConfig(channels=(3,), features=(6,)), in_channels=2, resolution=Resolution(height=4, width=4))


def linear() -> MlpHead:
    return MlpHead(MlpHeadConfig(), num_features=6, num_outputs=2)


def test_heads_answer_as_their_temporal_part_does() -> None:
    parts = {"clip": MeanOverTime(), "steps": EveryStep(), "leaky": LeakyReadout(LeakyReadoutConfig())}
    model = FaceModel(encoder(), parts, {name: linear() for name in parts})
    answers = model(torch.ones(5, 3, 2, 4, 4))
    shapes = {name: tuple(answer.shape) for name, answer in answers.items()}
    assert shapes == {"clip": (3, 2), "steps": (5, 3, 2), "leaky": (5, 3, 2)}


def test_voting_at_every_step_means_to_the_vote_of_the_mean() -> None:
    head = VotingHead(VotingHeadConfig(), num_features=6, num_outputs=3)
    features = torch.rand(4, 2, 6)
    assert head(features).shape == (4, 2, 3)
    torch.testing.assert_close(head(features).mean(0), head(features.mean(0)))


def test_one_shared_part_keeps_the_names_of_its_weights() -> None:
    model = FaceModel(encoder(), LeakyReadout(LeakyReadoutConfig()), {"va": linear()})
    assert "temporal.w" in model.state_dict()
    assert model.temporal_part("va") is model.temporal


def test_readout_and_heads_run_in_float32_under_autocast() -> None:
    model = FaceModel(encoder(), LeakyReadout(LeakyReadoutConfig()), {"va": linear()})
    with torch.autocast("cpu", torch.bfloat16):
        answers = model(torch.ones(3, 1, 2, 4, 4))
    assert answers["va"].dtype == torch.float32


def test_parts_and_heads_must_bear_the_same_names() -> None:
    with pytest.raises(ConfigError, match="the parts are for a, the heads are a, b"):
        FaceModel(encoder(), {"a": EveryStep()}, {"a": linear(), "b": linear()})
    with pytest.raises(ConfigError, match="at least one head"):
        FaceModel(encoder(), EveryStep(), {})

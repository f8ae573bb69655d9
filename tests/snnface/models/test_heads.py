import pytest
import torch

from snnface.errors import ConfigError
from snnface.models import (
    ClipStepsHead,
    ClipStepsHeadConfig,
    LastStep,
    MeanOverTime,
    MlpHead,
    MlpHeadConfig,
    VotingHead,
    VotingHeadConfig,
)


def test_votes_are_means_of_neighbouring_features() -> None:
    head = VotingHead(VotingHeadConfig(), num_features=6, num_outputs=2)
    assert head(torch.tensor([[1.0, 0, 1, 0, 0, 1]]))[0].tolist() == pytest.approx([2 / 3, 1 / 3])


def test_voting_is_the_papers_average_pooling() -> None:
    features = torch.rand(4, 210)
    pooled = torch.nn.functional.avg_pool1d(features[:, None], kernel_size=10, stride=10)[:, 0]
    torch.testing.assert_close(VotingHead(VotingHeadConfig(), num_features=210, num_outputs=21)(features), pooled)


def test_features_that_cannot_be_shared_out_are_refused() -> None:
    with pytest.raises(ConfigError, match="7 features cannot be shared out evenly among 3 classes"):
        VotingHead(VotingHeadConfig(), num_features=7, num_outputs=3)


def test_an_mlp_head_without_hidden_layers_is_linear() -> None:
    head = MlpHead(MlpHeadConfig(), num_features=3, num_outputs=2)
    a, b = torch.rand(1, 3), torch.rand(1, 3)
    torch.testing.assert_close(head(a) + head(b), head(a + b) + head(torch.zeros(1, 3)))


def test_mean_and_last_over_time() -> None:
    features = torch.arange(6.0).reshape(3, 1, 2)
    assert MeanOverTime()(features).tolist() == [[2.0, 3.0]]
    assert LastStep()(features).tolist() == [[4.0, 5.0]]


def test_one_feature_answers_for_all_steps_of_its_clip() -> None:
    head = ClipStepsHead(ClipStepsHeadConfig(num_steps=3, hidden=()), num_features=2, num_outputs=4)
    head.mlp.layers[0].weight.data = torch.arange(24.0).reshape(12, 2)
    head.mlp.layers[0].bias.data.zero_()
    answers = head(torch.tensor([[1.0, 0], [0, 1]]))
    assert answers.shape == (3, 2, 4)
    # Step t, output k is row 4 t + k of the layer; its weights are 2 (4 t + k) and one more.
    assert answers[1, 0].tolist() == [8, 10, 12, 14]
    assert answers[2, 1].tolist() == [17, 19, 21, 23]


def test_the_papers_head_of_all_steps_has_75_times_32_outputs() -> None:
    head = ClipStepsHead(ClipStepsHeadConfig(), num_features=256, num_outputs=32)
    assert sum(parameter.numel() for parameter in head.parameters()) == 257 * 128 + 129 * 75 * 32


def test_impossible_heads_of_all_steps_are_refused() -> None:
    with pytest.raises(ConfigError, match="num_steps must be at least 1; got 0"):
        ClipStepsHeadConfig(num_steps=0)
    with pytest.raises(ConfigError, match="hidden widths must be positive"):
        ClipStepsHeadConfig(hidden=(0,))

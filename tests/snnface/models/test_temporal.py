import pytest
import torch

from snnface.errors import ConfigError
from snnface.models import ClassToken, EveryStep, LastStep, LeakyReadout, LeakyReadoutConfig, MeanOverTime, Tokens


def test_a_leaky_readout_by_hand() -> None:
    readout = LeakyReadout(LeakyReadoutConfig(tau=4.0))
    spikes = torch.tensor([1.0, 0, 1, 1]).reshape(4, 1, 1)
    # f + (s - f) / 4
    assert readout(spikes).flatten().tolist() == pytest.approx([0.25, 0.1875, 0.390625, 0.54296875])


def test_a_leaky_readout_of_constant_spikes_tends_to_their_value() -> None:
    potential = LeakyReadout(LeakyReadoutConfig(tau=2.0))(torch.ones(40, 1, 1))
    torch.testing.assert_close(potential[-1], torch.ones(1, 1))


def test_the_leak_is_learnt() -> None:
    readout = LeakyReadout(LeakyReadoutConfig())
    readout(torch.ones(3, 1, 2)).sum().backward()
    # More leak follows the spikes faster, so the sum grows with w.
    assert readout.w.grad > 0


def test_a_linear_map_and_the_leaky_readout_commute() -> None:
    readout, linear = LeakyReadout(LeakyReadoutConfig()), torch.nn.Linear(5, 2, bias=False)
    features = torch.rand(6, 3, 5)
    torch.testing.assert_close(linear(readout(features)), readout(linear(features)))


def test_the_class_token_is_the_first_step_and_the_tokens_are_the_others() -> None:
    features = torch.arange(6.0).reshape(3, 1, 2)
    assert ClassToken()(features).tolist() == [[0.0, 1.0]]
    assert Tokens()(features).tolist() == [[[2.0, 3.0]], [[4.0, 5.0]]]


PARTS = [MeanOverTime(), LastStep(), EveryStep(), ClassToken(), Tokens(), LeakyReadout(LeakyReadoutConfig())]


@pytest.mark.parametrize("part", PARTS)
def test_pieces_give_what_the_whole_gives(part: torch.nn.Module) -> None:
    features, state, pieces = torch.rand(7, 2, 3), None, []
    for chunk in features.split((1, 4, 2)):
        answer, state = part.advance(chunk, state)
        pieces.append(answer)
    whole = part(features)
    assert whole.ndim == (3 if part.keeps_steps else 2)
    torch.testing.assert_close(torch.cat(pieces) if part.keeps_steps else pieces[-1], whole)


def test_a_time_constant_of_one_step_is_refused() -> None:
    with pytest.raises(ConfigError, match="above 1; got 1"):
        LeakyReadoutConfig(tau=1.0)

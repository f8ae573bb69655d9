"""The blocks against those of torch, with the same weights."""

import math

import pytest
import torch
from torch import Tensor, nn

from ann_baselines.attention import Attention, DecoderBlock, EncoderBlock, require_heads, sinusoids
from snnface.errors import ConfigError

SIZES = {"num_heads": 2, "hidden": 16}


def rows(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1))


def disturbed(module: nn.Module) -> nn.Module:
    """The same module with weights of which none is zero or one."""
    for parameter in module.parameters():
        nn.init.normal_(parameter, std=0.5)
    return module.eval()


def copy_attention(ours: Attention, theirs: nn.MultiheadAttention) -> None:
    width = ours.query.in_features
    biases = (ours.query.bias, torch.zeros(width), ours.value.bias)
    theirs.in_proj_weight.data = torch.cat([ours.query.weight, ours.key.weight, ours.value.weight]).data
    theirs.in_proj_bias.data = torch.cat(biases).data
    theirs.out_proj.load_state_dict(ours.out.state_dict())


@torch.no_grad()
def test_attention_is_torchs() -> None:
    ours, theirs = disturbed(Attention(8, 2)), nn.MultiheadAttention(8, 2, batch_first=True).eval()
    copy_attention(ours, theirs)
    queries, memory = rows(3, 5, 8), rows(3, 4, 8)
    torch.testing.assert_close(ours(queries, memory), theirs(queries, memory, memory)[0])


@torch.no_grad()
def test_an_encoder_block_is_torchs_with_the_norm_first() -> None:
    ours = disturbed(EncoderBlock(8, activation=nn.GELU(), **SIZES))
    theirs = nn.TransformerEncoderLayer(8, 2, 16, activation="gelu", batch_first=True, norm_first=True).eval()
    copy_attention(ours.self_attention, theirs.self_attn)
    pairs = {"norm1": ours.ln_1, "norm2": ours.ln_2, "linear1": ours.mlp[0], "linear2": ours.mlp[3]}
    for name, module in pairs.items():
        getattr(theirs, name).load_state_dict(module.state_dict())
    torch.testing.assert_close(ours(rows(3, 5, 8)), theirs(rows(3, 5, 8)))


@torch.no_grad()
def test_a_decoder_block_is_torchs_with_the_norm_first() -> None:
    ours = disturbed(DecoderBlock(8, activation=nn.ReLU(), **SIZES))
    theirs = nn.TransformerDecoderLayer(8, 2, 16, batch_first=True, norm_first=True).eval()
    copy_attention(ours.self_attention, theirs.self_attn)
    copy_attention(ours.cross_attention, theirs.multihead_attn)
    norms = {"norm1": ours.ln_1, "norm2": ours.ln_2, "norm3": ours.ln_3}
    for name, module in (norms | {"linear1": ours.mlp[0], "linear2": ours.mlp[3]}).items():
        getattr(theirs, name).load_state_dict(module.state_dict())
    torch.testing.assert_close(ours(rows(3, 5, 8), rows(3, 4, 8)), theirs(rows(3, 5, 8), rows(3, 4, 8)))


def test_positions_by_hand() -> None:
    found = sinusoids(3, 5)
    assert found.shape == (3, 5)
    assert found[0].tolist() == [0, 1, 0, 1, 0]
    slow = 10000 ** (-2 / 5)
    assert found[2, :4].tolist() == pytest.approx([math.sin(2), math.cos(2), math.sin(2 * slow), math.cos(2 * slow)])


def test_no_two_steps_of_a_long_clip_have_one_position() -> None:
    distances = torch.cdist(sinusoids(300, 8), sinusoids(300, 8)) + torch.eye(300)
    assert distances.min() > 0.1


def test_heads_that_cannot_share_the_width_are_refused() -> None:
    with pytest.raises(ConfigError, match="4 heads of attention need a width that they can share evenly; got 10"):
        require_heads(10, 4)

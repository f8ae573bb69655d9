"""The rules by which one layer's numbers become those of a Loihi-like chip.

Quantising a trained network (`conversion.quantize`) and training for it
(`snnface.spiking.quantised_layers`) both call `integer_layer`, so what was trained is what
comes out. With one scale S for all weights of the layer and g the distance of neighbouring integers
that a connection's sign mode has (`weight_range`):

    W_int = g round(S W / g), clipped to the sign mode's range   (ties to even)
    dv = round(4096 leak) in 0..4095
    bias in state units B = 64 S b = bias_mant 2^bias_exp, the smallest bias_exp that fits
    vth = round(S V); without leak and bias, floor(S V) (or ceil(S V) - 1 for `>=`): the
          voltage is then a whole number of weight units, and comparing stays exact

Source: lava-nc 0.10.0, the bit-accurate LIF and Dense models; Davies et al. 2018 (widths).
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from snnface.spiking.layer_scale import layer_scale
from snnface.spiking.weight_range import Sign, sign_of, weight_range

__all__ = ["IntegerLayer", "integer_layer"]

_MAX_MANTISSA = 4095
_MAX_EXPONENT = 7


@dataclass(frozen=True, slots=True, eq=False)
class IntegerLayer:
    """One layer in integers.

    Attributes:
        scale: integer weight per float weight, S.
        limited_by: what set the scale.
        weights: int64, in the shapes that came.
        signs: the sign mode of each.
        num_clipped: weights that lay beyond the range.
        dv: decay of the voltage, 0..4095.
        vth: threshold mantissa; the voltage is compared with vth << 6.
        bias_mant: int64, in the shape that came; the bias is bias_mant << bias_exp.
        comparison_is_exact: False if `>=` had to become `>` with a leak, where no exact
            form exists; ties then differ.
    """

    scale: float
    limited_by: Literal["weights", "threshold", "bias"]
    weights: tuple[np.ndarray, ...]
    signs: tuple[Sign, ...]
    num_clipped: int
    dv: int
    vth: int
    bias_mant: np.ndarray
    bias_exp: int
    comparison_is_exact: bool


def integer_layer(
    weights: list[np.ndarray],
    bias: np.ndarray,
    *,
    leak: float,
    threshold: float,
    fires_on_equality: bool = False,
    weight_bits: int = 8,
    clip_percentile: float | None = None,
) -> IntegerLayer:
    """Weights (batch norm and gain folded in), bias and neuron of one layer as integers.

    Args:
        weights: float64, of every connection into the layer.
        bias: float64, their sum; 0-d without any.
        threshold: positive, above a reset voltage of 0.
        weight_bits: 2..8, sign included where signs are mixed.
        clip_percentile: see `layer_scale`.
    """
    scale, limited_by = layer_scale(weights, bias, threshold, weight_bits=weight_bits, clip_percentile=clip_percentile)
    integers = [_integer_weights(weight, scale, weight_bits) for weight in weights]
    mantissa, exponent = _bias_numbers(np.asarray(64 * scale * bias))
    dv = int(np.clip(np.round(4096 * leak), 0, 4095))
    # Without leak and bias v is a whole number of weight units, and these comparisons are exact.
    is_whole = dv == 0 and not mantissa.any()
    return IntegerLayer(
        scale=scale,
        limited_by=limited_by,
        weights=tuple(weight for weight, _ in integers),
        signs=tuple(sign_of(weight) for weight, _ in integers),
        num_clipped=sum(num_clipped for _, num_clipped in integers),
        dv=dv,
        vth=_threshold(scale * threshold, is_whole, fires_on_equality),
        bias_mant=mantissa,
        bias_exp=exponent,
        comparison_is_exact=is_whole or not fires_on_equality,
    )


def _integer_weights(weight: np.ndarray, scale: float, weight_bits: int) -> tuple[np.ndarray, int]:
    """A connection's integers, and how many of them were clipped."""
    held = weight_range(sign_of(weight), weight_bits)
    rounded = held.step * np.round(scale * weight / held.step)
    low, high = held.low, held.high
    if sign_of(np.clip(rounded, low, high)) == "inhibitory":
        # Rounded, none is positive any more, and the chip takes them for a connection without the lowest number.
        low = weight_range("inhibitory", weight_bits).low
    num_clipped = int(np.count_nonzero((rounded < low) | (rounded > high)))
    return np.clip(rounded, low, high).astype(np.int64), num_clipped


def _threshold(value: float, is_whole: bool, fires_on_equality: bool) -> int:
    nearest = round(value)
    if not is_whole:
        return nearest
    # S V that is a whole number but for rounding counts as that number.
    exact = float(nearest) if abs(value - nearest) < 1e-9 * max(value, 1) else value
    return int(np.ceil(exact)) - 1 if fires_on_equality else int(np.floor(exact))


def _bias_numbers(bias: np.ndarray) -> tuple[np.ndarray, int]:
    """bias in state units -> (bias_mant, bias_exp), the smallest exponent that fits."""
    largest = float(np.abs(bias).max(initial=0.0))
    exponent = next(e for e in range(_MAX_EXPONENT + 1) if round(largest / 2**e) <= _MAX_MANTISSA)
    return np.asarray(np.round(bias / 2**exponent), dtype=np.int64), exponent

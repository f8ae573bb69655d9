"""What stands between two ReLUs: a sum of linear maps of earlier activations, and a shift."""

from dataclasses import dataclass, replace

import numpy as np

from conversion.ann.graph import Conv
from conversion.ann.kernels import MapShape, composed, identity, output_shape, scaled
from snnface.errors import UnsupportedLayerError

__all__ = ["Expression", "Term", "added", "behind", "of_source", "scaled_and_shifted"]


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """One source, as a map (C, H, W), and the kernel (without a bias) through which it is seen."""

    source: str
    shape: MapShape
    kernel: Conv


@dataclass(frozen=True, slots=True, eq=False)
class Expression:
    """sum over terms of kernel(source) + shift; then, if there is an `each`, that scale and shift of every number.

    Attributes:
        shape: of the sum, (C, H, W); a vector is (N, 1, 1).
        shift: [C].
        is_flat: read as one row of numbers.
        weights: names of the layers with weights that stand in it, in their order.
        each: scale and shift [C H W], of a map that a batch norm saw flattened; the next full layer takes them in.
    """

    terms: tuple[Term, ...]
    shape: MapShape
    shift: np.ndarray
    is_flat: bool = False
    weights: tuple[str, ...] = ()
    each: tuple[np.ndarray, np.ndarray] | None = None

    @property
    def is_source(self) -> bool:
        """It is an earlier activation, no more and no less."""
        is_plain = len(self.terms) == 1 and self.each is None and not self.weights and not self.shift.any()
        return is_plain and _is_identity(self.terms[0].kernel)


def of_source(name: str, shape: tuple[int, ...]) -> Expression:
    """An activation, or the input, as it is."""
    map_shape = (shape[0], shape[1], shape[2]) if len(shape) == 3 else (shape[0], 1, 1)
    term = Term(name, map_shape, identity(shape[0]))
    return Expression((term,), map_shape, np.zeros(shape[0]), is_flat=len(shape) == 1)


def behind(value: Expression, kernel: Conv, name: str) -> Expression:
    """The value through one more kernel; its own bias is added, the value's shift passes through the weights.

    The kernel may pad with zeros only where there is no shift.

    Raises:
        UnsupportedLayerError: if no single kernel does both.
    """
    assert not (value.shift.any() and any(kernel.padding))
    terms = []
    for term in value.terms:
        joined = composed(term.kernel, kernel, term.shape)
        if joined is None:
            raise UnsupportedLayerError(
                f"layer {name!r} pads with zeros what {_before(value)} has mixed over its border, without a ReLU "
                "between them; the two are no single convolution. Put a ReLU between them."
            )
        terms.append(replace(term, kernel=joined))
    return Expression(
        tuple(terms), output_shape(kernel, value.shape), _shift_behind(value.shift, kernel), weights=value.weights
    )


def scaled_and_shifted(value: Expression, scale: np.ndarray, shift: np.ndarray) -> Expression:
    """scale x + shift; both [C], or [C H W] of a flattened map."""
    if len(scale) != value.shape[0] or value.each is not None:
        before = value.each or (np.ones(len(scale)), np.zeros(len(scale)))
        return replace(value, each=(scale * before[0], scale * before[1] + shift))
    terms = tuple(replace(term, kernel=scaled(term.kernel, scale)) for term in value.terms)
    return replace(value, terms=terms, shift=scale * value.shift + shift)


def added(values: tuple[Expression, ...]) -> Expression:
    """The sum; terms that see one source through kernels of one geometry become one."""
    terms: list[Term] = []
    for term in (term for value in values for term in value.terms):
        for place, other in enumerate(terms):
            if other.source == term.source and _geometry(other.kernel) == _geometry(term.kernel):
                kernel = replace(term.kernel, weight=other.kernel.weight + term.kernel.weight)
                terms[place] = replace(other, kernel=kernel)
                break
        else:
            terms.append(term)
    weights = tuple(dict.fromkeys(name for value in values for name in value.weights))
    shift = np.sum([value.shift for value in values], axis=0)
    return replace(values[0], terms=tuple(terms), shift=shift, weights=weights)


def _shift_behind(shift: np.ndarray, kernel: Conv) -> np.ndarray:
    bias = np.zeros(len(kernel.weight)) if kernel.bias is None else kernel.bias
    if not shift.any():
        return bias
    per_group = len(kernel.weight) // kernel.groups
    shifts = shift.reshape(kernel.groups, -1)[np.arange(len(kernel.weight)) // per_group]
    return np.asarray(bias + (kernel.weight.sum(axis=(2, 3)) * shifts).sum(axis=1))


def _geometry(kernel: Conv) -> tuple[object, ...]:
    return (kernel.weight.shape, kernel.stride, kernel.padding, kernel.dilation, kernel.groups)


def _is_identity(kernel: Conv) -> bool:
    return _geometry(kernel) == _geometry(identity(len(kernel.weight))) and bool((kernel.weight == 1).all())


def _before(value: Expression) -> str:
    return repr(value.weights[-1]) if value.weights else "a pool of overlapping windows"

"""How ONNX moves axes about: the shape that comes out, of a network's values and of constants alike."""

import math
from collections.abc import Sequence

__all__ = ["flattened", "reshaped", "squeezed", "unsqueezed"]

Shape = tuple[int, ...]


def reshaped(shape: Shape, target: Sequence[int], *, allows_zero: bool) -> Shape:
    """Reshape: 0 keeps an axis (unless `allows_zero`), and one -1 takes what is left.

    Raises:
        ValueError: if the target has other numbers of elements, or its wildcards are not clear.

    >>> reshaped((7, 8, 1, 1), (0, -1), allows_zero=False)
    (7, 8)
    """
    kept = [
        shape[place] if size == 0 and not allows_zero and place < len(shape) else size
        for place, size in enumerate(target)
    ]
    if kept.count(-1) > 1 or any(size < -1 for size in kept):
        raise ValueError(f"{tuple(target)} is no shape")
    count, rest = math.prod(shape), math.prod(size for size in kept if size != -1)
    if -1 in kept:
        kept[kept.index(-1)] = count // rest if rest else 0
    if math.prod(kept) != count:
        raise ValueError(f"{shape} cannot become {tuple(target)}")
    return tuple(kept)


def flattened(shape: Shape, axis: int) -> Shape:
    """Flatten: all axes before `axis` as one, and all from there on."""
    if not -len(shape) <= axis <= len(shape):
        raise ValueError(f"{shape} has no axis {axis}")
    place = axis + len(shape) if axis < 0 else axis
    return math.prod(shape[:place]), math.prod(shape[place:])


def squeezed(shape: Shape, axes: Sequence[int] | None) -> Shape:
    """Squeeze: without the named axes of size 1, or without all of them."""
    gone = {place for place, size in enumerate(shape) if size == 1} if axes is None else _places(axes, len(shape))
    if any(shape[place] != 1 for place in gone):
        raise ValueError(f"axes {tuple(axes or ())} of {shape} are not all of size 1")
    return tuple(size for place, size in enumerate(shape) if place not in gone)


def unsqueezed(shape: Shape, axes: Sequence[int]) -> Shape:
    """Unsqueeze: axes of size 1 at these places of the result."""
    ndim = len(shape) + len(axes)
    new, old = _places(axes, ndim), iter(shape)
    return tuple(1 if place in new else next(old) for place in range(ndim))


def _places(axes: Sequence[int], ndim: int) -> set[int]:
    places = {axis + ndim if axis < 0 else axis for axis in axes}
    if len(places) != len(axes) or not all(0 <= place < ndim for place in places):
        raise ValueError(f"axes {tuple(axes)} are not among {ndim}")
    return places

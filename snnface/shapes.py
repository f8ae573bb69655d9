"""The axis letters, and a shape check for public boundaries.

    T step    B batch   C channel   H row     W column   D feature
    K class or output   N event or neuron     L landmark V vertex   Z latent

Annotations use them as `Float[Tensor, "T B C H W"]`; the test run checks every
annotation at run time. `require_shape` is for boundaries that a user crosses.
"""

from typing import Protocol, runtime_checkable

from snnface.errors import ShapeError

__all__ = ["require_shape"]


@runtime_checkable
class _HasShape(Protocol):
    @property
    def shape(self) -> tuple[int, ...]: ...


def require_shape(array: _HasShape, axes: str, *, what: str) -> None:
    """Check that `array` has the axes named in `axes`.

    Args:
        axes: letters or sizes separated by blanks, such as `"T B 2 H W"`. A number
            must be met exactly; a letter that occurs twice must have one size.
        what: the name of the array for the message.

    Raises:
        ShapeError: if the number of axes, or a fixed size, differs.
    """
    wanted = axes.split()
    # As they are, no int(): in a network that is traced for export the batch is a symbol.
    shape = tuple(array.shape)
    sizes: dict[str, int] = {}
    fits = len(shape) == len(wanted) and all(
        size == (int(axis) if axis.isdigit() else sizes.setdefault(axis, size))
        for axis, size in zip(wanted, shape, strict=True)
    )
    if not fits:
        raise ShapeError(f"{what} must have the axes [{', '.join(wanted)}]; its shape is {list(shape)}.")

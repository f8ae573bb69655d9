"""Do these event pictures look like the faces that a model was trained on?

No face detector, but an honest guard: a face in motion has its events at brows, eyes, nose
and mouth. Where the events of a clip lie is compared with where they lay in every training
clip; what is farther away than faces are from each other is not answered as a face.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from snnface.errors import CheckpointError, DataError
from snnface.files import atomic_path

__all__ = ["GRID", "KnownFaces", "event_layout", "known_faces", "load_known_faces", "save_known_faces"]

GRID = 8
"""Cells along each side of a layout."""


def event_layout(pictures: Float[Tensor, "T C H W"]) -> Float[Tensor, " D"]:
    """Which share of all events falls into each cell of a GRID x GRID raster, row by row; sums to 1.

    All zeros where there is no event.
    """
    total = pictures.sum((0, 1))
    cells = torch.nn.functional.adaptive_avg_pool2d(total[None], GRID)[0].flatten()
    return cells / cells.sum().clamp(min=torch.finfo(cells.dtype).tiny)


@dataclass(frozen=True, slots=True, eq=False)
class KnownFaces:
    """Layouts of the training clips, and how far apart layouts of faces are.

    Attributes:
        layouts: [N, GRID * GRID].
        limit: the distance that 99 % of held-out face clips stay below.
    """

    layouts: Float[Tensor, "N D"]
    limit: float

    def distance(self, pictures: Float[Tensor, "T C H W"]) -> float:
        """Share of the events that would have to move to match the nearest known face: 0 to 1.

        The total-variation distance between layouts. A clip without events is at 1.
        """
        layout = event_layout(pictures)
        return _nearest(self.layouts, layout) if bool(layout.any()) else 1.0


def known_faces(
    training: Iterable[Float[Tensor, "T C H W"]], held_out: Iterable[Float[Tensor, "T C H W"]]
) -> KnownFaces:
    """Learn what faces look like from training clips, and the limit from clips of other subjects.

    Clips without events say nothing and are left out.

    Raises:
        DataError: if no training clip, or no held-out clip, has events.
    """
    known, others = ([layout for layout in map(event_layout, clips) if layout.any()] for clips in (training, held_out))
    if not known or not others:
        raise DataError("known faces need training clips and held-out clips with events; one kind is missing.")
    layouts = torch.stack(known)
    distances = torch.tensor([_nearest(layouts, layout) for layout in others])
    return KnownFaces(layouts, limit=float(torch.quantile(distances, 0.99)))


def _nearest(layouts: Float[Tensor, "N D"], layout: Float[Tensor, " D"]) -> float:
    """Total-variation distance to the nearest of `layouts`."""
    return float((layouts - layout).abs().sum(1).min() / 2)


def save_known_faces(faces: KnownFaces, path: Path) -> None:
    """Write as safetensors; layouts are kept in half precision (errors below 0.05 % of a share)."""
    with atomic_path(path) as temporary:
        save_file({"layouts": faces.layouts.half(), "limit": torch.tensor([faces.limit])}, temporary)


def load_known_faces(path: Path) -> KnownFaces:
    """Read what `save_known_faces` wrote.

    Raises:
        CheckpointError: if the file is missing or is not such a file.
    """
    if not path.is_file():
        raise CheckpointError(
            f"there is no {path}: a run keeps what faces look like where it has validation subjects and pictures of "
            f"at least {GRID} x {GRID} pixels. Train one that does."
        )
    try:
        tensors = load_file(path)
        layouts, limit = tensors["layouts"].float(), float(tensors["limit"])
        if layouts.ndim != 2 or layouts.shape[1] != GRID**2 or not len(layouts):
            raise ValueError(f"layouts of shape {list(layouts.shape)}")
        return KnownFaces(layouts, limit)
    except (SafetensorError, OSError, KeyError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"{path} should hold the layouts of known faces; it cannot be read: {error}.") from error

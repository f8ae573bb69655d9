"""Components for a face model that comes without 3-D scans: learned from faces drawn from the model itself."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from snnface.errors import DataError
from snnface.faces.action_units import ACTION_UNITS
from snnface.faces.components.components import Components
from snnface.faces.components.dictionary import DictionaryConfig, expression_components
from snnface.faces.components.identity import identity_components
from snnface.faces.model import FaceMesh
from snnface.seeding import SeedTree

__all__ = ["ExpressiveOffsets", "FaceComponents", "drawn_components", "drawn_neutrals", "drawn_offsets"]

NUM_NEUTRALS, NUM_ACTORS = 22, 10
"""As in the paper: neutral faces of 22 people, action units of 10 of them."""

# An adult's outer eye corners are about this far apart; penalties of `DictionaryConfig` are for centimetres.
EYE_DISTANCE_CM = 8.8

# A tenth of the default: splitting one code over twin atoms lowers its square, so that the default
# spends eight of 32 atoms on the jaw, whose offsets are by far the largest.
L2 = 0.001


@dataclass(frozen=True, slots=True, eq=False)
class FaceComponents:
    """The two 3DMMs of one mesh."""

    identity: Components
    expression: Components


@dataclass(frozen=True, slots=True, eq=False)
class ExpressiveOffsets:
    """Offsets from neutral, and the action unit that each shows."""

    offsets: Float32[np.ndarray, "N V 3"]
    labels: tuple[str, ...]


def drawn_components(mesh: FaceMesh, *, num_expression: int = 32, seed: int = 0) -> FaceComponents:
    """An ID-3DMM and an AU-3DMM of a mesh: 21 identity components from 22 drawn people, and
    expression components from 10 people's action units.

    The same mesh and seed give the same components.

    Raises:
        DataError: as `drawn_offsets` and `identity_components`.
    """
    seeds = SeedTree(seed)
    penalty = DictionaryConfig().l1 * (mesh.eye_distance / EYE_DISTANCE_CM)
    config = DictionaryConfig(num_components=num_expression, l1=penalty, l2=L2, seed=seeds.seed("dictionary"))
    drawn = drawn_offsets(mesh, NUM_ACTORS, seeds.numpy("offsets"))
    return FaceComponents(
        identity=identity_components(drawn_neutrals(mesh, NUM_NEUTRALS, seeds.numpy("neutrals"))),
        expression=expression_components(drawn.offsets, config, labels=drawn.labels),
    )


def drawn_neutrals(mesh: FaceMesh, num: int, generator: np.random.Generator) -> Float32[np.ndarray, "N V 3"]:
    """Neutral faces of random people."""
    coefficients = generator.standard_normal((num, len(mesh.identity))) * mesh.identity_std
    return np.stack([mesh.vertices(row) for row in coefficients])


def drawn_offsets(mesh: FaceMesh, num_actors: int, generator: np.random.Generator) -> ExpressiveOffsets:
    """Every action unit of the face that the mesh can show, whole and one-sided, by random people.

    One-sided are the single expressions of a unit that is made of several. People differ in how
    strongly they show a unit (0.4..1), in how far they move each expression (0.7..1 of that), and in
    the movement that comes along with it (up to 0.15). Gaze and head units are left out: they move no
    skin.

    Raises:
        DataError: if the mesh shows no action unit of the face.
    """
    # A face from a file may show units that are not in our table, such as 18.
    codes = [code for code in mesh.action_units if code not in ACTION_UNITS or ACTION_UNITS[code].kind == "face"]
    if not codes:
        raise DataError("expression components are learned from action units; this face shows none.")
    shown: list[tuple[str, np.ndarray]] = []
    for code in codes:
        whole = mesh.expression_weights({code: 1.0})
        alone = np.diag(whole)[whole != 0]
        shown += [(f"AU{code}", weights) for weights in (whole, *(alone if len(alone) > 1 else ()))]
    movements = np.stack([weights for _, weights in shown])
    habits = generator.integers(len(shown), size=(num_actors, len(shown)))
    along = generator.uniform(0.0, 0.15, habits.shape)[..., None] * movements[habits]
    gains = generator.uniform(0.7, 1.0, (num_actors, 1, len(mesh.expression)))
    strength = generator.uniform(0.4, 1.0, (num_actors, len(shown), 1))
    weights = (strength * gains * (movements + along)).astype(np.float32)
    offsets = np.tensordot(weights.reshape(-1, len(mesh.expression)), mesh.expression, 1)
    return ExpressiveOffsets(offsets, tuple(label for label, _ in shown) * num_actors)

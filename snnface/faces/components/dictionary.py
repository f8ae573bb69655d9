"""Dictionary learning: components that each move a part of the face, few of them at a time.

PCA spreads every expression over all its components; a penalty on the coefficients gives atoms
that look like single muscles, at nearly the same error.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float64

from snnface.errors import ConfigError, DataError
from snnface.faces.components.components import Components
from snnface.faces.components.sparse_coding import MAX_PASSES, sparse_codes
from snnface.seeding import SeedTree

__all__ = ["WEIGHT_FLOOR", "DictionaryConfig", "LearnedDictionary", "expression_components", "learned_dictionary"]

logger = logging.getLogger(__name__)

WEIGHT_FLOOR = 1e-6
"""No component weighs less than this share of the heaviest, so that a fit can divide by every weight."""

# Singular values below this share of the largest are rounding.
RANK_TOLERANCE = 1e-10

# While the atoms still move, codes need not settle.
PASSES_A_ROUND = 3


@dataclass(frozen=True, kw_only=True)
class DictionaryConfig:
    """What to minimise, and when to stop.

    Attributes:
        num_components: atoms in the dictionary.
        l1, l2: penalties on the absolute and the squared codes. l1 is a length, in the unit of the
            vectors: the default suits centimetres; l2 is a number.
        nonnegative: whether codes may only add an atom, never take it away.
        max_iterations: rounds of coding and updating.
        tolerance: stop when a round lowers the objective by less than this share of it.
        seed: of the offsets that the search starts from.
    """

    num_components: int = 32
    l1: float = 0.05
    l2: float = 0.01
    nonnegative: bool = False
    max_iterations: int = 1000
    tolerance: float = 1e-4
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.num_components <= 4096:
            raise ConfigError(f"a dictionary has 1..4096 components; got {self.num_components}.")
        if not (self.l1 >= 0 and self.l2 >= 0 and np.isfinite(self.l1 + self.l2)):
            raise ConfigError(f"l1 and l2 are finite and at least 0; got {self.l1} and {self.l2}.")
        if self.max_iterations < 1 or not self.tolerance >= 0:
            raise ConfigError("a dictionary needs at least 1 iteration, and a tolerance of at least 0.")


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LearnedDictionary:
    """What dictionary learning found, and how it went.

    Attributes:
        atoms: directions of length 1 at most, those with most energy in the codes first; not orthogonal.
        codes: how much of each atom every training vector uses.
        objective: its value after every half step (codes, atoms, codes, ..., codes); never rises.
        relative_error: |vectors - codes @ atoms| / |vectors| (Frobenius norms).
        converged: False where `max_iterations` ended the search.
    """

    atoms: Float64[np.ndarray, "K D"]
    codes: Float64[np.ndarray, "N K"]
    objective: Float64[np.ndarray, " S"]
    relative_error: float
    converged: bool

    @property
    def mean_num_nonzero(self) -> float:
        """How many atoms a training vector uses in the mean."""
        return float(np.count_nonzero(self.codes, axis=1).mean())

    @property
    def weights(self) -> Float64[np.ndarray, " K"]:
        """Mean square of each atom's codes, at least `WEIGHT_FLOOR` of the largest."""
        energy = np.square(self.codes).mean(0)
        return np.maximum(energy, WEIGHT_FLOOR * energy.max())


def expression_components(
    offsets: Float[np.ndarray, "N V 3"], config: DictionaryConfig | None = None, *, labels: Sequence[str] = ()
) -> Components:
    """An AU-3DMM: components learned from offsets of expressive faces from the same subjects' neutral ones.

    The mean offset is not taken away: zero coefficients must mean neutral.

    Args:
        labels: what each offset shows, such as "AU12"; components are then named by what they mostly show.

    Raises:
        DataError: as `learned_dictionary`; if there are labels, but not one for each offset; if l1 is
            so large that zero codes are best for every offset.

    Source: Becattini et al. 2024, "Neuromorphic Facial Analysis with Cross-Modal Supervision", sec. 5.1,
    after Ferrari et al. 2017 (DL-3DMM), doi:10.1109/TMM.2017.2707341.
    """
    if labels and len(labels) != len(offsets):
        raise DataError(f"{len(offsets)} offsets need as many labels, or none; got {len(labels)}.")
    learned = learned_dictionary(offsets.reshape(len(offsets), -1), config or DictionaryConfig())
    if not learned.codes.any():
        raise DataError(
            "no offset is long enough to be worth a component: l1 is a length, in the offsets' unit; use a smaller one "
            f"than {(config or DictionaryConfig()).l1:g}."
        )
    basis = learned.atoms.reshape(-1, *offsets.shape[1:]).astype(np.float32)
    names = _names(learned.codes, labels) if labels else ()
    return Components(basis=basis, weights=learned.weights, kind="expression", names=names)


def _names(codes: np.ndarray, labels: Sequence[str]) -> tuple[str, ...]:
    """Number and label of each component: the label whose offsets use it most in the mean."""
    kinds = sorted({*labels})
    member = np.array([[label == kind for label in labels] for kind in kinds], dtype=float)
    use = member / member.sum(1, keepdims=True) @ np.square(codes)
    return tuple(
        f"{k} {kinds[column.argmax()]}" if column.any() else f"{k} unused" for k, column in enumerate(use.T, start=1)
    )


def learned_dictionary(vectors: Float[np.ndarray, "N D"], config: DictionaryConfig) -> LearnedDictionary:
    """Atoms d and codes w of vectors v, n of them, that minimise

        (1/n) sum_i [ 1/2 |v_i - sum_k w_ik d_k|^2 + l1 |w_i|_1 + l2 |w_i|^2 ]   with |d_k| <= 1

    by turns: codes by coordinate descent, then every atom in turn at fixed codes. An atom that no
    vector uses is put where the reconstruction is worst. The work is done in the row space of the
    vectors, which holds every optimal atom, so that its cost does not grow with D. A local minimum:
    the problem is not convex. The same seed gives the same result.

    Raises:
        DataError: if there is no vector, a value is not finite, or all are zero.

    Source: Mairal et al. 2010, "Online Learning for Matrix Factorization and Sparse Coding", JMLR 11,
    algorithm 2, over the whole set instead of mini-batches.
    """
    rows, directions = _row_space(vectors.astype(np.float64))
    atoms = _drawn_atoms(rows, config)
    codes = np.zeros((len(rows), len(atoms)))
    objective: list[float] = []
    converged = False
    for _ in range(config.max_iterations):
        codes = _codes(rows, atoms, config, start=codes, max_passes=PASSES_A_ROUND)
        objective.append(_objective(rows, atoms, codes, config))
        _update(atoms, rows, codes)
        objective.append(_objective(rows, atoms, codes, config))
        if len(objective) > 2 and objective[-3] - objective[-1] <= config.tolerance * objective[-1]:
            converged = True
            break
    codes = _codes(rows, atoms, config, start=codes)
    objective.append(_objective(rows, atoms, codes, config))
    error = float(np.linalg.norm(rows - codes @ atoms) / np.linalg.norm(rows))
    if not converged:
        logger.warning("the dictionary had not settled after %d iterations.", config.max_iterations)
    order = np.argsort(-np.square(codes).sum(0), kind="stable")
    return LearnedDictionary(
        atoms=atoms[order] @ directions,
        codes=codes[:, order],
        objective=np.array(objective),
        relative_error=error,
        converged=converged,
    )


def _row_space(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates [N, R] of the vectors in an orthonormal basis [R, D] of their row space."""
    if not np.isfinite(vectors).all():
        broken = int(np.flatnonzero(~np.isfinite(vectors).all(1))[0])
        raise DataError(f"every offset must be a finite number; vector {broken} holds others.")
    if not vectors.any():
        raise DataError("a dictionary is learned from vectors that are not all zero; these are, or there are none.")
    # The long side first, as it is 50 times the other: half the time of a decomposition of the whole.
    across, triangle = np.linalg.qr(vectors.T)
    left, spread, right = np.linalg.svd(triangle.T, full_matrices=False)
    rank = int((spread > RANK_TOLERANCE * spread[0]).sum())
    return (left * spread)[:, :rank], right[:rank] @ across.T


def _drawn_atoms(rows: np.ndarray, config: DictionaryConfig) -> np.ndarray:
    """Vectors drawn one after the other, each by how much of it (squared) those before leave over.

    They differ more than vectors drawn evenly, and the search from them is shorter. Where nothing is
    left over, random directions.
    """
    generator = SeedTree(config.seed).numpy("dictionary")
    atoms = generator.standard_normal((config.num_components, rows.shape[1]))
    left = rows.copy()
    scale = np.linalg.norm(rows, axis=1)
    for k in range(len(atoms)):
        energy = np.square(left).sum(1)
        energy[energy <= np.square(RANK_TOLERANCE * scale)] = 0.0
        if not energy.any():
            break
        drawn = generator.choice(len(rows), p=energy / energy.sum())
        atoms[k] = rows[drawn]
        direction = left[drawn] / np.sqrt(energy[drawn])
        left -= np.outer(left @ direction, direction)
    return atoms / np.linalg.norm(atoms, axis=1, keepdims=True)


def _codes(
    rows: np.ndarray, atoms: np.ndarray, config: DictionaryConfig, *, start: np.ndarray, max_passes: int = MAX_PASSES
) -> np.ndarray:
    return sparse_codes(
        *(rows, atoms),
        l1=config.l1,
        l2=config.l2,
        nonnegative=config.nonnegative,
        start=start,
        max_passes=max_passes,
    )


def _update(atoms: np.ndarray, rows: np.ndarray, codes: np.ndarray) -> None:
    """Each atom in turn where it is best for the codes, in place."""
    energy = codes.T @ codes
    wanted = codes.T @ rows
    unused = []
    for k in range(len(atoms)):
        if energy[k, k] <= np.finfo(float).tiny:
            unused.append(k)
            continue
        atom = atoms[k] + (wanted[k] - energy[k] @ atoms) / energy[k, k]
        atoms[k] = atom / max(1.0, float(np.linalg.norm(atom)))
    if unused:
        residuals = rows - codes @ atoms
        norms = np.linalg.norm(residuals, axis=1)
        worst = np.argsort(-norms, kind="stable")[: len(unused)]
        for k, i in zip(unused, worst, strict=False):
            if norms[i] > 0:
                atoms[k] = residuals[i] / norms[i]


def _objective(rows: np.ndarray, atoms: np.ndarray, codes: np.ndarray, config: DictionaryConfig) -> float:
    misfit = np.square(rows - codes @ atoms).sum() / 2
    return float((misfit + config.l1 * np.abs(codes).sum() + config.l2 * np.square(codes).sum()) / len(rows))

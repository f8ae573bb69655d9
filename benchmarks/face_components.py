"""Expression components by dictionary learning beside PCA and scikit-learn, in one run.

    python benchmarks/face_components.py [--face FACE.npz] [--components 8 32 128 256]

Offsets are drawn from a face model: ten actors, each showing the 51 largest expressions at 0.6..1 with
up to a tenth of two others. Without `--face` it is the built-in one, which has fewer expressions. Every
method minimises (1/n) sum [1/2 |v - D w|^2 + l1 |w|_1 + l2 |w|^2]; scikit-learn's has no l2, so its
vectors are coded anew on its atoms. Seconds are of processor time, of one run.
"""

import argparse
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.decomposition import DictionaryLearning, MiniBatchDictionaryLearning
from sklearn.exceptions import ConvergenceWarning

from snnface.faces.components import DictionaryConfig, drawn_components, learned_dictionary
from snnface.faces.components.sparse_coding import sparse_codes
from snnface.faces.components.training_faces import EYE_DISTANCE_CM
from snnface.faces.figures import component_sheet
from snnface.faces.files import load_face
from snnface.faces.model import PARTS, FaceMesh
from snnface.faces.procedural import ProceduralFace

NUM_ACTORS, NUM_EXPRESSIONS = 10, 51


def acted(mesh: FaceMesh, seed: int = 0) -> np.ndarray:
    """Offsets of the skin in centimetres, one a row."""
    generator = np.random.default_rng(seed)
    cm = EYE_DISTANCE_CM / mesh.eye_distance
    shapes = cm * mesh.expression[:, mesh.part == PARTS.index("skin")].reshape(len(mesh.expression), -1)
    largest = np.argsort(-np.linalg.norm(shapes, axis=1))[:NUM_EXPRESSIONS]
    weights = np.zeros((NUM_ACTORS, len(largest), len(shapes)))
    for actor in weights:
        for row, index in zip(actor, largest, strict=True):
            row[index] = generator.uniform(0.6, 1.0)
            row[generator.choice(len(shapes), 2)] += generator.uniform(0.0, 0.1, 2)
    return weights.reshape(-1, len(shapes)) @ shapes


def objective(vectors: np.ndarray, atoms: np.ndarray, codes: np.ndarray, config: DictionaryConfig) -> float:
    misfit = np.square(vectors - codes @ atoms).sum() / 2
    return float((misfit + config.l1 * np.abs(codes).sum() + config.l2 * np.square(codes).sum()) / len(vectors))


def row(name: str, seconds: float, atoms: np.ndarray, vectors: np.ndarray, config: DictionaryConfig) -> None:
    codes = sparse_codes(vectors, atoms, l1=config.l1, l2=config.l2, nonnegative=config.nonnegative)
    error = np.linalg.norm(vectors - codes @ atoms) / np.linalg.norm(vectors)
    used = np.count_nonzero(codes, axis=1).mean()
    print(
        f"{name:42}{seconds:8.1f} s{objective(vectors, atoms, codes, config):11.3f}{error:11.4f}{used:9.1f}", flush=True
    )


def timed(work: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def compare(vectors: np.ndarray, coordinates: np.ndarray, num_components: int) -> None:
    config = DictionaryConfig(num_components=num_components)
    spread = np.linalg.svd(coordinates, compute_uv=False)
    error = np.sqrt(np.square(spread[num_components:]).sum() / np.square(spread).sum())
    print(f"\n{f'K = {num_components}':42}{'time':>10}{'objective':>11}{'rel. error':>11}{'codes':>9}")
    print(f"{'PCA':42}{'':21}{error:11.4f}{num_components:9.1f}")
    for name, settings in (("ours", config), ("ours, non-negative", replace(config, nonnegative=True))):
        row(name, *timed(lambda settings=settings: learned_dictionary(vectors, settings).atoms), vectors, settings)
    if num_components > 64:
        return
    for name, peer in peers(config).items():
        # Their own reduction would be unfair to leave out: they get coordinates in the row space.
        seconds, atoms = timed(lambda peer=peer: peer.fit(coordinates).components_)
        row(name, seconds, atoms, coordinates, config)


def peers(config: DictionaryConfig) -> dict[str, DictionaryLearning | MiniBatchDictionaryLearning]:
    settings = {
        "n_components": config.num_components,
        "alpha": config.l1,
        "fit_algorithm": "cd",
        "transform_algorithm": "lasso_cd",
        "random_state": config.seed,
    }
    return {
        "scikit-learn DictionaryLearning": DictionaryLearning(max_iter=300, tol=1e-8, **settings),
        "scikit-learn MiniBatchDictionaryLearning": MiniBatchDictionaryLearning(
            max_iter=300, batch_size=64, tol=0.0, max_no_improvement=None, **settings
        ),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--face", type=Path, help="a face model file; default: the built-in face")
    parser.add_argument("--components", type=int, nargs="+", default=[8, 32, 128, 256])
    arguments = parser.parse_args()
    # The peers warn of codes that have not settled.
    warnings.filterwarnings("ignore", category=ConvergenceWarning)
    built_in = ProceduralFace.build().mesh
    vectors = acted(built_in if arguments.face is None else load_face(arguments.face))
    learned_dictionary(vectors[:20], DictionaryConfig(num_components=2))  # compiles
    left, spread, _ = np.linalg.svd(vectors, full_matrices=False)
    coordinates = (left * spread)[:, spread > 1e-10 * spread[0]]
    print(
        f"{len(vectors)} offsets of {vectors.shape[1]} coordinates, rank {coordinates.shape[1]}, "
        f"mean length {np.linalg.norm(coordinates, axis=1).mean():.1f} cm"
    )
    for num_components in arguments.components:
        compare(vectors, coordinates, num_components)
    start = time.process_time()
    components = drawn_components(built_in)
    print(f"\nthe built-in face's own components, {len(built_in.mean)} vertices: {time.process_time() - start:.1f} s")
    start = time.process_time()
    component_sheet(built_in, components.expression)
    print(f"their heat maps: {time.process_time() - start:.1f} s")


if __name__ == "__main__":
    main()

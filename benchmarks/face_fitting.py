"""How fast the fit to landmarks is, and how well action units can be read from its coefficients.

    python benchmarks/face_fitting.py [--frames 5000] [--seed 0] [--only speed|read-out]

Read-out: an identity 3DMM of 22 neutral people and an expression 3DMM of 10 of them, both of the built-in
face; 12 other people show each of 20 action units once, 5 frames with the head turned another way (up to
14 degrees about each axis) in each. A linear classifier sees the coefficients of the apex frame of 6 people
and is tested on the 6 others. Synthetic faces: the numbers say how variants compare, not what real faces give.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from snnface.faces import ACTION_UNITS, FaceMesh, ProceduralFace
from snnface.faces.action_units import COMPANIONS
from snnface.faces.components import Components, drawn_components
from snnface.faces.components.training_faces import drawn_neutrals
from snnface.faces.fitting import FittingConfig, LandmarkModel, estimate_cameras, fit_clip, y_up
from snnface.seeding import SeedTree

NUM_SHOWN = 12
EYE_DISTANCE_PX, MAX_TURN_DEG = 107.0, 14.0
# Intensity of each frame of a clip, as a share of the apex.
COURSE = (0.0, 0.5, 1.0, 0.5, 0.0)
APEX = COURSE.index(1.0)
# 45 looks like 43.
CODES = tuple(code for code, unit in ACTION_UNITS.items() if unit.kind == "face" and code != 45)


@dataclass(frozen=True, slots=True, eq=False)
class Clips:
    """Clips of people who show one action unit each.

    Attributes:
        landmarks: (column, row) without noise, [N, 5, 68, 2].
        code: the action unit of each clip, [N].
        person: who shows it, [N].
    """

    landmarks: np.ndarray
    code: np.ndarray
    person: np.ndarray


def shown(mesh: FaceMesh, code: int, generator: np.random.Generator) -> np.ndarray:
    """Expression weights of one attempt at an action unit: uneven sides, often with the usual companion."""
    weights = mesh.expression_weights({code: generator.uniform(0.5, 1.0)})
    if code in COMPANIONS and generator.random() < 0.3:
        weights += mesh.expression_weights({COMPANIONS[code]: generator.uniform(0.1, 0.5)})
    right, left = generator.uniform(0.85, 1.0, 2)
    for index, name in enumerate(mesh.expression_names):
        weights[index] *= right if name.endswith("right") else left if name.endswith("left") else 1.0
    return weights


def turned(generator: np.random.Generator, count: int) -> np.ndarray:
    """Rows 1 and 2 of random head rotations in pixels, [count, 2, 3]."""
    yaw, pitch, roll = np.deg2rad(generator.uniform(-MAX_TURN_DEG, MAX_TURN_DEG, (3, count)))
    one, zero = np.ones(count), np.zeros(count)
    about_y = np.array([[np.cos(yaw), zero, np.sin(yaw)], [zero, one, zero], [-np.sin(yaw), zero, np.cos(yaw)]])
    about_x = np.array([[one, zero, zero], [zero, np.cos(pitch), -np.sin(pitch)], [zero, np.sin(pitch), np.cos(pitch)]])
    about_z = np.array([[np.cos(roll), -np.sin(roll), zero], [np.sin(roll), np.cos(roll), zero], [zero, zero, one]])
    return np.einsum("ijn,jkn,kln->nil", about_z, about_x, about_y)[:, :2] * EYE_DISTANCE_PX


def drawn_clips(mesh: FaceMesh, generator: np.random.Generator, *, codes: Sequence[int] = CODES) -> Clips:
    """One clip of each person and action unit."""
    found = []
    modes = mesh.landmarks(mesh.expression)
    for person, base in enumerate(mesh.landmarks(drawn_neutrals(mesh, NUM_SHOWN, generator))):
        for code in codes:
            weights = np.outer(COURSE, shown(mesh, code, generator))
            shapes = base + np.tensordot(weights, modes, 1)
            place = generator.uniform((100, -380), (540, -100))
            points = shapes @ turned(generator, len(COURSE)).transpose(0, 2, 1) + place
            found.append((y_up(points), code, person))
    landmarks, code, person = zip(*found, strict=True)
    return Clips(np.stack(landmarks), np.array(code), np.array(person))


def t_in_basis(landmarks: np.ndarray, model: LandmarkModel, config: FittingConfig) -> np.ndarray:
    """The known mistake: the whole camera, shift included, is applied to every offset of the basis.

    A fit of one step in plain NumPy with the camera of the unfitted shape; coefficients [F, K] of frames
    [F, 68, 2], the first of which is neutral.
    """
    points = y_up(landmarks)
    ridge = config.lambda_rel * model.eye_distance**2

    def solved(points: np.ndarray, base: np.ndarray, basis: np.ndarray, weights: np.ndarray) -> np.ndarray:
        cameras = estimate_cameras(points, base, kind=config.camera)
        omega = np.repeat(config.landmark_weights, 2)
        answers = []
        for frame, (linear, shift) in enumerate(zip(cameras.linear, cameras.shift, strict=True)):
            columns = ((basis @ linear.T + shift) / cameras.scale[frame]).reshape(len(basis), -1).T
            residual = ((points[frame] - base @ linear.T - shift) / cameras.scale[frame]).ravel()
            gram = columns.T @ (omega[:, None] * columns) + ridge * np.diag(1 / weights)
            answers.append(np.linalg.solve(gram, columns.T @ (omega * residual)))
        return np.array(answers)

    who = solved(points[:1], model.template, model.identity, model.identity_weights)[0]
    base = model.template + np.tensordot(who, model.identity, 1)
    return solved(points, base, model.expression, model.expression_weights)


def right(landmarks: np.ndarray, model: LandmarkModel, config: FittingConfig) -> np.ndarray:
    """The fit of this project, [F, K]."""
    return fit_clip(landmarks, model, config).alpha


Fit = Callable[[np.ndarray, LandmarkModel, FittingConfig], np.ndarray]


def read_out(
    clips: Clips,
    model: LandmarkModel,
    config: FittingConfig,
    *,
    noise_px: float,
    seed: int,
    fit: Fit = right,
    is_neutral: bool = True,
) -> float:
    """Share of the clips of unseen people whose action unit a linear classifier names, from alpha of the apex.

    Args:
        is_neutral: whether clips begin at rest, or half-way to the apex.
    """
    generator = SeedTree(seed).numpy("noise")
    noisy = clips.landmarks + generator.normal(0, noise_px, clips.landmarks.shape)
    start = 0 if is_neutral else 1
    alpha = np.array([fit(clip[start:], model, config)[APEX - start] for clip in noisy])
    known = clips.person < NUM_SHOWN // 2
    classifier = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))
    classifier.fit(alpha[known], clips.code[known])
    return float((classifier.predict(alpha[~known]) == clips.code[~known]).mean())


def print_read_out(seed: int) -> None:
    """The table: camera and refinement against noise and lambda."""
    mesh = ProceduralFace.build(0.06).mesh
    components = drawn_components(mesh, seed=seed)
    model = LandmarkModel.of(mesh, components.identity, components.expression)
    clips = drawn_clips(mesh, SeedTree(seed).numpy("clips"))
    sop = FittingConfig()
    affine = replace(sop, camera="affine")
    columns: dict[str, tuple[FittingConfig, Fit]] = {
        "affine r0": (replace(affine, rounds=0), right),
        "affine": (affine, right),
        "t in basis": (replace(affine, rounds=0), t_in_basis),
        "sop r0": (replace(sop, rounds=0), right),
        "sop": (sop, right),
        "sop rigid": (replace(sop, camera_landmarks="rigid"), right),
    }
    num_tests = int((clips.person >= NUM_SHOWN // 2).sum())
    print(
        f"\naction units from alpha, per cent of {num_tests} clips of unseen people; chance {100 / len(CODES):.1f}; "
        f"eye distance {EYE_DISTANCE_PX:g} px"
    )
    print(f"  {'noise px, lambda, reference':34}" + "".join(f"{name:>12}" for name in columns))
    for noise_px, factor, is_neutral in ((0, 1, True), (1, 1, True), (1, 10, True), (1, 10, False)):
        row = f"{noise_px}, {factor * sop.lambda_rel:.2g}, {'neutral' if is_neutral else 'half-way to the apex'}"
        accuracies = (
            read_out(
                clips,
                model,
                replace(config, lambda_rel=factor * config.lambda_rel),
                noise_px=noise_px,
                seed=seed,
                fit=fit,
                is_neutral=is_neutral,
            )
            for config, fit in columns.values()
        )
        print(f"  {row:34}" + "".join(f"{100 * accuracy:12.1f}" for accuracy in accuracies))


def print_speed(num_frames: int, seed: int) -> None:
    """Frames a second of the whole two-step fit with the default config, on the threads it uses (one)."""
    mesh = ProceduralFace.build(0.06).mesh
    generator = SeedTree(seed).numpy("speed")
    neutral = mesh.landmarks(drawn_neutrals(mesh, 1, generator)[0])
    identity = Components(basis=mesh.identity, weights=mesh.identity_std.astype(np.float64) ** 2, kind="identity")
    print(f"\ntwo-step fit, default config, {num_frames} frames (bar: 5000 frames/s with 32 components, two cores)")
    for count, size in ((8, 2), (32, 2), (32, 3), (64, 2), (136, 2), (256, 2)):
        mixing = generator.normal(0, 0.2, (count, len(mesh.expression)))
        basis = np.tensordot(mixing, mesh.expression, 1).astype(np.float32)
        expression = Components(basis=basis, weights=np.full(count, 0.05), kind="expression")
        model = LandmarkModel.of(mesh, identity, expression)
        shapes = neutral + np.tensordot(generator.normal(0, 0.2, (num_frames, count)), model.expression, 1)
        points = shapes @ turned(generator, num_frames).transpose(0, 2, 1)
        if size == 3:
            points = np.concatenate([points, EYE_DISTANCE_PX * shapes[..., 2:]], 2)
        landmarks = y_up(points + generator.normal(0, 1, points.shape))
        fit_clip(landmarks[:2], model)
        wall, cpu = [], []
        for _ in range(3):
            start, start_cpu = time.perf_counter(), time.process_time()
            fit_clip(landmarks, model)
            wall.append(time.perf_counter() - start)
            cpu.append(time.process_time() - start_cpu)
        print(
            f"  {count:4} components, {size}-D landmarks {num_frames / np.median(wall):10,.0f} frames/s "
            f"{num_frames / np.median(cpu):10,.0f} frames/CPU-s"
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", choices=("speed", "read-out"))
    options = parser.parse_args()
    if options.only != "read-out":
        print_speed(options.frames, options.seed)
    if options.only != "speed":
        print_read_out(options.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())

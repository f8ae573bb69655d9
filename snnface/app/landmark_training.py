"""Trains the 68-point regressor that ships with the package, and measures it.

    python -m snnface.app.landmark_training          (about thirteen minutes of one core)

Writes `landmarks68.safetensors` (half precision) and `landmarks68.json` into
`snnface/faces/detection`. The same seed, machine and number of threads give the same bytes.
"""

import copy
import json
import math
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import tyro
from jaxtyping import Float, Float64, Shaped, UInt8
from safetensors.torch import save_file
from torch import Tensor, nn

from snnface.app.landmark_faces import FacePictures, drawn_faces, faceless_pictures
from snnface.errors import ConfigError, NonFiniteLossError
from snnface.faces.detection.boxes import box_of_points
from snnface.faces.detection.network import LandmarkNet, PatchAnswer, normalised
from snnface.faces.detection.patches import PATCH, face_frames, to_patches
from snnface.faces.detection.regressor import SHIPPED_WEIGHTS, LandmarkRegressor
from snnface.faces.landmarks import MIRROR68
from snnface.files import atomic_path, write_text
from snnface.seeding import SeedTree

__all__ = ["LandmarkTrainingConfig", "main", "measured_errors", "model_card", "photographs_told_apart", "trained_net"]

REGIONS: Mapping[str, slice] = {
    "jaw": slice(0, 17),
    "brows": slice(17, 27),
    "nose": slice(27, 36),
    "eyes": slice(36, 48),
    "mouth": slice(48, 68),
}
# The wanted width of a probability map: about one of its cells.
_WANTED_SPREAD = 0.08
# The network that is kept is the running mean of the last couple of hundred steps.
_AVERAGING_RATE = 0.005


@dataclass(frozen=True, kw_only=True)
class LandmarkTrainingConfig:
    """Settings of the training.

    Attributes:
        num_people, pictures_per_person: to train on.
        num_steps: of the optimiser, each on `batch_size` faces and a quarter as many pictures without.
        test_people: others, eight pictures each, to measure on.
    """

    num_people: int = 1200
    pictures_per_person: int = 8
    num_steps: int = 2000
    batch_size: int = 64
    learning_rate: float = 3e-3
    test_people: int = 100
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("num_people", "pictures_per_person", "num_steps", "test_people"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1; got {getattr(self, name)}.")
        if self.batch_size < 4 or not self.learning_rate > 0:
            raise ConfigError("batch_size must be at least 4 and learning_rate positive.")


def main(config: LandmarkTrainingConfig, out: Path = SHIPPED_WEIGHTS) -> None:
    """Train, write the weights, load them again, measure, write the figures."""
    net = trained_net(config)
    with atomic_path(out) as temporary:
        weights = net.state_dict().items()
        save_file({name: value.half() if value.is_floating_point() else value for name, value in weights}, temporary)
    card = json.dumps(model_card(LandmarkRegressor.load(out), config), indent=2)
    write_text(out.with_suffix(".json"), card + "\n")
    print(card)


def model_card(regressor: LandmarkRegressor, config: LandmarkTrainingConfig) -> dict[str, object]:
    """What the regressor is, how good it is, and what it was trained with."""
    return {
        "what": "68-point regressor; trained on the built-in synthetic faces alone, no photograph of a face",
        "measured": "on synthetic people not trained on, from boxes that are off as a detector's are; "
        "point-to-point distance in percent of the outer-eye distance",
        **measured_errors(regressor, config.test_people, SeedTree(config.seed).child("test")),
        "photographs": photographs_told_apart(regressor),
        "limits": "no error was measured on photographs of faces: there it is a fair first guess. Heads turned by more "
        "than 40 degrees or tilted by more than 35 are outside the training; hidden jaw points are guessed.",
        "training": asdict(config),
    }


def trained_net(config: LandmarkTrainingConfig) -> LandmarkNet:
    """The network with the running mean of its weights over the last steps, in evaluation mode.

    Raises:
        NonFiniteLossError: if the loss is not finite.
    """
    seeds = SeedTree(config.seed)
    faces = drawn_faces(config.num_people, config.pictures_per_person, seeds.child("train"))
    faceless = faceless_pictures(max(64, len(faces.pictures) // 8), seeds)
    with torch.random.fork_rng():
        torch.manual_seed(seeds.seed("weights"))
        net = LandmarkNet()
    average = copy.deepcopy(net)
    optimiser = torch.optim.AdamW(net.parameters(), lr=config.learning_rate, weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, config.learning_rate, total_steps=config.num_steps, pct_start=0.1
    )
    generator, noise = seeds.numpy("batches"), seeds.torch("noise")
    for step in range(config.num_steps):
        batch = _batch(faces, faceless, config.batch_size, generator, noise)
        loss = _loss(net(normalised(batch.patches)), batch.points)
        if not math.isfinite(loss.item()):
            raise NonFiniteLossError(f"the loss of step {step} is not finite; lower the learning rate.")
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        _follow(average, net, max(_AVERAGING_RATE, 1 / (step + 1)))
        if step % 100 == 0:
            print(f"step {step} of {config.num_steps}: loss {loss.item():.4f}", file=sys.stderr)
    return average.eval()


def _follow(average: LandmarkNet, net: LandmarkNet, rate: float) -> None:
    for mean, value in zip(average.state_dict().values(), net.state_dict().values(), strict=True):
        if mean.is_floating_point():
            mean.lerp_(value, rate)
        else:
            mean.copy_(value)


def measured_errors(
    regressor: LandmarkRegressor, num_people: int, seeds: SeedTree
) -> dict[str, float | dict[str, float] | dict[str, float | None]]:
    """Errors in percent of the outer-eye distance in the picture, and how often faces are known from what is none.

    Faces are about 125 pixels high; there are eight pictures of each person and half as many without a face.
    """
    faces = drawn_faces(num_people, 8, seeds, side=208)
    points = faces.points.astype(np.float64)
    generator = seeds.numpy("boxes")
    boxes = _rough_boxes(points, generator)
    found = regressor.landmarks(list(faces.pictures[..., None]), boxes)
    eyes = np.linalg.norm(points[:, 36] - points[:, 45], axis=1)
    errors = 100 * np.linalg.norm(found.points - points, axis=2) / eyes[:, None]
    count = 4 * num_people
    faceless = faceless_pictures(count, seeds)
    side = generator.uniform(40, 80, (count, 1))
    boxes = np.hstack([generator.uniform(10, 60, (count, 2)), side, side])
    refused = regressor.landmarks(list(faceless[..., None]), boxes).scores < 0.5
    each, yaw = errors.mean(1), np.abs(faces.yaw_deg)
    return {
        "mean_error_percent": round(float(errors.mean()), 3),
        "median_error_percent": round(float(np.median(each)), 3),
        "faces_below_5_percent": round(float((each < 5).mean()), 4),
        "points_below_5_percent": round(float((errors < 5).mean()), 4),
        "region_error_percent": {name: _mean(errors[:, part]) for name, part in REGIONS.items()},
        "mean_error_percent_of": {
            "heads within 15 degrees of straight ahead": _mean(each[yaw < 15]),
            "the same, nothing covered": _mean(each[(yaw < 15) & ~faces.is_covered]),
            "heads turned by 15 to 30 degrees": _mean(each[(yaw >= 15) & (yaw < 30)]),
            "heads turned by 30 to 40 degrees": _mean(each[yaw >= 30]),
        },
        "faces_known_as_faces": round(float((found.scores >= 0.5).mean()), 4),
        "other_pictures_refused": round(float(refused.mean()), 4),
    }


def photographs_told_apart(regressor: LandmarkRegressor) -> dict[str, float | None]:
    """How often 100 photographed faces of 25 x 25 pixels are known, and 100 other such parts of photographs refused.

    They come with scikit-image (a part of Labeled Faces in the Wild) and were never trained on.
    """
    from skimage import data

    small = (255 * data.lfw_subset()).astype(np.uint8)[..., None]
    scores = regressor.landmarks(list(small), np.tile([[3.7, 5.3, 17.7, 18.7]], (len(small), 1))).scores
    return {"faces_known": _mean(scores[:100] >= 0.5), "others_refused": _mean(scores[100:] < 0.5)}


def _mean(values: Shaped[np.ndarray, "..."]) -> float | None:
    return round(float(values.mean()), 3) if values.size else None


@dataclass(frozen=True, slots=True, eq=False)
class _Batch:
    """Patches, faces first; as many points as there are faces."""

    patches: Float[Tensor, "B S S"]
    points: Float[Tensor, "N 68 2"]


def _batch(
    faces: FacePictures,
    faceless: UInt8[np.ndarray, "M S S"],
    size: int,
    generator: np.random.Generator,
    noise: torch.Generator,
) -> _Batch:
    """Random cuts of random pictures in random light, a half of them mirrored."""
    chosen = generator.integers(len(faces.pictures), size=size)
    points = faces.points[chosen].astype(np.float64)
    frames = _jittered(face_frames(points), generator)
    placed = to_patches(points, frames).astype(np.float32)
    mirrored = generator.random(size) < 0.5
    placed[mirrored] = placed[mirrored][:, MIRROR68] * [-1, 1]
    count = size // 4
    others = np.concatenate(
        [
            faceless[generator.integers(len(faceless), size=count - count // 3)],
            faces.pictures[generator.integers(len(faces.pictures), size=count // 3)],
        ]
    )
    patches = torch.cat(
        [
            _cut(faces.pictures[chosen], frames, mirrored),
            _cut(others, _faceless_frames(count, generator), np.zeros(count, dtype=bool)),
        ]
    )
    return _Batch(_photographed(patches, generator, noise), torch.from_numpy(placed))


def _jittered(frames: Float64[np.ndarray, "N 4"], generator: np.random.Generator) -> Float64[np.ndarray, "N 4"]:
    """Half of them off as a detector's boxes are, half as after a first look."""
    count = len(frames)
    rough = generator.random(count) < 0.5
    normal = generator.standard_normal((count, 3)).clip(-2, 2)
    shift = normal[:, :2] * np.where(rough, 0.07, 0.02)[:, None] * frames[:, 2:3]
    side = frames[:, 2] * np.exp(normal[:, 2] * np.where(rough, 0.13, 0.04))
    roll = np.deg2rad(np.where(rough, generator.uniform(-38, 38, count), generator.normal(0, 4, count)))
    return np.column_stack([frames[:, :2] + shift, side, frames[:, 3] + roll])


def _faceless_frames(count: int, generator: np.random.Generator) -> Float64[np.ndarray, "N 4"]:
    """Anywhere in a picture; the last third, for pictures of faces, so small that no face fits in."""
    side = generator.uniform(30, 144, count)
    side[count - count // 3 :] = generator.uniform(15, 40, count // 3)
    return np.column_stack([generator.uniform(30, 114, (count, 2)), side, generator.uniform(-0.6, 0.6, count)])


def _cut(
    pictures: UInt8[np.ndarray, "N S S"], frames: Float64[np.ndarray, "N 4"], mirrored: np.ndarray
) -> Float[Tensor, "N P P"]:
    size = pictures.shape[1]
    cos, sin = np.cos(frames[:, 3]), np.sin(frames[:, 3])
    turn = np.stack([np.stack([cos, -sin], -1), np.stack([sin, cos], -1)], -2) * (frames[:, 2] / size)[:, None, None]
    turn[mirrored, :, 0] *= -1
    maps = np.concatenate([turn, ((2 * frames[:, :2] + 1) / size - 1)[:, :, None]], 2).astype(np.float32)
    grid = nn.functional.affine_grid(torch.from_numpy(maps), [len(maps), 1, PATCH, PATCH], align_corners=False)
    source = torch.from_numpy(pictures)[:, None].float()
    return nn.functional.grid_sample(source, grid, padding_mode="reflection", align_corners=False)[:, 0]


def _photographed(
    patches: Float[Tensor, "B S S"], generator: np.random.Generator, noise: torch.Generator
) -> Float[Tensor, "B S S"]:
    """Other light, contrast, sharpness and noise."""
    count = len(patches)

    def drawn(low: float, high: float, share: float = 1.0) -> Tensor:
        values = generator.uniform(low, high, count) * (generator.random(count) < share)
        return torch.from_numpy(values.astype(np.float32))[:, None, None]

    across = torch.linspace(-1, 1, PATCH)
    ramp = 1 + drawn(-0.6, 0.6, 0.5) * across[None, None, :] + drawn(-0.5, 0.5, 0.5) * across[None, :, None]
    lit = (patches / 255).clamp(min=1e-3) ** torch.exp(drawn(-0.5, 0.5)) * ramp.clamp(min=0.1)
    lit = 255 * (lit * torch.exp(drawn(-1.2, 0.4)) + drawn(-0.1, 0.2))
    # Three degrees of blur, a sixth of the batch each.
    order = torch.from_numpy(generator.permutation(count))
    for third, sigma in enumerate((0.6, 1.1, 1.9)):
        part = order[third * count // 6 : (third + 1) * count // 6]
        lit[part] = _smoothed(lit[part], sigma * float(generator.uniform(0.8, 1.2)))
    rough = torch.randn(patches.shape, generator=noise)
    return (lit + drawn(0.5, 16, 0.6) * rough).clamp(0, 255)


def _smoothed(patches: Float[Tensor, "B S S"], sigma: float) -> Float[Tensor, "B S S"]:
    reach = math.ceil(2.5 * sigma)
    bell = torch.exp(-(torch.arange(-reach, reach + 1.0) ** 2) / (2 * sigma**2))
    bell = bell / bell.sum()
    padded = nn.functional.pad(patches[:, None], (reach,) * 4, mode="reflect")
    rows = nn.functional.conv2d(padded, bell.view(1, 1, -1, 1))
    return nn.functional.conv2d(rows, bell.view(1, 1, 1, -1))[:, 0]


def _loss(answer: PatchAnswer, points: Float[Tensor, "N 68 2"]) -> Tensor:
    """Distance of the points, width of their maps, and face or not."""
    count = len(points)
    distance = nn.functional.smooth_l1_loss(answer.points[:count], points, beta=0.02)
    width = (answer.spread[:count] - _WANTED_SPREAD).square().mean()
    is_face = (torch.arange(len(answer.logit)) < count).float()
    known = nn.functional.binary_cross_entropy_with_logits(answer.logit, is_face)
    return 20 * distance + 5 * width + 0.2 * known


def _rough_boxes(points: Float64[np.ndarray, "N 68 2"], generator: np.random.Generator) -> Float64[np.ndarray, "N 4"]:
    """Boxes around the points, off by up to a tenth in place and a sixth in size."""
    boxes = box_of_points(points)
    centre = boxes[:, :2] + boxes[:, 2:] / 2
    side = boxes[:, 2:].max(1, keepdims=True)
    centre = centre + side * generator.uniform(-0.1, 0.1, centre.shape)
    side = side * generator.uniform(0.85, 1.17, side.shape)
    return np.column_stack([centre - side / 2, side, side])


if __name__ == "__main__":
    tyro.cli(main)

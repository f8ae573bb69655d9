"""Events of one full contraction, and of the head's sway, on many people: against what such a face should give.

    python benchmarks/event_magnitudes.py [--people 10]

A DAVIS346 without flaws, contrast 0.2, a face of 260 pixels for 22 cm before a plain wall; contractions rise and fall
within 250 ms; of the sway, 0.3 s of 5 degrees at 0.5 Hz where it is fastest. The mean person's skin is even and lit
from before; random ones have blotches, beards, darker hair, and light from the side.
"""

import argparse
from dataclasses import replace

import numpy as np

from snnface.events.emulator import EmulatorConfig
from snnface.faces.complexion import Complexion
from snnface.faces.motion import Activation, Sway, Trajectory
from snnface.faces.motion.sway import SWAY_HZ
from snnface.faces.rendering.camera import POSE_NAMES
from snnface.faces.rendering.renderer import Light
from snnface.faces.scene import EventCamera, Person, Scene, SceneConfig, View

# 104 pixels between the outer eye corners.
CAMERA = EventCamera(emulator=EmulatorConfig(theta_on=0.2, theta_off=0.2), view=View(eye_distance=0.4))
DURATION_US = 300_000
EXPECTED = {1: 1.3e4, 12: 1.3e4, 26: 2.1e4, 45: 6e3, 7: 5e2}
EXPECTED_SWAY = 1.5e4


def bump(code: int) -> Activation:
    """A full contraction that rises and falls within 250 ms."""
    return Activation(code=code, onset_us=20_000, apex_us=145_000, fall_us=145_000, offset_us=270_000, intensity=1.0)


def moves() -> dict[str, tuple[Trajectory, float]]:
    """What moves -> how, events expected."""
    # Yaw alone, through the middle halfway.
    amplitude = np.zeros((len(POSE_NAMES), len(SWAY_HZ)))
    amplitude[POSE_NAMES.index("yaw_deg"), SWAY_HZ.index(0.5)] = 5.0
    sway = Sway(amplitude=amplitude, phase=np.full_like(amplitude, -np.pi * DURATION_US / 2e6))
    units = {f"AU{code}": (Trajectory(activations=(bump(code),)), count) for code, count in EXPECTED.items()}
    return {**units, "sway": (Trajectory(activations=(), sway=sway), EXPECTED_SWAY)}


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=10)
    num_people = parser.parse_args().people
    generator = np.random.default_rng(0)
    drawn = [Scene.drawn(SceneConfig(), Person.drawn(generator), generator) for _ in range(num_people)]
    # The face alone is even and lit from before; the wall hardly matters.
    mean = [replace(drawn[0], person=Person(shape=np.zeros(drawn[0].face.num_shapes), complexion=Complexion()))]
    mean = [replace(scene, light=Light()) for scene in mean]
    coloured = [replace(mean[0], person=replace(mean[0].person, complexion=s.person.complexion)) for s in drawn]
    shaped = [replace(mean[0], person=replace(mean[0].person, shape=s.person.shape)) for s in drawn]
    lit = [replace(mean[0], light=scene.light) for scene in drawn]
    columns = {"mean person": mean, "shapes": shaped, "complexions": coloured, "lights": lit, "all three": drawn}
    print(f"{num_people} people: median (least..most) where that alone differs between them")
    print(f"{'':6}{'expected':>10}" + "".join(f"{name:>26}" for name in columns))
    for what, (trajectory, expected) in moves().items():
        cells = []
        for scenes in columns.values():
            counts = [len(scene.events(trajectory, DURATION_US, CAMERA)) for scene in scenes]
            reach = f" ({min(counts):,}..{max(counts):,})" if len(counts) > 1 else ""
            cells.append(f"{np.median(counts):,.0f}{reach}")
        print(f"{what:6}{expected:10,.0f}" + "".join(f"{cell:>26}" for cell in cells), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

"""The renderer and the synthetic cameras: frames a second, seconds of computing a second of recording, events.

    python benchmarks/face_rendering.py [--frames 60] [--take-ms 300]

Everything moves in every frame (the head sways) where nothing else is said. Times are CPU-seconds
of one thread; the rate with two threads is by the clock.
"""

import argparse
import time

import numpy as np

from snnface.faces.complexion import Complexion
from snnface.faces.motion import Activation, Sway, Trajectory
from snnface.faces.motion.sway import SWAY_HZ
from snnface.faces.procedural.face import ProceduralFace
from snnface.faces.rendering import Light
from snnface.faces.scene import (
    DAVIS346,
    EVK4,
    VGA,
    Background,
    EventCamera,
    Lighting,
    Person,
    RgbCamera,
    Scene,
    SceneConfig,
)

RENDERER_BAR = 30
# Source of the magnitudes: measured before this project on another face model; contrast 0.2, no noise,
# a face 260 pixels high, one full contraction of 250 ms, or 0.3 s of 5 degrees of sway at 0.5 Hz.
EXPECTED_EVENTS = {"AU1": 1.3e4, "AU12": 1.3e4, "AU26": 2.1e4, "AU45": 6e3, "AU7": 5e2, "sway": 1.5e4}
RESOLUTIONS = {"DAVIS346": DAVIS346, "640x480": VGA, "1280x720": EVK4}


def mean_scene(**settings: object) -> Scene:
    """The mean person before a plain wall."""
    return Scene(
        config=SceneConfig(),
        face=ProceduralFace.build(0.025),
        person=Person(shape=np.zeros(25), complexion=Complexion()),
        light=Light(),
        lighting=Lighting(**settings),  # type: ignore[arg-type]
        background=Background(colour=np.full(3, 60.0), waves=np.zeros((0, 3)), panels=np.zeros((0, 5))),
    )


def swaying(degrees: float = 2.0) -> Sway:
    return Sway.drawn(degrees, np.random.default_rng(0))


def bump(code: int, length_us: int) -> Activation:
    middle = length_us // 2
    return Activation(code=code, onset_us=0, apex_us=middle, fall_us=middle, offset_us=length_us, intensity=1.0)


def render_rates(num_frames: int) -> None:
    """Frames a second of the renderer alone."""
    scene = mean_scene()
    print(f"renderer, everything moves, {len(scene.face.mesh.triangles)} triangles, 2 x 2 samples a pixel")
    t_us = np.arange(num_frames) * 2000
    take = Trajectory(activations=(bump(26, num_frames * 2000),), sway=swaying())
    for name, resolution in RESOLUTIONS.items():
        for channels in (1, 3):
            camera = RgbCamera(resolution=resolution, channels=channels)
            renderer, projection = scene.renderer(camera), camera.view.camera(resolution)
            weights, maps = scene.weights(take, t_us), projection.matrices(take.poses(t_us))
            renderer.render(weights[:2], maps[:2], num_threads=2)
            start = time.process_time()
            renderer.render(weights, maps)
            alone = num_frames / (time.process_time() - start)
            wall = time.perf_counter()
            renderer.render(weights, maps, num_threads=2)
            both = num_frames / (time.perf_counter() - wall)
            bar = f"   (bar: {RENDERER_BAR} on two cores)" if (name, channels) == ("640x480", 1) else ""
            print(f"  {name:10} C = {channels}{alone:9.0f} frames/CPU-s{both:9.0f} frames/s with two threads{bar}")


def camera_costs(take_us: int) -> None:
    """Seconds of computing a second of recording, renderer and emulator."""
    print("\nevent cameras, CPU-seconds a second of recording")
    smile = bump(12, take_us)
    still, moving = Trajectory(activations=(smile,)), Trajectory(activations=(smile,), sway=swaying())
    cases = {
        "AU12, head still": (still, mean_scene()),
        "AU12, head sways": (moving, mean_scene()),
        "the same in 100 Hz flicker": (moving, mean_scene(flicker=0.1)),
    }
    for name, resolution in RESOLUTIONS.items():
        for case, (take, scene) in cases.items():
            camera = EventCamera(resolution=resolution)
            frames = len(scene.frame_times(take, take_us, camera).all()) / take_us * 1e6
            start = time.process_time()
            events = scene.events(take, take_us, camera)
            cost = (time.process_time() - start) / take_us * 1e6
            print(f"  {name:10} {case:28}{cost:7.1f} s/s{frames:8.0f} renderings/s{len(events) / take_us:8.2f} Mev/s")
    scene = mean_scene()
    start = time.process_time()
    clip = scene.frames(moving, take_us, RgbCamera())
    cost = (time.process_time() - start) / take_us * 1e6
    print(f"  {'RGB':10} {'640x480, 30 frames/s':28}{cost:7.1f} s/s{len(clip) / take_us * 1e6:8.0f} frames/s")


def event_counts() -> None:
    """Events of single movements beside what a face of that size should give."""
    print("\nevents of one movement, DAVIS346, face 260 pixels high")
    scene = mean_scene()
    for name, expected in EXPECTED_EVENTS.items():
        if name == "sway":
            amplitude = np.zeros((6, len(SWAY_HZ)))
            amplitude[0, SWAY_HZ.index(0.5)] = 5.0
            take = Trajectory(activations=(), sway=Sway(amplitude=amplitude, phase=np.zeros_like(amplitude)))
        else:
            take = Trajectory(activations=(bump(int(name[2:]), 250_000),))
        found = len(scene.events(take, 300_000, EventCamera()))
        print(f"  {name:6}{found:8,} events, expected about{expected:9,.0f}   ratio {found / expected:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=60)
    parser.add_argument("--take-ms", type=int, default=300)
    arguments = parser.parse_args()
    render_rates(arguments.frames)
    camera_costs(arguments.take_ms * 1000)
    event_counts()


if __name__ == "__main__":
    main()

"""Runs integer networks in Intel's Lava. Python 3.10 only; imports nothing of the project.

Usage: python worker.py FOLDER

FOLDER holds `manifest.json` and `arrays.npz`, in Lava's layouts: maps (W, H, C), kernels
(O, W, H, I) of a true convolution, time last. The manifest:

    {"in_threads": BOOL, "jobs": [{"source": KEY, "num_steps": N, "populations": [POPULATION, ...]}, ...]}
    POPULATION = {"name", "shape", "kind": "lif" | "ternary" | "sigma" | "delta" | "sigma_delta",
                  "parameters": {of Lava's process}, "arrays": {parameter: KEY},
                  "states": [of Lava's model], "reset_interval", "reset_offset",
                  "first_step", "num_recorded", "state_every", "inputs": [INPUT, ...]}
    INPUT = {"source": null for the job's source, or the index of an earlier population,
             "kind": "dense" | "sparse" | "conv" | "direct", "weight": KEY, "message_bits",
             dense, sparse: "weight_bits", "weight_exp", "delay": KEY or null, "reset_interval",
             "reset_offset";  conv: "stride", "padding", "dilation", "groups"}

KEY names an array in the npz. A job's source is integers [*shape, steps]; it is followed by
silence until step N. Steps are counted from 1. A population's messages are recorded at steps
first_step .. first_step + num_recorded - 1, its states at every `state_every`-th of these.

The worker writes, for job j and population p, `j_p_spikes.npy` ([num_recorded, *shape], uint8 of LIF
neurons, otherwise int32) and `j_p_STATE.npy` (int32 [num_recorded / state_every, *shape]), and last
of all `results.json`: wall times, and the versions of what ran.
"""

import contextlib
import importlib.metadata
import json
import os
import platform
import sys
import threading
import time
import traceback

import numpy as np
from actor_threads import use_threads
from lava.magma.compiler.compiler_graphs import ProcGroupDiGraphs
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.conv.process import Conv
from lava.proc.dense.process import DelayDense, Dense
from lava.proc.io.source import RingBuffer
from lava.proc.lif.process import LIFReset, TernaryLIF
from lava.proc.sdn.process import ActivationMode, Delta, Sigma, SigmaDelta
from lava.proc.sparse.process import DelaySparse, Sparse
from recorded_models import MODELS
from scipy.sparse import csr_matrix

NEURONS = {"lif": LIFReset, "ternary": TernaryLIF, "sigma": Sigma, "delta": Delta, "sigma_delta": SigmaDelta}


def run_job(folder, number, job, arrays):
    """Build one network, run it, and return its wall times in seconds."""
    start = time.perf_counter()
    spikes = arrays[job["source"]].astype(np.int32)
    silence = job["num_steps"] - spikes.shape[-1]
    source = RingBuffer(data=np.pad(spikes, [(0, 0)] * (spikes.ndim - 1) + [(0, silence)]))
    populations = []
    for place, description in enumerate(job["populations"]):
        neurons = build_population(os.path.join(folder, f"{number}_{place}"), description, arrays)
        for wire in description["inputs"]:
            before = source if wire["source"] is None else populations[wire["source"]]
            connect(before.s_out, wire, neurons, arrays)
        populations.append(neurons)
    config = Loihi2SimCfg(select_tag="fixed_pt", exception_proc_model_map=MODELS)
    source.create_runtime(config)
    ready = time.perf_counter()
    with all_alive(source.runtime):
        source.run(condition=RunSteps(num_steps=job["num_steps"]), run_cfg=config)
    done = time.perf_counter()
    source.stop()
    return {"build_seconds": ready - start, "run_seconds": done - ready}


def build_population(stem, description, arrays):
    """The neurons of one population and what they write down."""
    shape, kind = tuple(description["shape"]), description["kind"]
    parameters = dict(description["parameters"])
    for name, key in description["arrays"].items():
        parameters[name] = np.broadcast_to(arrays[key], shape).astype(np.int32)
    if kind == "lif":
        parameters.update({name: description[name] for name in ("reset_interval", "reset_offset")})
    if kind == "sigma_delta":
        parameters["act_mode"] = ActivationMode[parameters["act_mode"]]
    neurons = NEURONS[kind](shape=shape, **parameters)
    recorded = ("states", "first_step", "num_recorded", "state_every", "reset_interval", "reset_offset")
    neurons.proc_params["record"] = {"stem": stem, **{name: description[name] for name in recorded}}
    return neurons


def connect(port, wire, neurons, arrays):
    """Put the connection between an output port and the neurons."""
    if wire["kind"] == "direct":
        port.connect(neurons.a_in)
        return
    weight = arrays[wire["weight"]].astype(np.int32)
    if wire["kind"] == "conv":
        synapse = Conv(
            weight=weight,
            input_shape=port.shape,
            num_message_bits=wire["message_bits"],
            **{key: tuple(wire[key]) for key in ("stride", "padding", "dilation")},
            groups=wire["groups"],
        )
    else:
        synapse = matrix(weight, wire, arrays)
        port = port if len(port.shape) == 1 else port.reshape((weight.shape[1],))
    port.connect(synapse.s_in)
    synapse.a_out.connect(neurons.a_in)


def matrix(weight, wire, arrays):
    """A full or sparse matrix, with delays or without."""
    is_sparse = wire["kind"] == "sparse"
    options = {
        "weights": csr_matrix(weight) if is_sparse else weight,
        "weight_exp": wire["weight_exp"],
        "num_weight_bits": wire["weight_bits"],
        "num_message_bits": wire["message_bits"],
    }
    if wire["delay"] is None:
        return (Sparse if is_sparse else Dense)(**options)
    delay = arrays[wire["delay"]].astype(int)
    if is_sparse:
        delay = csr_matrix(np.where(weight == 0, 0, delay))
    synapse = (DelaySparse if is_sparse else DelayDense)(delays=delay, **options)
    synapse.proc_params["clear"] = {name: wire[name] for name in ("reset_interval", "reset_offset")}
    return synapse


@contextlib.contextmanager
def all_alive(runtime):
    """Ends everything when one of Lava's processes dies: the others would wait for it for ever."""
    actors, finished = runtime._messaging_infrastructure.actors, threading.Event()

    def watch():
        while not finished.wait(0.2):
            for actor in actors:
                if not actor.is_alive():
                    reason = getattr(actor, "exception", None)
                    end_now(reason[1] if reason else "one of Lava's processes was killed")

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        finished.set()
        watcher.join()


def end_now(message):
    """Not sys.exit: that would wait for Lava's processes, which may wait for ever for one that died."""
    sys.stderr.write(message + "\n")
    sys.stderr.flush()
    os._exit(1)


def remember_models():
    """Lava looks for the models of each process by running every module beside its own anew; once is enough."""
    find, found = ProcGroupDiGraphs._find_proc_models, {}

    def remembered(proc):
        if type(proc) not in found:
            found[type(proc)] = find(proc)
        return found[type(proc)]

    ProcGroupDiGraphs._find_proc_models = staticmethod(remembered)


def run_manifest(folder, run, packages):
    """Run the jobs of a folder, each by `run(folder, number, job, arrays)`, and write their times and versions."""
    with open(os.path.join(folder, "manifest.json"), encoding="utf-8") as file:
        manifest = json.load(file)
    if manifest["in_threads"]:
        use_threads()
    with np.load(os.path.join(folder, "arrays.npz"), allow_pickle=False) as arrays:
        times = [run(folder, number, job, arrays) for number, job in enumerate(manifest["jobs"])]
    versions = {name: importlib.metadata.version(name) for name in packages}
    results = {"jobs": times, "versions": {"python": platform.python_version(), **versions}}
    with open(os.path.join(folder, "results.json"), "w", encoding="utf-8") as file:
        json.dump(results, file)


def main(folder):
    remember_models()
    run_manifest(folder, run_job, ("lava-nc", "numpy", "scipy"))


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except Exception:
        end_now(traceback.format_exc())

"""Runs integer networks in Intel's Lava. Python 3.10 only; imports nothing of the project.

Usage: python worker.py FOLDER

FOLDER holds `manifest.json` and `arrays.npz`, in Lava's layouts: maps (W, H, C), kernels
(O, W, H, I) of a true convolution, time last. The manifest:

    {"jobs": [{"source": KEY, "num_steps": N, "populations": [POPULATION, ...]}, ...]}
    POPULATION = {"name", "shape", "du", "dv", "vth", "bias_mant": KEY, "bias_exp",
                  "reset_interval", "reset_offset",
                  "first_step", "num_recorded", "state_every", "inputs": [INPUT, ...]}
    INPUT = {"source": null for the job's source, or the index of an earlier population,
             "kind": "dense" | "conv" | "direct", "weight": KEY, "message_bits",
             dense: "weight_bits", "weight_exp";  conv: "stride", "padding", "dilation", "groups"}

KEY names an array in the npz. A job's source is integers [*shape, steps]; it is followed by
silence until step N. Steps are counted from 1. A population's spikes are recorded at steps
first_step .. first_step + num_recorded - 1, its u and v at every `state_every`-th of these.

The worker writes, for job j and population p, `j_p_spikes.npy` (uint8 [num_recorded, *shape]),
`j_p_u.npy` and `j_p_v.npy` (int32 [num_recorded / state_every, *shape]), and last of all
`results.json`: wall times, and the versions of what ran.
"""

import importlib.metadata
import json
import os
import platform
import sys
import time
import traceback

import numpy as np
from lava.magma.compiler.compiler_graphs import ProcGroupDiGraphs
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.conv.process import Conv
from lava.proc.dense.process import Dense
from lava.proc.io.source import RingBuffer
from lava.proc.lif.models import PyLifResetModelBitAcc
from lava.proc.lif.process import LIFReset


class RecordedLif(PyLifResetModelBitAcc):
    """Lava's own bit-accurate model of LIFReset; it computes everything, this class only writes it down.

    Reading u, v and spikes through Lava's probes sends every number as a message of its own.
    """

    def __init__(self, proc_params):
        super().__init__(proc_params)
        self.record = dict(proc_params["record"])
        self.files = None

    def reset_voltage(self, spike_vector):
        self.spike_vector = spike_vector
        super().reset_voltage(spike_vector)

    def run_spk(self):
        super().run_spk()
        if self.files is None:
            self.files = {kind: np.load(self.record[kind], mmap_mode="r+") for kind in ("spikes", "u", "v")}
        step = int(self.time_step) - self.record["first_step"]
        if not 0 <= step < self.record["num_recorded"]:
            return
        self.files["spikes"][step] = self.spike_vector
        sample, rest = divmod(step + 1, self.record["state_every"])
        if rest == 0:
            self.files["u"][sample - 1] = self.u
            self.files["v"][sample - 1] = self.v


def run_job(folder, number, job, arrays):
    """Build one network, run it, and return its wall times in seconds."""
    start = time.perf_counter()
    spikes = arrays[job["source"]].astype(np.int32)
    silence = job["num_steps"] - spikes.shape[-1]
    source = RingBuffer(data=np.pad(spikes, [(0, 0)] * (spikes.ndim - 1) + [(0, silence)]))
    populations = []
    for place, description in enumerate(job["populations"]):
        neurons = build_population(folder, f"{number}_{place}", description, arrays)
        for wire in description["inputs"]:
            before = source if wire["source"] is None else populations[wire["source"]]
            connect(before.s_out, wire, neurons, arrays)
        populations.append(neurons)
    config = Loihi2SimCfg(select_tag="fixed_pt", exception_proc_model_map={LIFReset: RecordedLif})
    source.create_runtime(config)
    ready = time.perf_counter()
    try:
        source.run(condition=RunSteps(num_steps=job["num_steps"]), run_cfg=config)
        done = time.perf_counter()
    finally:
        source.stop()
    return {"build_seconds": ready - start, "run_seconds": done - ready}


def build_population(folder, stem, description, arrays):
    """The neurons of one population and the files that they write to."""
    shape = tuple(description["shape"])
    num_recorded, state_every = description["num_recorded"], description["state_every"]
    record = {"first_step": description["first_step"], "num_recorded": num_recorded, "state_every": state_every}
    for kind, count, dtype in (
        ("spikes", num_recorded, np.uint8),
        ("u", num_recorded // state_every, np.int32),
        ("v", num_recorded // state_every, np.int32),
    ):
        record[kind] = os.path.join(folder, f"{stem}_{kind}.npy")
        np.lib.format.open_memmap(record[kind], mode="w+", dtype=dtype, shape=(count, *shape)).flush()
    neurons = LIFReset(
        shape=shape,
        bias_mant=np.broadcast_to(arrays[description["bias_mant"]], shape).astype(np.int32),
        **{key: description[key] for key in ("du", "dv", "vth", "bias_exp", "reset_interval", "reset_offset")},
    )
    neurons.proc_params["record"] = record
    return neurons


def connect(port, wire, neurons, arrays):
    """Put the connection between an output port and the neurons."""
    if wire["kind"] == "direct":
        port.connect(neurons.a_in)
        return
    weight = arrays[wire["weight"]].astype(np.int32)
    if wire["kind"] == "dense":
        synapse = Dense(
            weights=weight,
            weight_exp=wire["weight_exp"],
            num_weight_bits=wire["weight_bits"],
            num_message_bits=wire["message_bits"],
        )
        port = port if len(port.shape) == 1 else port.reshape((weight.shape[1],))
    else:
        synapse = Conv(
            weight=weight,
            input_shape=port.shape,
            num_message_bits=wire["message_bits"],
            **{key: tuple(wire[key]) for key in ("stride", "padding", "dilation")},
            groups=wire["groups"],
        )
    port.connect(synapse.s_in)
    synapse.a_out.connect(neurons.a_in)


def remember_models():
    """Lava looks for the models of each process by running every module beside its own anew; once is enough."""
    find, found = ProcGroupDiGraphs._find_proc_models, {}

    def remembered(proc):
        if type(proc) not in found:
            found[type(proc)] = find(proc)
        return found[type(proc)]

    ProcGroupDiGraphs._find_proc_models = staticmethod(remembered)


def main(folder):
    remember_models()
    with open(os.path.join(folder, "manifest.json"), encoding="utf-8") as file:
        jobs = json.load(file)["jobs"]
    with np.load(os.path.join(folder, "arrays.npz"), allow_pickle=False) as arrays:
        times = [run_job(folder, number, job, arrays) for number, job in enumerate(jobs)]
    versions = {name: importlib.metadata.version(name) for name in ("lava-nc", "numpy", "scipy")}
    results = {"jobs": times, "versions": {"python": platform.python_version(), **versions}}
    with open(os.path.join(folder, "results.json"), "w", encoding="utf-8") as file:
        json.dump(results, file)


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except Exception:
        traceback.print_exc()
        sys.stderr.flush()
        # Not sys.exit: that would wait for Lava's processes, which may wait for ever for one that died.
        os._exit(1)

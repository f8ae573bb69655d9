"""Runs netx files in lava-dl's own `netx.hdf5.Network`. Python 3.10 only; imports nothing of the project.

Usage: python netx_worker.py FOLDER

FOLDER holds `manifest.json`, `arrays.npz` and the netx files. The manifest:

    {"in_threads": BOOL, "jobs": [{"file", "source": KEY, "num_steps": N, "input_bits", "sample_steps",
                                   "num_recorded"}, ...]}

KEY names an array in the npz: integers [W, H, C, steps], or [M, steps] where the first layer is
dense; it is followed by silence until step N. Input of step t reaches the first layer of neurons
at step t + 1, and each further one a step later. So layer l, counted from 0 without flatten
layers, is recorded from step l + 2 on, and reset there and every `sample_steps` after it; its u and
v are recorded before that. Results are those of `worker.py`, with the layer's number for the
population's.

lava-dl's netx package imports torch, for resonate-and-fire neurons and for training, which a
file of LIF layers does not need. Both are left out here, so that torch (gigabytes) is not needed.
"""

import os
import sys
import time
import traceback
import types
from functools import partial

import lava.lib.dl
import numpy as np
from lava.magma.compiler.compiler_graphs import ProcGroupDiGraphs
from lava.magma.core.run_conditions import RunSteps
from lava.magma.core.run_configs import Loihi2SimCfg
from lava.proc.dense.process import DelayDense
from lava.proc.io.source import RingBuffer
from recorded_models import MODELS
from worker import end_now, remember_models, run_manifest


def netx_network():
    """The class `lava.lib.dl.netx.hdf5.Network`, imported without what needs torch."""

    def resonate_and_fire(_):
        raise NotImplementedError("resonate-and-fire neurons are not run here")

    package = types.ModuleType("lava.lib.dl.netx")
    package.__path__ = [os.path.join(place, "netx") for place in lava.lib.dl.__path__]
    neurons = types.ModuleType("lava.lib.dl.slayer.neuron.rf")
    neurons.neuron_params = resonate_and_fire
    sys.modules.update({module.__name__: module for module in (package, neurons)})
    from lava.lib.dl.netx.hdf5 import Network

    return Network


def keep_to_its_module(network_class):
    """Lava would look for the network's model in all modules beside it, and import torch with one of them."""
    find = ProcGroupDiGraphs._find_proc_models

    def found(proc):
        if type(proc) is network_class:
            return ProcGroupDiGraphs._find_proc_models_in_module(proc, sys.modules[proc.__module__])
        return find(proc)

    ProcGroupDiGraphs._find_proc_models = staticmethod(found)


def run_job(network_class, folder, number, job, arrays):
    """Build the network of one file, run it, and return its wall times in seconds."""
    start = time.perf_counter()
    network = network_class(
        os.path.join(folder, job["file"]),
        input_message_bits=job["input_bits"],
        reset_interval=job["sample_steps"],
        reset_offset=1,
    )
    for place, layer in enumerate(network.layers):
        record(layer, os.path.join(folder, f"{number}_{place}"), place + 2, job)
    spikes = arrays[job["source"]].astype(np.int32)
    silence = job["num_steps"] - spikes.shape[-1]
    source = RingBuffer(data=np.pad(spikes, [(0, 0)] * (spikes.ndim - 1) + [(0, silence)]))
    source.s_out.connect(network.inp)
    config = Loihi2SimCfg(select_tag="fixed_pt", exception_proc_model_map=MODELS)
    source.create_runtime(config)
    ready = time.perf_counter()
    try:
        source.run(condition=RunSteps(num_steps=job["num_steps"]), run_cfg=config)
        done = time.perf_counter()
    finally:
        source.stop()
    return {"build_seconds": ready - start, "run_seconds": done - ready}


def record(layer, stem, first_step, job):
    """Have a layer written down, and what its delays hold back forgotten where a sample begins."""
    layer.neuron.proc_params["record"] = {
        "stem": stem,
        "states": ("u", "v"),
        "first_step": first_step,
        "num_recorded": job["num_recorded"],
        "state_every": job["sample_steps"],
    }
    if isinstance(layer.synapse, DelayDense):
        layer.synapse.proc_params["clear"] = {
            "reset_interval": job["sample_steps"],
            "reset_offset": first_step - 1,  # the step at which a sample is sent to this layer
        }


def main(folder):
    network_class = netx_network()
    remember_models()
    keep_to_its_module(network_class)
    run_manifest(folder, partial(run_job, network_class), ("lava-dl", "lava-nc", "h5py", "numpy"))


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except Exception:
        end_now(traceback.format_exc())

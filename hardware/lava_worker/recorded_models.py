"""Lava's own fixed-point models of neurons and delayed connections, with what they do written down.

Lava computes everything; these classes only record it, and make states zero where a sample begins,
which of Lava's processes only LIFReset does by itself. Reading states and messages through Lava's
probes would send every number as a message of its own.
"""

import numpy as np
from lava.proc.dense.models import PyDelayDenseModelBitAcc
from lava.proc.dense.process import DelayDense
from lava.proc.lif.models import PyLifResetModelBitAcc, PyTernLifModelFixed
from lava.proc.lif.process import LIFReset, TernaryLIF
from lava.proc.sdn.models import PyDeltaModelFixed, PySigmaDeltaModelFixed, PySigmaModelFixed
from lava.proc.sdn.process import Delta, Sigma, SigmaDelta
from lava.proc.sparse.models import PyDelaySparseModelBitAcc
from lava.proc.sparse.process import DelaySparse


class Recorded:
    """Writes messages and states to files, described by `proc_params["record"]`."""

    resets_itself = False
    message_type = np.int32

    def __init__(self, proc_params):
        super().__init__(proc_params)
        self.record = dict(proc_params["record"])
        self.tables = None

    def run_spk(self):
        record = self.record
        if self.tables is None:
            self.start_recording()
        if not self.resets_itself and begins_sample(self.time_step, record):
            for name in record["states"]:
                getattr(self, name)[...] = 0
        super().run_spk()
        step = int(self.time_step) - record["first_step"]
        if not 0 <= step < record["num_recorded"]:
            return
        self.tables["spikes"][step] = self.sent
        sample, rest = divmod(step + 1, record["state_every"])
        if rest == 0:
            for name in record["states"]:
                self.tables[name][sample - 1] = getattr(self, name)
        if step == record["num_recorded"] - 1:
            for name, table in self.tables.items():
                np.save(record["stem"] + "_" + name, table, allow_pickle=False)

    def start_recording(self):
        shape, record = self.s_out.shape, self.record
        num_states = record["num_recorded"] // record["state_every"]
        self.tables = {name: np.zeros((num_states, *shape), dtype=np.int32) for name in record["states"]}
        self.tables["spikes"] = np.zeros((record["num_recorded"], *shape), dtype=self.message_type)
        send = self.s_out.send

        def send_and_keep(message):
            self.sent = message
            send(message)

        self.s_out.send = send_and_keep


class RecordedLif(Recorded, PyLifResetModelBitAcc):
    resets_itself = True
    message_type = np.uint8


class RecordedTernaryLif(Recorded, PyTernLifModelFixed):
    pass


class RecordedSigma(Recorded, PySigmaModelFixed):
    pass


class RecordedDelta(Recorded, PyDeltaModelFixed):
    pass


class RecordedSigmaDelta(Recorded, PySigmaDeltaModelFixed):
    pass


class Cleared:
    """Forgets what is still on its way where a sample begins, so that no spike acts in the next sample.

    What arrives at a step has been sent before this is called (see Lava's run_spk), so the step at
    which a sample reaches the source is the right one.
    """

    def calc_act(self, s_in):
        if begins_sample(self.time_step, self.proc_params["clear"]):
            self.a_buff[...] = 0
        return super().calc_act(s_in)


class ClearedDelayDense(Cleared, PyDelayDenseModelBitAcc):
    pass


class ClearedDelaySparse(Cleared, PyDelaySparseModelBitAcc):
    pass


MODELS = {
    LIFReset: RecordedLif,
    TernaryLIF: RecordedTernaryLif,
    Sigma: RecordedSigma,
    Delta: RecordedDelta,
    SigmaDelta: RecordedSigmaDelta,
    DelayDense: ClearedDelayDense,
    DelaySparse: ClearedDelaySparse,
}


def begins_sample(time_step, period):
    """Steps t with t = offset (mod interval)."""
    return (int(time_step) - period["reset_offset"]) % period["reset_interval"] == 0

"""Samples streamed back to back through the pipeline of a chip, step by step as it would run them.

Every connection takes one step, so all layers are busy at once, each with a sample of its own
time. Neurons of layer l integrate their biases during the l steps before anything reaches them.
A periodic reset of each layer as a sample arrives there makes every sample equal to a run
without latency from zero state, shifted by l; this module is how that can be seen.

Source: lava-nc 0.10.0, lava/proc/lif (LIFReset: interval T, offset l + 1, steps counted from 1).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from conversion.graph import INPUT
from hardware.backends.compiled_population import neurons_in_order
from hardware.backends.fixed_point import FixedPointProgram
from hardware.backends.input_spikes import require_spikes
from hardware.backends.neuron_run import PeriodicReset
from hardware.backends.spike_sums import channels_first
from hardware.backends.spike_train import SpikeTrain

__all__ = ["StreamedRun", "streamed_run"]


@dataclass(frozen=True, slots=True, eq=False)
class StreamedRun:
    """What every population sent at every step of the chip.

    Attributes:
        messages: int32 [B T + depth, *shape] by population; row 0 is step 1.
        latency: steps that each population answers late.
        steps_per_sample: T.
    """

    messages: Mapping[str, np.ndarray]
    latency: Mapping[str, int]
    steps_per_sample: int

    def samples(self, name: str) -> np.ndarray:
        """What a population sent, sample by sample with the latency taken out: [T, B, *shape]."""
        stream, late, steps = self.messages[name], self.latency[name], self.steps_per_sample
        num_samples = (len(stream) - max(self.latency.values())) // steps
        stream = stream[late : late + num_samples * steps]
        return stream.reshape(num_samples, steps, *stream.shape[1:]).swapaxes(0, 1)


def streamed_run(program: FixedPointProgram, spikes: np.ndarray, *, first_reset: int | None = 2) -> StreamedRun:
    """Stream samples through a network, one step per connection.

    Spikes that a delay holds back act in the next sample, as on a chip.

    Args:
        spikes: integers [T, B, *input_shape].
        first_reset: the step, counted from 1, before which neurons one connection behind the input
            are reset for the first time, and then every T steps; those further on one step later
            for each connection. 2 is right, since input of step 1 reaches them then. None: no reset.

    Raises:
        ShapeError, DataError, PrecisionError: if the spikes do not fit.
    """
    graph, schedule = program.graph, program.schedule
    require_spikes(spikes, graph.input_shape, input_bits=graph.input_bits)
    steps, batch = spikes.shape[:2]
    num_steps = schedule.num_steps(steps_per_sample=steps, num_samples=batch)
    stream = spikes.swapaxes(0, 1).reshape(batch * steps, *graph.input_shape)
    silence = np.zeros((num_steps - len(stream), *graph.input_shape), dtype=stream.dtype)
    sent = SpikeTrain.from_dense(neurons_in_order(np.concatenate([stream, silence]), graph.input_shape))
    arriving, messages = {INPUT: sent.one_step_later()}, {}
    for population in program.populations:
        late = schedule.latency[population.name]
        reset = None if first_reset is None else PeriodicReset(steps, first_reset + late - 1)
        sent = population.run(arriving, num_steps=num_steps, reset=reset).spikes
        arriving[population.name] = sent.one_step_later()
        messages[population.name] = channels_first(sent.dense(), population.shape)
    return StreamedRun(messages, schedule.latency, steps)

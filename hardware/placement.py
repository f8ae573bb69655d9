"""When each population runs: the pipeline that a synchronous chip makes of a network.

Every connection takes one step, so a spike of step t reaches the neurons behind it at t + 1.
A population at depth l answers step t of the input at step t + l. Two things follow:

* All paths into a population must be equally long, or inputs of different steps would meet.
  A relay (1x1 identity connection, then a neuron that copies) lengthens a path by one.
* A neuron with a bias must not integrate it during the l steps before its input arrives.
  With a reset of period T at offset l + 1, samples of T steps follow each other without a gap,
  and each is computed from zero state as if there were no latency.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from conversion.graph import INPUT, SpikingGraph
from conversion.integer_graph import IntegerGraph
from snnface.errors import HardwareError

__all__ = ["PipelineSchedule", "pipeline_schedule"]


@dataclass(frozen=True, slots=True, eq=False)
class PipelineSchedule:
    """The latency of every population, in steps.

    Attributes:
        latency: connections from the input to the population; 0 for the input itself.
    """

    latency: Mapping[str, int]

    @property
    def depth(self) -> int:
        """The longest latency: steps to run after the last input step."""
        return max(self.latency.values())

    def num_steps(self, *, steps_per_sample: int, num_samples: int) -> int:
        """Steps that the chip runs for samples streamed back to back."""
        return steps_per_sample * num_samples + self.depth

    def reset_offset(self, name: str) -> int:
        """The step, counted from 1, at which the first sample arrives at this population.

        It is the offset of a periodic reset whose interval is the length of a sample.
        """
        return self.latency[name] + 1


def pipeline_schedule(graph: SpikingGraph | IntegerGraph) -> PipelineSchedule:
    """Check that all paths into each population are equally long.

    Raises:
        HardwareError: names the population and its inputs; also if a name occurs twice, or a source
            does not come before its reader.
    """
    latency = {INPUT: 0}
    for population in graph.populations:
        sources = [connection.source for connection in population.inputs]
        unknown = [source for source in sources if source not in latency]
        if unknown or not sources:
            raise HardwareError(
                f"population {population.name!r} must read populations that come before it; it reads {sources}."
            )
        if population.name in latency:
            raise HardwareError(f"population names must differ; {population.name!r} occurs twice.")
        arrivals = {source: latency[source] + 1 for source in sources}
        if len(set(arrivals.values())) > 1:
            late = max(arrivals.values())
            short = [f"{source!r} (+{late - steps})" for source, steps in arrivals.items() if steps < late]
            raise HardwareError(
                f"all paths into population {population.name!r} must be equally long; they arrive after {arrivals} "
                f"steps. Insert relays behind {', '.join(short)}, one for each missing step."
            )
        latency[population.name] = max(arrivals.values())
    if graph.readout.source not in latency:
        raise HardwareError(f"the readout reads {graph.readout.source!r}, which is not in the graph.")
    return PipelineSchedule(latency)

"""The parity table: one network on one input in every tool that reads it, each against the row that it must equal.

trained network     float64     as PyTorch runs it
NIR graph           float64     the trained network
NIR in snntorch     float32     the NIR graph
NIR in norse        float32     the NIR graph
fixed point         integers    the NIR graph, but for rounding: the one lossy step
Lava                integers    fixed point, spikes and final states
netx                integers    fixed point, spikes and final states
"""

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from conversion.graph import SpikingGraph
from conversion.run_comparison import compare_runs
from conversion.runners.graph_runner import GraphRunner
from conversion.runners.nir_peers import open_norse, open_snntorch
from conversion.runners.run import READOUT, Run
from hardware.backends.base import RunResult
from snnface.app.referees import NotRun, RefereeRun
from snnface.errors import SnnfaceError

__all__ = ["ParityRow", "Score", "parity_rows"]

Score = Callable[[np.ndarray], Mapping[str, float]]
"""Judges answers to the first clips, [B, K] or [T, B, K]: metric -> value."""

PEERS = {"snntorch": open_snntorch, "norse": open_norse}
TRAINED, GRAPH, FIXED = "trained network", "NIR graph", "fixed point"


@dataclass(frozen=True, slots=True, kw_only=True)
class ParityRow:
    """One tool.

    Attributes:
        numbers: what it computes with.
        against: the row that its spikes are compared with; empty in the first.
        is_exact: it must equal that row; False of the one lossy step.
        num_spikes: of the network's own neurons; relays, which only some tools have, are left out.
        num_differing: bins (step, clip, neuron) that differ, in all populations that both rows show.
        num_differing_states: final currents and voltages likewise; None where there are none to compare.
        answer_difference: the largest difference of an answer, in parts of the largest; None where one gives none.
        metrics: of the answers to these clips; empty where nothing judges them.
        not_run: why not; empty where it was.
        notes: where this tool is known to read such a network otherwise, and what could not be compared.
    """

    tool: str
    numbers: str
    against: str = ""
    is_exact: bool = True
    num_clips: int = 0
    num_spikes: int = 0
    num_differing: int | None = None
    num_differing_states: int | None = None
    answer_difference: float | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    not_run: str = ""
    notes: tuple[str, ...] = ()

    @property
    def is_identical(self) -> bool:
        """It was run, and neither a spike nor a state differs."""
        return not self.not_run and not self.num_differing and not self.num_differing_states


def parity_rows(
    graph: SpikingGraph,
    inputs: np.ndarray,
    *,
    nir_path: Path | NotRun,
    trained: Run | None,
    fixed: RunResult | NotRun,
    referees: Sequence[RefereeRun] = (),
    score: Score | None = None,
) -> tuple[ParityRow, ...]:
    """Run a network in every tool, one row each; what cannot run says why in its row.

    Args:
        graph: what the file at `nir_path` holds.
        inputs: counts [T, B, *input_shape].
        nir_path: read by snntorch and norse; or why there is no such file.
        trained: the network as it was trained, on these inputs; None of a graph that came as a file.
        fixed: of the same inputs.
        referees: of these inputs or of the first of them.
    """
    table = _Table([population.name for population in graph.populations if not population.neuron.is_relay], score)
    exact = GraphRunner(graph).run(inputs)
    if trained is None:
        table.add(GRAPH, "float64", exact)
    else:
        table.add(TRAINED, "float64", trained)
        table.add(GRAPH, "float64", exact, against=(TRAINED, trained))
    for tool in PEERS:
        table.add(f"NIR in {tool}", "float32", _peer_run(tool, nir_path, inputs), against=(GRAPH, exact))
    table.add(FIXED, "integers", _shown(fixed), against=(GRAPH, exact), is_exact=False)
    for referee in referees:
        compared = referee.agreement
        table.add(
            referee.tool,
            "integers",
            _shown(referee.ran),
            against=(f"{FIXED}, as noted" if referee.note else FIXED, _shown_run(referee.fixed)),
            num_differing_states=None if compared is None else compared.num_differing_states,
            note=referee.note,
        )
    return tuple(table.rows)


class _Table:
    """Rows as they come.

    Args:
        neurons: the populations whose spikes are counted.
    """

    def __init__(self, neurons: list[str], score: Score | None) -> None:
        self.rows: list[ParityRow] = []
        self._neurons, self._score = neurons, score

    def add(
        self,
        tool: str,
        numbers: str,
        ran: Run | NotRun,
        *,
        against: tuple[str, Run] | None = None,
        is_exact: bool = True,
        num_differing_states: int | None = None,
        note: str = "",
    ) -> None:
        other = "" if against is None else against[0]
        if isinstance(ran, NotRun):
            row = ParityRow(tool=tool, numbers=numbers, against=other, is_exact=is_exact, not_run=ran.reason)
            self.rows.append(row)
            return
        compared = None if against is None else compare_runs(against[1], ran)
        answers = ran.answers.get(READOUT)
        unseen = [name for name in self._neurons if name not in ran.spikes]
        notes = [note, f"shows no spikes of {', '.join(unseen)}" if unseen else ""]
        if compared is not None:
            # Relays stand in graphs alone, and are no news.
            notes += [found for found in compared.notes if not found.startswith("only in")]
        self.rows.append(
            ParityRow(
                tool=tool,
                numbers=numbers,
                against=other,
                is_exact=is_exact,
                num_clips=next(iter(ran.spikes.values())).shape[1],
                num_spikes=sum(int(np.count_nonzero(ran.spikes[name])) for name in self._neurons if name in ran.spikes),
                num_differing=None if compared is None else sum(c.num_differing for c in compared.populations),
                num_differing_states=num_differing_states,
                answer_difference=None
                if compared is None or not compared.answers
                else compared.answers[0].relative_difference,
                metrics={} if self._score is None or answers is None else dict(self._score(answers)),
                notes=tuple(dict.fromkeys(filter(None, notes))),
            )
        )


def _peer_run(tool: str, nir_path: Path | NotRun, inputs: np.ndarray) -> Run | NotRun:
    if isinstance(nir_path, NotRun):
        return nir_path
    try:
        with warnings.catch_warnings():
            # What peers deprecate as they are imported is no news of this network.
            warnings.simplefilter("ignore")
            peer = PEERS[tool](nir_path, None)
        return peer.run(inputs)
    except SnnfaceError as error:
        return NotRun(str(error))


def _shown(result: RunResult | NotRun) -> Run | NotRun:
    return result if isinstance(result, NotRun) else _shown_run(result)


def _shown_run(result: RunResult) -> Run:
    return Run(spikes=result.spikes, answers={READOUT: result.answers})

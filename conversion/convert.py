"""A trained ANN as a spiking network: one call, from the model to the graph and the report.

    converted = convert(model, samples, ConvertConfig(steps=8), training=pictures, training_labels=classes)

The network becomes integrate-and-fire neurons whose spikes are 1 and whose thresholds are 1;
batch norms, pools and thresholds are folded into the weights, and nothing that scales is
left between the layers.

Source: Rueckauer et al. 2017, Frontiers in Neuroscience 11:682 (normalisation); the methods
cite theirs.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Union

import numpy as np

from snnface.errors import ConfigError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from conversion.ann.graph import AnnGraph
    from conversion.ann.network import AnnNetwork
    from conversion.conversion_report import ConversionReport, StepQuality
    from conversion.graph import SpikingGraph

__all__ = ["ConvertConfig", "Converted", "Method", "convert"]

Method = Literal["auto", "percentile", "channel-percentile", "mmse", "balance", "qcfs", "steps"]
"""How thresholds and weights are found; see `ConvertConfig`."""


@dataclass(frozen=True, kw_only=True)
class ConvertConfig:
    """How an ANN becomes spikes.

    Attributes:
        steps: the number of steps to convert for.
        method: "auto" chooses; the report says which and why. Thresholds alone: "percentile" of
            all activations of a layer, "channel-percentile" of each channel's, "mmse" for the
            least squared error at `steps`, "balance" by local threshold balancing. With training
            samples: "qcfs" tunes the ANN with rounded activations, "steps" tunes the spiking network
            itself through `steps` steps, which pays where layers are many; with soft reset after "qcfs".
        neuron: "soft" resets by subtraction from a half-threshold start; "hard" is NIR's plain IF,
            which every tool reads, and needs the method "steps".
        bias_correction: shift every channel's bias so that its mean rate at `steps` is the ANN's mean.
        percentile: for the rules of that name.
        levels: of QCFS, about the fewest steps that will be served; of "graded" messages.
        max_pool: "refuse", or put average pools in the place of maxima.
        task: what the answers are.
        epochs, learning_rate: of fine-tuning; None for epochs takes the method's own.
        seed: of everything drawn at random.
        two_phase: also judge with a first phase that calibrates every sample: "silence" (SRP), "shift" (COS).
        first_steps: its length.
        loihi2: also judge messages that only Loihi 2 can send: "ternary" spikes, "graded" changes.
        report_steps: numbers of steps that the report judges.

    Raises:
        ConfigError: if a number is out of its range, or hard reset is asked for without its method.
    """

    steps: int = 8
    method: Method = "auto"
    neuron: Literal["soft", "hard"] = "soft"
    bias_correction: bool = True
    percentile: float = 99.9
    levels: int = 4
    max_pool: Literal["refuse", "average"] = "refuse"
    task: Literal["classification", "regression"] = "classification"
    epochs: int | None = None
    learning_rate: float = 1e-3
    seed: int = 0
    two_phase: Literal["none", "silence", "shift"] = "none"
    first_steps: int = 4
    loihi2: tuple[Literal["ternary", "graded"], ...] = ()
    report_steps: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64)

    def __post_init__(self) -> None:
        counts = {"steps": self.steps, "levels": self.levels, "epochs": self.epochs, "first_steps": self.first_steps}
        for name, count in counts.items():
            if count is not None and count < 1:
                raise ConfigError(f"{name} must be at least 1; got {count}.")
        if not 0 < self.percentile <= 100:
            raise ConfigError(f"percentile must lie in 0..100, above 0; got {self.percentile}.")
        if not 0 < self.learning_rate < math.inf:
            raise ConfigError(f"learning_rate must be positive; got {self.learning_rate}.")
        if not self.report_steps or min(self.report_steps) < 1:
            raise ConfigError(f"report_steps must name numbers of steps from 1 up; got {self.report_steps}.")
        if self.neuron == "hard" and self.method not in ("auto", "steps"):
            raise ConfigError(
                f"a network that resets to zero must be tuned through its steps; method is {self.method!r}. Use "
                'method="steps" (or "auto") with training samples, or neuron="soft".'
            )


@dataclass(frozen=True, slots=True, eq=False)
class Converted:
    """The spiking graph and the report."""

    graph: "SpikingGraph"
    report: "ConversionReport"


def convert(
    model: Union["nn.Module", "AnnGraph", "AnnNetwork"],
    calibration: np.ndarray,
    config: ConvertConfig | None = None,
    *,
    training: np.ndarray | None = None,
    training_labels: np.ndarray | None = None,
    evaluation: np.ndarray | None = None,
    labels: np.ndarray | None = None,
) -> Converted:
    """Convert a trained ANN into a spiking graph; the model stays unchanged.

    The graph is fed the ANN's input held over all steps (`simulate.constant_input`), or
    event bins whose mean is the ANN's input; its answer approaches the ANN's.

    Args:
        model: a module, see `conversion.ann.torch_reader.read_module` for what it may hold; or what a reader made.
        calibration: unlabelled samples [B, *input_shape], 256 to 1024; without `evaluation`
            the report judges on them.
        config: None takes the defaults.
        training: samples to fine-tune on; without them nothing is trained.
        training_labels: class indices [B] or values [B, K] of them; None learns from the ANN's answers alone.
        evaluation: other samples for the report.
        labels: class indices or values of the samples that are judged.

    Raises:
        UnsupportedLayerError: if the model holds something without a spiking form, by name.
        CalibrationError: if the calibration samples give a layer no threshold.
        ConfigError: if the method needs training samples and there are none.
        ShapeError, DataError: if samples or labels do not fit.
    """
    from conversion.calibration.fine_tuning import Lesson, require_labels
    from conversion.calibration.methods import calibrated, choice
    from conversion.calibration.samples import require_samples
    from conversion.conversion_report import AnswerQuality, ConversionReport, answer_quality, falls

    settings = config or ConvertConfig()
    chosen = choice(settings, can_train=training is not None)
    network, ann = _network(model, calibration.shape[1:], settings)
    require_samples(calibration, network.input_shape, what="the calibration input")
    judged = calibration if evaluation is None else evaluation
    require_samples(judged, network.input_shape, what="the input to judge on")
    wanted = ann(judged)
    if labels is not None:
        require_labels(labels, wanted.shape, settings.task, what="samples that are judged")
    lesson = None
    if training is not None:
        require_samples(training, network.input_shape, what="the training samples")
        lesson = Lesson(training, ann(training), training_labels, settings.task)
    made = calibrated(network, calibration, lesson, chosen, settings)

    def judge(answers: np.ndarray) -> AnswerQuality:
        return answer_quality(answers, wanted, labels=labels, task=settings.task)

    qualities = _qualities(made.graph, judged, wanted, labels, settings)
    report = ConversionReport(
        task=settings.task,
        method=chosen.method,
        neuron=settings.neuron,
        reason=chosen.reason,
        steps=settings.steps,
        is_for_its_steps_only=made.is_for_its_steps_only,
        thresholds={name: _plain(threshold) for name, threshold in made.thresholds.items()},
        removed=network.removed,
        num_calibration=len(calibration),
        num_training=0 if training is None else len(training),
        ann=judge(wanted),
        quantised_ann=None if made.quantised is None else judge(made.quantised(judged)),
        qualities=qualities["plain"],
        falls=falls(qualities["plain"]),
        two_phase=qualities.get("two_phase"),
        loihi2={kind: qualities[kind] for kind in settings.loihi2},
    )
    return Converted(made.graph, report)


def _network(
    model: Union["nn.Module", "AnnGraph", "AnnNetwork"], input_shape: tuple[int, ...], config: ConvertConfig
) -> tuple["AnnNetwork", Callable[[np.ndarray], np.ndarray]]:
    """The sums and ReLUs, and the ANN as it was: [B, *input_shape] -> answers [B, K]."""
    from conversion.ann.graph import AnnGraph
    from conversion.ann.network import AnnNetwork
    from conversion.ann.reduction import network_of
    from conversion.ann.torch_reader import read_module
    from conversion.calibration.samples import in_pieces

    if isinstance(model, AnnNetwork):
        return model, in_pieces(model)
    graph = model if isinstance(model, AnnGraph) else read_module(model, input_shape)
    return network_of(graph, max_pool=config.max_pool), in_pieces(lambda inputs: _logits(graph, inputs))


def _logits(graph: "AnnGraph", inputs: "Tensor") -> "Tensor":
    """The graph's answers, in front of a softmax if it ends with one."""
    from conversion.ann.graph import Softmax

    last = graph.nodes[-1]
    wanted = last.inputs[0] if isinstance(last.operation, Softmax) else last.name
    return next(value for node, value in graph.values(inputs) if node.name == wanted)


def _qualities(
    graph: "SpikingGraph", judged: np.ndarray, wanted: np.ndarray, labels: np.ndarray | None, config: ConvertConfig
) -> dict[str, tuple["StepQuality", ...]]:
    """By simulation: "plain", and those that are asked for."""
    from conversion.calibration.phases import two_phase_runner
    from conversion.calibration.signed import graded_runner, run_ternary
    from conversion.conversion_report import Runner, answers_held, quality_per_step

    runs: dict[str, tuple[Runner, int]] = {"plain": (answers_held, 0)}
    if config.two_phase != "none":
        runs["two_phase"] = (two_phase_runner(config.two_phase, first_steps=config.first_steps), config.first_steps)
    possible: dict[str, Runner] = {"ternary": run_ternary, "graded": graded_runner(levels=config.levels)}
    runs |= {kind: (possible[kind], 0) for kind in config.loihi2}
    return {
        name: quality_per_step(
            graph,
            judged,
            wanted,
            labels=labels,
            task=config.task,
            steps=config.report_steps,
            first_phase=first_phase,
            run=run,
        )
        for name, (run, first_phase) in runs.items()
    }


def _plain(threshold: float | np.ndarray) -> float | tuple[float, ...]:
    return tuple(threshold.tolist()) if isinstance(threshold, np.ndarray) else float(threshold)

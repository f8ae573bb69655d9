"""The methods by name: from an ANN and samples to a calibrated spiking graph."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from conversion.ann.network import AnnNetwork
from conversion.calibration.bias_correction import corrected_biases
from conversion.calibration.fine_tuning import FineTuningConfig, Lesson
from conversion.calibration.qcfs import qcfs_network, tuned_by_qcfs
from conversion.calibration.samples import in_pieces
from conversion.calibration.spiking_tuning import tuned_through_steps
from conversion.calibration.thresholds import (
    ThresholdRule,
    balanced_thresholds,
    channel_percentile_thresholds,
    measured_activations,
    mmse_threshold,
    percentile_threshold,
)
from conversion.convert import ConvertConfig
from conversion.graph import SpikingGraph
from conversion.normalise import CONVERTED_NEURON, PORTABLE_NEURON, Thresholds, normalised_graph
from snnface.errors import ConfigError

__all__ = ["Calibrated", "Choice", "calibrated", "choice"]

_TUNED_STEPS = 32
"""Up to here fine-tuning is worth its time; with more steps rates say what the ANN's activations are."""

_CORRECTED_STEPS = 2
"""Levels times this are the most steps that the biases of a QCFS network are corrected for. More steps need no
correction, and biases for these make longer runs better, too."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A method, and why it was taken."""

    method: str
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Calibrated:
    """What a method gives.

    Attributes:
        is_for_its_steps_only: biases or weights were fitted to one number of steps.
        quantised: the ANN with rounded activations, [B, *input_shape] -> answers [B, K]; QCFS has one.
    """

    graph: SpikingGraph
    thresholds: Thresholds
    is_for_its_steps_only: bool
    quantised: Callable[[np.ndarray], np.ndarray] | None = None


def choice(config: ConvertConfig, *, can_train: bool) -> Choice:
    """The method that is asked for, or that suits the number of steps and the data.

    Raises:
        ConfigError: if it needs training samples and there are none.
    """
    method = config.method
    if method in ("qcfs", "steps") and not can_train:
        raise ConfigError(f"method={method!r} fine-tunes and needs training samples; pass `training`, or use 'mmse'.")
    if method != "auto":
        return Choice(method, "it was asked for")
    if config.neuron == "hard":
        if not can_train:
            raise ConfigError(
                'neuron="hard" must be tuned through its steps and needs training samples; pass `training`, or use '
                'neuron="soft".'
            )
        return Choice("steps", "reset to zero loses what exceeds the threshold; only tuning as a spiking network helps")
    if can_train and config.steps <= _TUNED_STEPS:
        return Choice(
            "qcfs",
            f"{config.steps} steps are few and there are training samples: weights tuned for few levels fit them",
        )
    if can_train:
        return Choice(
            "mmse", f"{config.steps} steps are many: thresholds and biases do, and the weights stay the ANN's"
        )
    return Choice(
        "mmse", f"there are no training samples: thresholds and biases fitted to {config.steps} steps do best"
    )


def calibrated(
    network: AnnNetwork, calibration: np.ndarray, lesson: Lesson | None, chosen: Choice, config: ConvertConfig
) -> Calibrated:
    """The spiking graph by the method that was chosen.

    Args:
        calibration: [B, *input_shape].
        lesson: what fine-tuning learns from; None where nothing is trained.

    Raises:
        CalibrationError: if the samples give a layer no threshold.
        NonFiniteLossError: if fine-tuning diverges.
    """
    if chosen.method == "qcfs":
        assert lesson is not None
        return _by_qcfs(network, calibration, lesson, config)
    if chosen.method == "steps":
        assert lesson is not None
        return _through_steps(network, calibration, lesson, config)
    if chosen.method == "balance":
        thresholds: Thresholds = balanced_thresholds(network, calibration, seed=config.seed)
    else:
        thresholds = _thresholds(network, calibration, _RULES[chosen.method](config))
    graph = _graph(network, thresholds, chosen.method, config)
    if config.bias_correction:
        graph = _corrected(graph, network, thresholds, calibration, config.steps)
    return Calibrated(graph, thresholds, is_for_its_steps_only=config.bias_correction or chosen.method == "mmse")


_RULES: Mapping[str, Callable[[ConvertConfig], ThresholdRule]] = {
    "percentile": lambda config: lambda a: percentile_threshold(a, config.percentile),
    "channel-percentile": lambda config: lambda a: channel_percentile_thresholds(a, config.percentile),
    "mmse": lambda config: lambda a: mmse_threshold(a, config.steps),
}


def _by_qcfs(network: AnnNetwork, calibration: np.ndarray, lesson: Lesson, config: ConvertConfig) -> Calibrated:
    levels = config.levels
    start = _thresholds(network, calibration, lambda a: mmse_threshold(a, levels))
    lambdas = {name: float(threshold) for name, threshold in start.items()}
    tuned, thresholds = tuned_by_qcfs(network, lambdas, lesson, levels=levels, config=_tuning(config, epochs=10))
    graph = _graph(tuned, thresholds, "qcfs", config)
    if config.bias_correction:
        # What rates can reach: the tuned activations, clipped at their thresholds.
        layers = tuple(replace(layer, ceiling=thresholds[layer.name]) for layer in tuned.layers)
        steps = min(config.steps, _CORRECTED_STEPS * levels)
        graph = _corrected(graph, replace(tuned, layers=layers), thresholds, calibration, steps)
    quantised = qcfs_network(tuned, thresholds, levels=levels)
    answers = in_pieces(lambda inputs: quantised(inputs)[0])
    return Calibrated(graph, thresholds, is_for_its_steps_only=config.bias_correction, quantised=answers)


def _through_steps(network: AnnNetwork, calibration: np.ndarray, lesson: Lesson, config: ConvertConfig) -> Calibrated:
    if config.neuron == "soft":
        made = _by_qcfs(network, calibration, lesson, config)
        start, thresholds, epochs = made.graph, made.thresholds, 5
    else:
        thresholds = _thresholds(network, calibration, lambda a: mmse_threshold(a, config.steps))
        start = _graph(network, thresholds, "steps", config)
        start, epochs = _corrected(start, network, thresholds, calibration, config.steps), 15
    tuned = tuned_through_steps(start, lesson, num_steps=config.steps, config=_tuning(config, epochs=epochs))
    return Calibrated(tuned, thresholds, is_for_its_steps_only=True)


def _thresholds(network: AnnNetwork, calibration: np.ndarray, rule: ThresholdRule) -> Thresholds:
    measured = measured_activations(network, calibration, rule)
    return {name: activations.threshold for name, activations in measured.items()}


def _corrected(
    graph: SpikingGraph, network: AnnNetwork, thresholds: Thresholds, calibration: np.ndarray, num_steps: int
) -> SpikingGraph:
    measured = measured_activations(network, calibration, lambda a: 1.0)
    rates = {name: activations.channel_mean / thresholds[name] for name, activations in measured.items()}
    return corrected_biases(graph, rates, calibration, num_steps=num_steps)


def _graph(network: AnnNetwork, thresholds: Thresholds, method: str, config: ConvertConfig) -> SpikingGraph:
    neuron = CONVERTED_NEURON if config.neuron == "soft" else PORTABLE_NEURON
    metadata: dict[str, str | int | float] = {
        "made_by": "convert",
        "steps": config.steps,
        "method": method,
        "neuron": config.neuron,
    }
    return normalised_graph(network, thresholds, neuron=neuron, metadata=metadata)


def _tuning(config: ConvertConfig, *, epochs: int) -> FineTuningConfig:
    return FineTuningConfig(epochs=config.epochs or epochs, learning_rate=config.learning_rate, seed=config.seed)

"""From an ANN's activations to thresholds, biases and weights with which few spikes say the same."""

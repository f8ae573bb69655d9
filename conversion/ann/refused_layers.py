"""What has no spiking form, and why."""

__all__ = ["REFUSED_MODULES", "REFUSED_OPERATORS", "SUPPORTED"]

SUPPORTED = (
    "2-D convolutions, full layers, batch norms, ReLU and its clipped forms, sums, average pools, scaling by "
    "constants, zero padding, flattening, dropout and a last softmax"
)

_SIGNED = "its values below 0 would need a signed neuron; train with ReLU"
_SIGMOID = "a rate code has no sigmoid; train with ReLU, and as the last layer leave it to the host"
_STATISTICS = "it takes its statistics from the input; train with a batch norm"
_RECURRENT = "recurrent layers are not converted; convert the network in front of it"
_ATTENTION = "attention multiplies values that depend on the input; convert the network in front of it"
_DIMENSIONS = "only 2-D convolutions and pools are converted"
_PRODUCT = "it multiplies two values that depend on the input, which no synapse does"
_ORDER = "it picks or reorders parts of a value; only flattening is supported"
_DATA = "what it gives depends on the data in a way that no synapse does"
_MAXIMUM = (
    "the maximum over spikes is a logical OR, which overestimates the rate; train with an average pool or a strided "
    "convolution"
)

REFUSED_OPERATORS = {
    **dict.fromkeys(
        ("leaky_relu", "prelu", "elu", "celu", "selu", "gelu", "silu", "mish", "hardswish", "tanh"), _SIGNED
    ),
    **dict.fromkeys(("rrelu", "hardshrink", "softshrink", "tanhshrink", "softsign", "log_sigmoid"), _SIGNED),
    **dict.fromkeys(("sigmoid", "hardsigmoid", "softplus"), _SIGMOID),
    **dict.fromkeys(("layer_norm", "group_norm", "instance_norm", "rms_norm"), _STATISTICS),
    **dict.fromkeys(("lstm", "gru", "rnn_tanh", "rnn_relu", "lstm_cell", "gru_cell"), _RECURRENT),
    "scaled_dot_product_attention": _ATTENTION,
    **dict.fromkeys(("bmm", "einsum", "baddbmm", "dot", "outer"), _PRODUCT),
    **dict.fromkeys(("conv1d", "conv3d", "avg_pool1d", "avg_pool3d", "adaptive_avg_pool1d"), _DIMENSIONS),
    **dict.fromkeys(("max_pool1d", "max_pool3d", "adaptive_avg_pool3d"), _DIMENSIONS),
    **dict.fromkeys(
        ("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), "transposed convolutions are not converted"
    ),
    **dict.fromkeys(("adaptive_max_pool2d", "fractional_max_pool2d", "amax", "max", "topk"), _MAXIMUM),
    **dict.fromkeys(("cat", "stack"), "it joins values; add them, or convert each branch on its own"),
    **dict.fromkeys(("slice", "select", "index", "chunk", "split", "narrow", "gather", "index_select"), _ORDER),
    **dict.fromkeys(
        ("permute", "transpose", "t", "flip", "roll", "pixel_shuffle", "channel_shuffle", "expand"), _ORDER
    ),
    **dict.fromkeys(
        ("item", "_local_scalar_dense", "cond", "while_loop", "where", "gt", "lt", "ge", "le", "eq"), _DATA
    ),
}
"""ATen operator, without the underscore of its in-place form -> why."""

REFUSED_MODULES = {
    **dict.fromkeys(
        ("MultiheadAttention", "TransformerEncoderLayer", "TransformerDecoderLayer", "Transformer"), _ATTENTION
    ),
    **dict.fromkeys(("LSTM", "GRU", "RNN", "LSTMCell", "GRUCell", "RNNCell"), _RECURRENT),
}
"""Modules of torch.nn of many operators -> why."""

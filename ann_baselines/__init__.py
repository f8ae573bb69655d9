"""The conventional networks that the spiking ones are measured against."""

from ann_baselines.c3d import C3d, C3dConfig
from ann_baselines.cvae import ConditionalVae, ConditionalVaeConfig
from ann_baselines.frame_cnn import FrameCnn, FrameCnnConfig
from ann_baselines.frame_network import FlatFrame, FlatFrameConfig
from ann_baselines.frame_sequence import FrameSequence, FrameSequenceConfig
from ann_baselines.fusion import Fusion, FusionConfig
from ann_baselines.i3d import I3d, I3dConfig
from ann_baselines.per_frame import LstmConfig, PerFrame, PerFrameConfig
from ann_baselines.resnet18 import ResNet18, ResNet18Config, load_pretrained
from ann_baselines.transformer import ClassTokenConfig, ClassTokenEncoder, Transformer, TransformerConfig
from ann_baselines.vit import Vit, VitConfig

__all__ = [
    "C3d",
    "C3dConfig",
    "ClassTokenConfig",
    "ClassTokenEncoder",
    "ConditionalVae",
    "ConditionalVaeConfig",
    "FlatFrame",
    "FlatFrameConfig",
    "FrameCnn",
    "FrameCnnConfig",
    "FrameSequence",
    "FrameSequenceConfig",
    "Fusion",
    "FusionConfig",
    "I3d",
    "I3dConfig",
    "LstmConfig",
    "PerFrame",
    "PerFrameConfig",
    "ResNet18",
    "ResNet18Config",
    "Transformer",
    "TransformerConfig",
    "Vit",
    "VitConfig",
    "load_pretrained",
]

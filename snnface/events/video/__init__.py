"""Frames to emulate from: video files, folders of pictures, arrays; and what lossy codecs did to them."""

from snnface.events.video.compression import BlockEdges, Deblocking, block_edge_score, block_edges, deblock
from snnface.events.video.source import FrameSource, luma, open_frames

__all__ = [
    "BlockEdges",
    "Deblocking",
    "FrameSource",
    "block_edge_score",
    "block_edges",
    "deblock",
    "luma",
    "open_frames",
]

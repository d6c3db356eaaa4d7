"""Segmentation networks, by name; other packages add theirs by the entry point group ``tenth.networks``."""

# Imported for what they register.
from tenth.segmentation.networks import (  # noqa: F401
    deeplab,
    efficientnet_lite,
    enet,
    erfnet,
    espnetv2,
    icnet,
    mobilenet_v3,
    resnet,
)
from tenth.segmentation.networks.base import ScaledLogits, SegmentationNetwork
from tenth.segmentation.networks.encoder import ENCODERS, Encoder, build_encoder
from tenth.segmentation.networks.registry import NETWORKS, NetworkSpec, build_network

__all__ = [
    "ENCODERS",
    "NETWORKS",
    "Encoder",
    "NetworkSpec",
    "ScaledLogits",
    "SegmentationNetwork",
    "build_encoder",
    "build_network",
]

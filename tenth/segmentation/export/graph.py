"""A network as an ONNX graph, and the same graph as OpenVINO's files.

torch's newer exporter (``dynamo=True``) does it. It traces the network with tensors of one known size, so the
kernels of the pyramid pooling become numbers; the older one keeps them as arithmetic on shapes and then fails
on the pooling.
"""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tenth.errors import ConfigurationError
from tenth.segmentation.export.extras import need, need_openvino
from tenth.segmentation.export.metadata import ExportMetadata
from tenth.segmentation.networks import SegmentationNetwork

INPUT = "image"
OUTPUT = "probabilities"

_OPSET = 18  # the lowest that the exporter writes without converting, so the most runtimes read it


class _Probabilities(nn.Module):
    """A network whose output are probabilities."""

    def __init__(self, network: SegmentationNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> Tensor:
        logits: Tensor = self.network(image)
        return logits.softmax(1)


def to_onnx(network: SegmentationNetwork, metadata: ExportMetadata) -> bytes:
    """Return a network as the content of an ONNX file.

    The graph has one input, ``image``: (1, 3, H, W) float32, RGB normalised with the metadata's `mean` and
    `std`; and one output, ``probabilities``: (1, C, H, W) float32, summing to 1 over the classes. H and W are
    the metadata's `input_size`, and nothing else.

    Parameters
    ----------
    network : SegmentationNetwork
        A copy in evaluation mode is exported; `network` stays as it is.
    metadata : ExportMetadata
        Is written into the file.

    Raises
    ------
    ConfigurationError
        When onnx or onnxscript is not installed, or the network has an operation that ONNX cannot express.
    """
    onnx = need("onnx", "onnx")
    need("onnxscript", "onnx")
    module = _Probabilities(copy.deepcopy(network).to("cpu")).eval()
    example = torch.zeros(1, 3, *metadata.input_size)
    try:
        with torch.no_grad(), _quiet():
            program: Any = torch.onnx.export(
                module,
                (example,),
                input_names=[INPUT],
                output_names=[OUTPUT],
                opset_version=_OPSET,
                dynamo=True,
                external_data=False,
                verbose=False,
            )
    except Exception as error:  # tracing runs the network's own code, which can raise anything
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ConfigurationError(
            f"Network '{metadata.network.name}' cannot be exported: {reason[0]}. "
            'Serve it with [backend] runtime = "torch", or choose another network.'
        ) from error
    proto = program.model_proto
    _forget_origin(proto)
    onnx.helper.set_model_props(proto, metadata.to_texts())
    content: bytes = proto.SerializeToString()
    return content


def write_openvino(content: bytes, path: Path) -> None:
    """Write an ONNX file's `content` as OpenVINO's pair of files: `path` (``.xml``) and ``.bin`` beside it.

    Weights stay float32. The metadata come along.

    Raises
    ------
    ConfigurationError
        When openvino is not installed.
    """
    openvino = need_openvino()
    model = openvino.Core().read_model(content)
    openvino.save_model(model, path, compress_to_fp16=False)


def _forget_origin(proto: Any) -> None:
    """Take out what the exporter notes at each node: the source code's paths on this machine."""
    del proto.graph.metadata_props[:]
    for entry in (*proto.graph.node, *proto.graph.value_info, *proto.graph.input, *proto.graph.output):
        del entry.metadata_props[:]
        entry.doc_string = ""


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back the exporter's remarks about torch's own code and packages that are not needed."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)

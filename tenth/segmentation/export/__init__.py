"""Networks as files that other runtimes read: ONNX and OpenVINO, checked against torch."""

from tenth.segmentation.export.graph import to_onnx, write_openvino
from tenth.segmentation.export.metadata import ExportMetadata
from tenth.segmentation.export.parity import TOLERANCE, Parity, common_size, compare
from tenth.segmentation.export.runtimes import (
    ExportedPredictor,
    OnnxPredictor,
    OpenVinoPredictor,
    load_exported,
)
from tenth.segmentation.export.writing import Format, write_exported

__all__ = [
    "TOLERANCE",
    "ExportMetadata",
    "ExportedPredictor",
    "Format",
    "OnnxPredictor",
    "OpenVinoPredictor",
    "Parity",
    "common_size",
    "compare",
    "load_exported",
    "to_onnx",
    "write_exported",
    "write_openvino",
]

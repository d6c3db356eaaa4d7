"""Exported models at work, in ONNX Runtime or OpenVINO: predictors like torch's own.

The graph's input has one size. An image of another size is resized to it (Pillow's bilinear filter, which
averages where it shrinks), and the probabilities back to the image's (the same filter): sides keep no ratio,
so pools of mixed sizes are better served by torch. Both runtimes compute in float32 unless told
otherwise, on the CPU, with as many threads as torch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from tenth.errors import DataError
from tenth.segmentation.export.extras import need, need_openvino
from tenth.segmentation.export.graph import INPUT
from tenth.segmentation.export.metadata import ExportMetadata
from tenth.segmentation.inference import ImagePredictor, check_image
from tenth.segmentation.resized import fitted, fitted_back


class ExportedPredictor(ImagePredictor, ABC):
    """Predicts images of any size with an exported model; see the module for what happens to their size.

    Attributes
    ----------
    metadata : ExportMetadata
        What the file says about itself.
    """

    metadata: ExportMetadata

    def probabilities(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the class probabilities of each pixel, see `ImagePredictor`."""
        check_image(image)
        found = self._run(self._input(fitted(image, self.metadata.input_size)))
        return fitted_back(found[0], image.shape[:2])

    def _input(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        mean, std = (np.array(v, np.float32) for v in (self.metadata.mean, self.metadata.std))
        normalised = (image.astype(np.float32) / np.float32(255) - mean) / std
        return np.ascontiguousarray(normalised.transpose(2, 0, 1)[None])

    @abstractmethod
    def _run(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return probabilities (1, C, H, W) of a normalised image (1, 3, H, W) of the input size."""


class OnnxPredictor(ExportedPredictor):
    """An ONNX file in ONNX Runtime; threads may share it.

    Parameters
    ----------
    content : bytes
        Of the file.
    source : str, optional
        Names the file in messages.

    Raises
    ------
    ConfigurationError
        When onnxruntime is not installed.
    DataError
        When the content is damaged, or was not written by `to_onnx`.
    """

    def __init__(self, content: bytes, source: str = "The ONNX file") -> None:
        onnxruntime = need("onnxruntime", "onnx")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        try:
            self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its own classes of errors are not public
            raise _damaged(source, error) from error
        texts = self._session.get_modelmeta().custom_metadata_map
        self.metadata = ExportMetadata.from_texts(texts, source)

    def _run(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        found: NDArray[np.float32] = self._session.run(None, {INPUT: inputs})[0]
        return found


class OpenVinoPredictor(ExportedPredictor):
    """An exported model in OpenVINO, from its own pair of files or from ONNX; threads may share it.

    Parameters
    ----------
    model : bytes or Path
        The content of an ONNX file, or the path of the ``.xml``.
    source : str, optional
        Names the file in messages.
    precision : {"f32", "bf16"}, optional
        In which the network is computed; float32, for the ranking of regions depends on small probabilities.

    Raises
    ------
    ConfigurationError
        When openvino is not installed.
    DataError
        When the file is damaged, or was not written by `to_onnx` or `write_openvino`.
    """

    def __init__(
        self,
        model: bytes | Path,
        source: str = "The exported file",
        precision: Literal["f32", "bf16"] = "f32",
    ) -> None:
        core = need_openvino().Core()
        # Left to itself it computes in bfloat16 where the processor can.
        settings = {
            "INFERENCE_PRECISION_HINT": precision,
            "INFERENCE_NUM_THREADS": torch.get_num_threads(),
            "PERFORMANCE_HINT": "LATENCY",
        }
        try:
            graph = core.read_model(model)
            self._model = core.compile_model(graph, "CPU", settings)
        except Exception as error:  # RuntimeError and its own classes
            raise _damaged(source, error) from error
        info = graph.rt_info["framework"].items() if graph.has_rt_info(["framework"]) else ()
        self.metadata = ExportMetadata.from_texts({key: str(text.value) for key, text in info}, source)

    def _run(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        request = self._model.create_infer_request()  # the model's own request is one for all threads
        found: NDArray[np.float32] = request.infer({INPUT: inputs})[0].copy()
        return found


def load_exported(path: Path) -> ExportedPredictor:
    """Load an exported file: ``.onnx`` into ONNX Runtime, ``.xml`` into OpenVINO.

    Raises
    ------
    ConfigurationError
        When the runtime is not installed.
    DataError
        When the file cannot be read or is not an exported model.
    """
    if path.suffix == ".xml":
        return OpenVinoPredictor(path, str(path))
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}. Name an exported model.") from error
    return OnnxPredictor(content, str(path))


def _damaged(source: str, error: Exception) -> DataError:
    reason = str(error).strip().splitlines() or [type(error).__name__]
    return DataError(f"{source} cannot be loaded: {reason[0]}. Export the model again.")

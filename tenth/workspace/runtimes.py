"""Which packages the runtimes of `[backend] runtime` need."""

from __future__ import annotations

from importlib.util import find_spec

from tenth.errors import ConfigurationError

# A version is exported where it is served, when it is first asked for.
PACKAGES = {
    "torch": ("torch",),
    "onnxruntime": ("onnx", "onnxscript", "onnxruntime"),
    "openvino": ("onnx", "onnxscript", "openvino"),
}
EXTRAS = {"onnxruntime": "onnx", "openvino": "openvino"}


def check_runtime(runtime: str) -> None:
    """Refuse a runtime that is not installed.

    Raises
    ------
    ConfigurationError
        When a package is missing.
    """
    missing = [name for name in PACKAGES[runtime] if find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"[backend] runtime is '{runtime}', but {' and '.join(missing)} cannot be imported. Install it: "
            f"pip install 'tenth[{EXTRAS[runtime]}]', or set runtime = \"torch\"."
        )

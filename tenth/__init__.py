"""Tenth: label a tenth of the pixels. The core that the backend and the controller share."""

__version__ = "0.1.0"

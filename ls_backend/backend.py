"""What one worker holds: the workspace, the loaded models and what is built on them."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import cast

from flask import Flask, current_app

from ls_backend.monitoring import Metrics
from ls_backend.predictions import Predictions
from ls_backend.serving import ModelCache
from tenth.workspace.workspace import Workspace

_KEY = "tenth"


@dataclass(frozen=True)
class Backend:
    """One worker's state.

    Attributes
    ----------
    slots : threading.Semaphore
        As many as requests may predict or wait for it at the same time; the other threads stay free.
    """

    workspace: Workspace
    models: ModelCache
    predictions: Predictions
    metrics: Metrics
    slots: threading.Semaphore


def attach(app: Flask, state: Backend) -> None:
    """Make `state` the one that requests to `app` see."""
    app.extensions[_KEY] = state


def backend(app: Flask | None = None) -> Backend:
    """Return the state of `app`, or of the application that handles the current request."""
    return cast(Backend, (app or current_app).extensions[_KEY])

"""`GET /health`: are we up? Label Studio waits a second for it, so it touches no database and no weights."""

from __future__ import annotations

import logging
from typing import Any

from flask import Blueprint

from ls_backend.backend import backend
from tenth.errors import DataError

health = Blueprint("health", __name__)

log = logging.getLogger(__name__)


@health.get("/")
@health.get("/health")
def answer() -> dict[str, Any]:
    """Answer at once, whether the weights are loaded, still loading, or not there yet."""
    models = backend().models
    problem = None
    try:
        current = models.current()
    except DataError as error:
        # Whoever asks has not logged in, and the error names folders of this machine.
        log.warning("/health: %s", error)
        current, problem = None, "The version in use cannot be found; the backend's log says more."
    state = {"status": "UP", "model_class": "Tenth", "model_version": current, "loaded": models.loaded()}
    return state if problem is None else {**state, "problem": problem}

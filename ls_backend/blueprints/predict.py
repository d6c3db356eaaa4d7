"""`POST /predict`: a prediction for each task, in order."""

from __future__ import annotations

import time
from typing import Any

from flask import Blueprint, Response, jsonify
from werkzeug.exceptions import BadRequest, ServiceUnavailable

from ls_backend.backend import backend
from ls_backend.blueprints.request import json_object, project_id

predict = Blueprint("predict", __name__)


@predict.post("/predict")
def answer() -> Response:
    """Answer with ``{"results": [{"result", "score", "model_version"}, …]}``.

    A task that fails has an empty result. One that was not reached in time has none at all (an empty list),
    so that Label Studio asks for it again.
    """
    body = json_object()
    tasks: Any = body.get("tasks")
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise BadRequest('"tasks" has to be a list of tasks.')
    serving = backend()
    if not serving.slots.acquire(blocking=False):
        # The last thread stays free for /health: a backend that does not answer it counts as dead.
        raise ServiceUnavailable("All workers are busy predicting; ask again in a while.", retry_after=10)
    try:
        started = time.monotonic()
        results = serving.predictions.predict(
            tasks, project_id(body.get("project")), str(body.get("label_config") or "")
        )
        serving.metrics.predicted(len(tasks), time.monotonic() - started)
    finally:
        serving.slots.release()
    return jsonify({"results": results})

"""The Flask application that Label Studio talks to: ``gunicorn 'ls_backend.app:create_app()'``."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

from flask import Flask, Response, jsonify, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from ls_backend.auth import require_login
from ls_backend.backend import Backend, attach, backend
from ls_backend.blueprints import ALL
from ls_backend.crf_process import CrfProcess
from ls_backend.images import TaskImages
from ls_backend.monitoring import Metrics
from ls_backend.predictions import Predictions
from ls_backend.runtimes import loader_of
from ls_backend.serving import ModelCache
from tenth.errors import ConfigurationError, TenthError
from tenth.segmentation.crf import CRFOptions
from tenth.workspace.secrets import backend_credentials
from tenth.workspace.workspace import Workspace

MAX_REQUEST_BYTES = 256 * 1024 * 1024
"""Label Studio sends all selected tasks at once, with the masks that people have painted on them."""


def create_app(workspace: str | Path | None = None, predicting: int = 6) -> Flask:
    """Make the backend of a workspace.

    Weights are read at the first prediction (or by `warm_up`), so it answers at once.

    Parameters
    ----------
    workspace : str or Path, optional
        Its folder; ``None`` takes TENTH_WORKSPACE from the environment.
    predicting : int, optional
        Requests that may predict or wait for it at the same time; fewer than the worker's threads, so that
        `/health` is always answered.

    Raises
    ------
    ConfigurationError
        When there is no workspace, or TENTH_BACKEND_USER or TENTH_BACKEND_PASSWORD is not set.
    """
    credentials = backend_credentials()
    app = Flask("ls_backend", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_REQUEST_BYTES
    attach(app, _backend(Workspace.open(workspace or _from_environment()), predicting))
    for blueprint in ALL:
        app.register_blueprint(blueprint)
    _count_requests(app)  # before the login, so that refused requests are counted too
    require_login(app, credentials)
    app.register_error_handler(HTTPException, _refused)
    app.register_error_handler(TenthError, _failed)
    return app


def build_predictions(workspace: Workspace) -> tuple[ModelCache, Predictions]:
    """Return the models of a workspace and what answers tasks with them."""
    models = ModelCache(workspace.models, loader_of(workspace))
    crf = CrfProcess(CRFOptions(**workspace.config.crf.model_dump()))
    return models, Predictions(workspace, models, TaskImages(workspace.config), crf)


def warm_up(app: Flask) -> None:
    """Begin to read the weights in use, in a thread of its own."""
    threading.Thread(target=backend(app).models.warm_up, name="warm-up", daemon=True).start()


def _backend(workspace: Workspace, predicting: int) -> Backend:
    models, predictions = build_predictions(workspace)
    return Backend(workspace, models, predictions, Metrics(workspace), threading.BoundedSemaphore(predicting))


def _from_environment() -> str:
    folder = os.environ.get("TENTH_WORKSPACE", "").strip()
    if not folder:
        raise ConfigurationError(
            "There is no workspace to serve. Name its folder: `ls-backend --workspace DIR`, or "
            "`export TENTH_WORKSPACE=DIR` under a gunicorn of your own."
        )
    return folder


def _count_requests(app: Flask) -> None:
    @app.after_request
    def count(response: Response) -> Response:
        rule = request.url_rule
        route = "unknown" if rule is None else rule.rule
        backend().metrics.requested(route, request.method, response.status_code)
        return response


def _refused(error: HTTPException) -> Response:
    response: Response = jsonify({"error": error.description, "status": error.code})
    response.status_code = error.code or 500
    if isinstance(error, RequestEntityTooLarge):
        response.set_data(f'{{"error": "More than {MAX_REQUEST_BYTES} bytes; select fewer tasks."}}\n')
    for name, value in error.get_headers():
        if name.lower() not in ("content-type", "content-length"):
            response.headers[name] = value
    return response


def _failed(error: TenthError) -> tuple[Any, int]:
    """Answer for what no retry of the same request mends: the workspace's files or database."""
    return jsonify({"error": str(error)}), 503

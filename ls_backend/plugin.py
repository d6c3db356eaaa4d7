"""The same model for `label-studio-ml`, HumanSignal's own server (extra ``ml``).

Its usual `_wsgi.py` does ``init_app(model_class=TenthModel)``. Set TENTH_WORKSPACE to the workspace's folder
and BASIC_AUTH_USER and BASIC_AUTH_PASS to the login.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from label_studio_ml.model import LabelStudioMLBase
from label_studio_ml.response import ModelResponse
from label_studio_sdk.label_interface.objects import PredictionValue

from ls_backend.app import build_predictions
from ls_backend.blueprints.request import project_id
from ls_backend.blueprints.webhook import essence
from ls_backend.predictions import Predictions
from ls_backend.versions import NO_MODEL, version_for
from tenth.errors import ConfigurationError
from tenth.workspace.workspace import Workspace


class TenthModel(LabelStudioMLBase):  # type: ignore[misc]
    """Predicts with the workspace's models; training stays the controller's.

    The server makes one object a request, so whatever is worth keeping is kept by the process.
    """

    def setup(self) -> None:
        """Tell the server the version that answers now; it stores it for the project."""
        workspace = _serving(_folder())[0]
        self.set("model_version", version_for(workspace, project_id(self.project_id)) or NO_MODEL)

    def predict(
        self,
        tasks: list[dict[str, Any]],
        context: Mapping[str, Any] | None = None,  # noqa: ARG002 - part of the protocol
        **_kwargs: Any,
    ) -> ModelResponse:
        """Answer region tasks and whole-image tasks as `POST /predict` does.

        Returns
        -------
        ModelResponse
            A prediction for each task, in order; empty where the task failed.
        """
        predictions = _serving(_folder())[1]
        found = predictions.predict(tasks, project_id(self.project_id), self.get("label_config") or "")
        return ModelResponse(
            predictions=[PredictionValue(**entry) if isinstance(entry, dict) else [] for entry in found]
        )

    def fit(self, event: str, data: Mapping[str, Any], **_kwargs: Any) -> dict[str, Any]:
        """Put the event into the inbox for `controller watch`; nothing is trained inside the request."""
        workspace = _serving(_folder())[0]
        body = dict(data)
        return {"event": workspace.inbox.put(event, project_id(body.get("project")), essence(body))}


def _folder() -> str:
    folder = os.environ.get("TENTH_WORKSPACE", "").strip()
    if not folder:
        raise ConfigurationError(
            "There is no workspace to serve. Name its folder: `export TENTH_WORKSPACE=DIR`."
        )
    return folder


@lru_cache(maxsize=4)
def _serving(folder: str) -> tuple[Workspace, Predictions]:
    workspace = Workspace.open(folder)
    return workspace, build_predictions(workspace)[1]

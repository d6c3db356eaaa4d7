"""`GET /metrics`: Prometheus' text format."""

from __future__ import annotations

from flask import Blueprint, Response

from ls_backend.backend import backend

metrics = Blueprint("metrics", __name__)


@metrics.get("/metrics")
def answer() -> Response:
    """Answer with the counts of all workers."""
    text, content_type = backend().metrics.render()
    return Response(text, content_type=content_type)

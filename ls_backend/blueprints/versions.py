"""`GET /versions`: all versions of the model store."""

from __future__ import annotations

from flask import Blueprint

from ls_backend.backend import backend

versions = Blueprint("versions", __name__)


@versions.get("/versions")
def answer() -> dict[str, list[str]]:
    """Answer with the versions, the newest first."""
    return {"versions": backend().workspace.models.names()[::-1]}

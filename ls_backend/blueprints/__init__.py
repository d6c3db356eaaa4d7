"""One blueprint a resource."""

from __future__ import annotations

from flask import Blueprint

from ls_backend.blueprints.health import health
from ls_backend.blueprints.metrics import metrics
from ls_backend.blueprints.predict import predict
from ls_backend.blueprints.setup import setup
from ls_backend.blueprints.versions import versions
from ls_backend.blueprints.webhook import webhook

ALL: tuple[Blueprint, ...] = (health, setup, predict, webhook, versions, metrics)

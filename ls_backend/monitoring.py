"""What `/metrics` tells: counts and times of all workers, the model versions, the inbox.

Under gunicorn each worker counts into files of PROMETHEUS_MULTIPROC_DIR, which `ls_backend.cli` sets, and
whichever worker is asked adds them up.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from sqlalchemy import func, select

from ls_backend import SHARED_METRICS
from ls_backend.versions import version_for
from tenth.errors import TenthError
from tenth.workspace.database import Event
from tenth.workspace.workspace import Workspace

_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 50.0, 100.0)


class Metrics:
    """The metrics of one application.

    Parameters
    ----------
    workspace : Workspace
        Whose versions and inbox are shown.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._state = _State(workspace)
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "tenth_backend_requests", "Requests.", ["route", "method", "status"], registry=self._registry
        )
        self._tasks = Counter("tenth_backend_predicted_tasks", "Tasks asked for.", registry=self._registry)
        self._seconds = Histogram(
            "tenth_backend_predict_seconds",
            "Seconds a /predict took.",
            buckets=_SECONDS,
            registry=self._registry,
        )

    def requested(self, route: str, method: str, status: int) -> None:
        """Count a request; `route` is the rule that matched, never the address itself.

        Unusual methods count as "other": whoever may connect, without a login, could invent any number of
        them, and each would be a series of its own.
        """
        self._requests.labels(route, method if method in _METHODS else "other", str(status)).inc()

    def predicted(self, tasks: int, seconds: float) -> None:
        """Count an answered `/predict`."""
        self._tasks.inc(tasks)
        self._seconds.observe(seconds)

    def render(self) -> tuple[bytes, str]:
        """Return Prometheus' text and its content type."""
        registry = CollectorRegistry()
        if os.environ.get(SHARED_METRICS):
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        else:
            registry.register(_Copy(self._registry))
        registry.register(self._state)
        return generate_latest(registry), CONTENT_TYPE_LATEST


class _Copy(Collector):
    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        yield from self._registry.collect()


class _State(Collector):
    """What is looked up when somebody asks, for all workers see the same."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def collect(self) -> Iterator[Metric]:
        version = InfoMetricFamily("tenth_backend_model", "Version in use, and version that answers.")
        pending = GaugeMetricFamily("tenth_backend_inbox_pending", "Events that nobody has handled yet.")
        try:
            current = self._workspace.models.current()
            answers = version_for(self._workspace, None)
            version.add_metric([], {"current": current or "", "answers": answers or ""})
            query = select(func.count()).select_from(Event).where(Event.handled_at.is_(None))
            with self._workspace.database.reading() as session:
                pending.add_metric([], session.scalar(query) or 0)
        except TenthError:  # the other numbers are worth having
            return
        yield version
        yield pending

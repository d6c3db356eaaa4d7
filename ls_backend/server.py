"""gunicorn, started from Python: one address, some workers, several threads each."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gunicorn.app.base import BaseApplication

from ls_backend import SHARED_METRICS

_RESERVED_THREADS = 2
_GRACE_SECONDS = 100
"""How long requests under way may take after SIGTERM: as long as Label Studio waits for predictions."""


@dataclass(frozen=True)
class Address:
    """Where the backend listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Server(BaseApplication):  # type: ignore[misc]
    """The backend of a workspace under gunicorn.

    Parameters
    ----------
    workspace : Path
        Its folder.
    address : Address
        Where to listen.
    workers, threads : int
        Processes, each with its own copy of the weights, and threads in each (at least 3: some stay free for
        `/health` and webhooks while the others predict).
    """

    def __init__(self, workspace: Path, address: Address, workers: int, threads: int) -> None:
        self._workspace = workspace
        self._threads = threads
        self._settings = {
            "bind": str(address),
            "workers": workers,
            "threads": threads,
            "worker_class": "gthread",
            "graceful_timeout": _GRACE_SECONDS,
            "proc_name": "ls-backend",
            "control_socket_disable": True,
            "post_fork": _share_cores,
            "child_exit": _forget_worker,
        }
        super().__init__()

    def load_config(self) -> None:
        """Give gunicorn our settings; older versions do not know all of them."""
        for key, value in self._settings.items():
            if key in self.cfg.settings:
                self.cfg.set(key, value)

    def load(self) -> Any:
        """Make the application, in each worker: neither database connections nor CUDA outlive a fork."""
        from ls_backend.app import create_app, warm_up

        app = create_app(self._workspace, self._threads - _RESERVED_THREADS)
        warm_up(app)
        return app


def serve(workspace: Path, address: Address, workers: int, threads: int) -> None:
    """Serve until SIGTERM, which lets requests under way finish first, or SIGINT, which does not."""
    with tempfile.TemporaryDirectory(prefix="ls-backend-metrics-") as folder:
        # Before anything imports prometheus_client, which looks at it once.
        os.environ[SHARED_METRICS] = folder
        # Imported before the fork: the workers share torch's code, and answer from their first moment on.
        import ls_backend.app  # noqa: F401

        Server(workspace, address, workers, threads).run()


def _share_cores(server: Any, worker: Any) -> None:  # noqa: ARG001
    import torch

    if "OMP_NUM_THREADS" not in os.environ:
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // server.cfg.workers))


def _forget_worker(server: Any, worker: Any) -> None:  # noqa: ARG001
    from prometheus_client import multiprocess

    multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]

"""A real backend under gunicorn."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

REPOSITORY = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(
    folder: Path, *options: str, **environment: str
) -> Iterator[tuple[subprocess.Popen[str], httpx.Client]]:
    """Run `ls-backend` on a free port with these variables on top of our own; yield it and a client."""
    port = free_port()
    command = [sys.executable, "-m", "ls_backend.cli", "--workspace", str(folder)]
    process = subprocess.Popen(
        [*command, "--port", str(port), *options],
        cwd=REPOSITORY,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client:
            wait_until_healthy(process, client)
            yield process, client
    finally:
        process.kill()
        process.communicate()


def wait_until_healthy(process: subprocess.Popen[str], client: httpx.Client) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[1]
        try:
            assert client.get("/health").json()["status"] == "UP"
            return
        except httpx.TransportError:
            time.sleep(0.05)
    raise AssertionError("the backend did not answer within a minute")

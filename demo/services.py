"""The programs of the demo: Label Studio, our backend, and calls of the controller's command line."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

import httpx

from tenth.errors import TenthError
from tenth.label_studio.client import LabelStudioClient
from tenth.label_studio.server import EmbeddedLabelStudio

BACKEND_START_LIMIT = 60.0


class Services:
    """Starts what the demo needs and stops it again.

    Parameters
    ----------
    executable : Path
        Label Studio's.
    work : Path
        Folder for the server's data and the workspace.
    """

    def __init__(self, executable: Path, work: Path) -> None:
        work.mkdir(parents=True, exist_ok=True)
        self.work = work
        self.workspace = work / "workspace"
        self.label_studio = EmbeddedLabelStudio(executable, work / "label-studio")
        self.backend: subprocess.Popen[bytes] | None = None
        self.backend_url = ""
        self.version = ""
        self.environment: dict[str, str] = {}

    def __enter__(self) -> Services:
        self.label_studio.start()
        os.environ["LABEL_STUDIO_URL"] = self.label_studio.url
        os.environ["LABEL_STUDIO_API_KEY"] = self.label_studio.token
        os.environ["TENTH_BACKEND_USER"] = "tenth"
        os.environ["TENTH_BACKEND_PASSWORD"] = secrets.token_urlsafe(24)
        self.version = LabelStudioClient(self.label_studio.url, self.label_studio.token).version()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.backend is not None:
            self.backend.terminate()
            self.backend.wait()
        self.label_studio.stop()

    def controller(self, command: str, *arguments: str) -> None:
        """Run a controller command as a user would.

        Raises
        ------
        TenthError
            When it ends with an error; its own message is on the screen already.
        """
        call = [
            sys.executable,
            "-m",
            "controller.cli",
            command,
            "--workspace",
            str(self.workspace),
            *arguments,
        ]
        code = subprocess.run(call, check=False).returncode
        if code:
            error = TenthError(f"'controller {command}' ended with {code}; the reason stands above.")
            error.exit_code = code
            raise error

    def start_backend(self) -> None:
        """Start our backend under gunicorn and return once it answers."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.backend_url = f"http://127.0.0.1:{port}"
        call = [
            sys.executable,
            "-m",
            "ls_backend.cli",
            "--workspace",
            str(self.workspace),
            "--port",
            str(port),
        ]
        with (self.work / "ls-backend.log").open("wb") as log:
            self.backend = subprocess.Popen(call, stdout=log, stderr=subprocess.STDOUT)
        deadline = time.monotonic() + BACKEND_START_LIMIT
        while not self._backend_answers():
            if self.backend.poll() is not None or time.monotonic() > deadline:
                raise TenthError(f"The backend did not start; see {self.work / 'ls-backend.log'}.")
            time.sleep(0.2)

    def _backend_answers(self) -> bool:
        try:
            return httpx.get(f"{self.backend_url}/health", timeout=2).is_success
        except httpx.TransportError:
            return False

    def wait_for_person(self) -> None:
        """Print where to log in, and stay up until Ctrl-C."""
        print(
            f"\nLabel Studio stays up:  {self.label_studio.url}\n"
            f"  login     {self.label_studio.username}\n"
            f"  password  {self.label_studio.password}\n"
            "Open the project, press 'Label All Tasks', answer with the keys shown, submit with Ctrl+Enter.\n"
            f"Learn from your answers:  export LABEL_STUDIO_URL={self.label_studio.url} "
            f"LABEL_STUDIO_API_KEY=$(.venv/bin/python -m demo.key)\n"
            f"                          .venv/bin/controller next-round --workspace {self.workspace}\n"
            "Ctrl-C ends the demo."
        )
        signal.pause()

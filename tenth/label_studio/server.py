"""A Label Studio of one's own, started and stopped as a process of its own environment."""

from __future__ import annotations

import atexit
import os
import signal
import socket
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import IO

import httpx

from tenth.errors import ConfigurationError, LabelStudioUnreachable
from tenth.label_studio.server_environment import (
    emptied_environment,
    local_files_settings,
    server_settings,
)
from tenth.label_studio.server_files import ServerSecrets, lock_data_dir, prepare_data_dir
from tenth.label_studio.server_login import create_personal_access_token, logged_in

_HOST = "127.0.0.1"
_POLL_SECONDS = 0.1
_STOP_SECONDS = 15


class EmbeddedLabelStudio:
    """A Label Studio server on the loopback interface, with SQLite in a folder.

    Use it as a context manager, or call :meth:`start` and :meth:`stop`. The login and the tokens are
    random, kept in ``<data_dir>/secrets.json`` (mode 0600), and stay the same over restarts.

    Parameters
    ----------
    executable : Path
        ``label-studio`` in the environment it is installed in.
    data_dir : Path
        Database, uploads, log and secrets; created when missing, reused otherwise.
    port : int, optional
        0 (default) takes a free one at each start.
    legacy_tokens : bool, optional
        Whether the organisation accepts legacy tokens; counts only when `data_dir` is new.
    local_files_root : Path, optional
        Folder whose files the server may serve as ``/data/local-files/?d=…``; none by default.
    cache_dir : Path, optional
        Where the migrated empty database is kept between new data folders; by default
        ``$XDG_CACHE_HOME/tenth/label-studio`` (``~/.cache/…``).
    start_limit : float, optional
        Seconds until a server that does not answer counts as failed.
    """

    def __init__(
        self,
        executable: str | Path,
        data_dir: str | Path,
        *,
        port: int = 0,
        legacy_tokens: bool = True,
        local_files_root: str | Path | None = None,
        cache_dir: str | Path | None = None,
        start_limit: float = 180.0,
    ) -> None:
        self.executable = Path(executable).absolute()
        self.data_dir = Path(data_dir).absolute()
        self.local_files_root = Path(local_files_root).absolute() if local_files_root else None
        self.cache_dir = Path(cache_dir).absolute() if cache_dir else _default_cache()
        self.legacy_tokens = legacy_tokens
        self.start_limit = start_limit
        self._asked_port = port
        self._port = 0
        self._secrets: ServerSecrets | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Address of the running server, without a trailing slash."""
        return f"http://{_HOST}:{self._running_port()}"

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process else None

    @property
    def username(self) -> str:
        """E-mail address of the administrator."""
        return self._known_secrets().username

    @property
    def password(self) -> str:
        """Password of the administrator."""
        return self._known_secrets().password

    @property
    def token(self) -> str:
        """Legacy token of the administrator (refused by the server unless `legacy_tokens`)."""
        return self._known_secrets().token

    @property
    def log(self) -> Path:
        """What the server printed since its start."""
        return self.data_dir / "label-studio.log"

    def start(self) -> EmbeddedLabelStudio:
        """Start the server and return once it answers on its port.

        Raises
        ------
        ConfigurationError
            When there is no executable, or another server uses `data_dir` or the port.
        LabelStudioUnreachable
            When the server ends or does not answer in time; the message holds the end of its log.
        """
        if self._process is not None:
            return self
        if not os.access(self.executable, os.X_OK):
            raise ConfigurationError(
                f"There is no Label Studio at {self.executable}; install it into an environment of its own: "
                "python3 -m venv ENV && ENV/bin/pip install label-studio==1.23.2"
            )
        self.data_dir.mkdir(parents=True, exist_ok=True)
        # The child inherits the lock: an orphaned server still guards its data folder.
        with lock_data_dir(self.data_dir) as lock:
            prepare_data_dir(self.executable, self.data_dir, self.cache_dir)
            self._secrets = ServerSecrets.load_or_create(self.data_dir / "secrets.json")
            self._port = self._asked_port or _free_port()
            _require_free(self._port)
            self._process = self._spawn(lock)
            lock.seek(0)
            lock.truncate()
            lock.write(str(self._process.pid))
            lock.flush()
        atexit.register(self.stop)
        try:
            self._wait_until_healthy(self._process)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """End the server; nothing happens when it does not run."""
        atexit.unregister(self.stop)
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def personal_access_token(self) -> str:
        """Return the administrator's personal access token, made by the first call.

        Raises
        ------
        LabelStudioRefused
            When the server gives none, for example because one was made by hand.
        """
        known = self._known_secrets()
        if known.personal_access_token:
            return known.personal_access_token
        with logged_in(self.url, known.username, known.password) as session:
            token = create_personal_access_token(session)
        self._secrets = replace(known, personal_access_token=token)
        self._secrets.save(self.data_dir / "secrets.json")
        return token

    def __enter__(self) -> EmbeddedLabelStudio:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _spawn(self, lock: IO[str]) -> subprocess.Popen[bytes]:
        (self.data_dir / "home").mkdir(exist_ok=True)
        address = ["--internal-host", _HOST, "--port", str(self._port)]
        log = os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            return subprocess.Popen(
                [str(self.executable), "start", "--no-browser", *address],
                env=self._environment(),
                cwd=self.data_dir,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C reaches us alone; we end the server ourselves
                pass_fds=(lock.fileno(),),
            )
        finally:
            os.close(log)

    def _environment(self) -> dict[str, str]:
        known = self._known_secrets()
        environment = emptied_environment(self.data_dir / "home", self.data_dir, self.executable)
        environment |= server_settings(
            self.url, known.username, known.password, known.token, self.legacy_tokens
        )
        return environment | (local_files_settings(self.local_files_root) if self.local_files_root else {})

    def _wait_until_healthy(self, process: subprocess.Popen[bytes]) -> None:
        deadline = time.monotonic() + self.start_limit
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise LabelStudioUnreachable(
                    f"Label Studio ended while starting (exit {process.returncode}):\n{self._log_end()}"
                )
            if self._is_healthy():
                return
            time.sleep(_POLL_SECONDS)
        raise LabelStudioUnreachable(
            f"Label Studio did not answer on {self.url} within {self.start_limit:.0f} s:\n{self._log_end()}"
        )

    def _is_healthy(self) -> bool:
        # Label Studio silently moves to another port when its own is taken: its log tells.
        if f"{_HOST}:{self._port}/" not in self.log.read_text(errors="replace"):
            return False
        try:
            return httpx.get(f"{self.url}/health", timeout=5.0, trust_env=False).is_success
        except httpx.TransportError:
            return False

    def _log_end(self) -> str:
        return self.log.read_text(errors="replace")[-2000:]

    def _running_port(self) -> int:
        if not self._port:
            raise ConfigurationError("The embedded Label Studio has no address yet; call start() first.")
        return self._port

    def _known_secrets(self) -> ServerSecrets:
        if self._secrets is None:
            self._secrets = ServerSecrets.load_or_create(self.data_dir / "secrets.json")
        return self._secrets


def _default_cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "tenth" / "label-studio"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((_HOST, 0))
        return int(probe.getsockname()[1])


def _require_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_HOST, port))
        except OSError as error:
            raise ConfigurationError(
                f"Port {port} of {_HOST} cannot be used ({error.strerror}); choose another one."
            ) from error

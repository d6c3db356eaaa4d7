"""What an embedded Label Studio needs on disk before it starts: a migrated data folder and its secrets."""

from __future__ import annotations

import fcntl
import hashlib
import json
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from tenth.errors import ConfigurationError, LabelStudioUnreachable
from tenth.label_studio.server_environment import emptied_environment

_USERNAME = "tenth@example.com"
_DATABASE = "label_studio.sqlite3"
_MIGRATION_LIMIT_SECONDS = 600


@dataclass(frozen=True)
class ServerSecrets:
    """Login of an embedded server's only administrator.

    Parameters
    ----------
    username, password : str
        For the login page.
    token : str
        Legacy API token (40 hex digits).
    personal_access_token : str
        Empty until one is asked for.
    """

    username: str
    password: str
    token: str
    personal_access_token: str = ""

    @classmethod
    def load_or_create(cls, path: Path) -> ServerSecrets:
        """Return the secrets kept in `path`, new random ones on the first call."""
        try:
            return cls(**json.loads(path.read_text()))
        except FileNotFoundError:
            fresh = cls(_USERNAME, secrets.token_urlsafe(15), secrets.token_hex(20))
            fresh.save(path)
            return fresh
        except (ValueError, TypeError) as error:
            raise ConfigurationError(
                f"{path} does not hold the login of an embedded Label Studio ({error}); "
                f"delete the folder {path.parent} to start with an empty server."
            ) from error

    def save(self, path: Path) -> None:
        """Write to `path`, whole or not at all, readable by its owner alone."""
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=path.name, delete=False) as file:
            json.dump(asdict(self), file)  # mkstemp gives mode 0600
        Path(file.name).replace(path)


def prepare_data_dir(executable: Path, data_dir: Path, cache_dir: Path) -> None:
    """Fill an empty `data_dir` with a migrated database, so that the server starts in seconds.

    Migrating a fresh database takes half a minute of CPU; it is done once for each installation of
    Label Studio and kept in `cache_dir`.

    Raises
    ------
    LabelStudioUnreachable
        When Label Studio cannot make its database.
    """
    data_dir.mkdir(parents=True, exist_ok=True)
    if (data_dir / _DATABASE).exists():
        return
    template = _template(executable, cache_dir)
    # The database comes last: it is the sign that the folder is whole.
    # .env holds a secret key, which every server makes for itself.
    partial = data_dir / f".{_DATABASE}.partial"
    shutil.copytree(template, data_dir, ignore=shutil.ignore_patterns(_DATABASE, ".env"), dirs_exist_ok=True)
    shutil.copyfile(template / _DATABASE, partial)
    partial.replace(data_dir / _DATABASE)


def lock_data_dir(data_dir: Path) -> IO[str]:
    """Return the open lock file of `data_dir`, held as long as this file or a child's copy of it is open.

    Raises
    ------
    ConfigurationError
        When another server uses the folder.
    """
    file = (data_dir / "server.lock").open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        holder = file.read().strip() or "unknown"
        file.close()
        raise ConfigurationError(
            f"Another Label Studio (process {holder}) uses {data_dir}; end it (kill {holder}) "
            "or choose another folder."
        ) from None
    return file


def _template(executable: Path, cache_dir: Path) -> Path:
    """Return the migrated folder for `executable`, made now if need be."""
    # pip rewrites the script: its path and time stand for the installed version, at no cost.
    script = executable.resolve()
    state = script.stat()
    key = hashlib.sha256(f"{script} {state.st_mtime_ns} {state.st_size}".encode()).hexdigest()[:16]
    template = cache_dir / f"migrated-{key}"
    cache_dir.mkdir(parents=True, exist_ok=True)
    with _locked(cache_dir / f"{template.name}.lock"):
        if not template.exists():
            _migrate(executable, template)
    return template


def _migrate(executable: Path, template: Path) -> None:
    with tempfile.TemporaryDirectory(dir=template.parent, prefix="migrating-") as work:
        home, data = Path(work) / "home", Path(work) / "data"
        home.mkdir()
        data.mkdir()
        # Every command migrates first; `version` then only prints, and creates no user.
        try:
            done = subprocess.run(
                [executable, "version"],
                env=emptied_environment(home, data, executable),
                cwd=work,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=_MIGRATION_LIMIT_SECONDS,
            )
        except subprocess.TimeoutExpired as error:
            raise LabelStudioUnreachable(
                f"{executable} did not make its database within {_MIGRATION_LIMIT_SECONDS} s; "
                "is the machine out of memory or its disk full?"
            ) from error
        if done.returncode or not (data / _DATABASE).exists():
            raise LabelStudioUnreachable(
                f"{executable} could not make its database (exit {done.returncode}):\n"
                f"{(done.stdout + done.stderr)[-2000:]}"
            )
        data.rename(template)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield

"""The embedded server: its secrets, its folder, its failures."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tenth.errors import ConfigurationError, LabelStudioRefused, LabelStudioUnreachable
from tenth.label_studio.client import LabelStudioClient
from tenth.label_studio.server import EmbeddedLabelStudio

pytestmark = pytest.mark.system

Parts = tuple[Path, Path]


@pytest.fixture
def parts(label_studio_executable: Path, label_studio_cache: Path) -> Parts:
    return label_studio_executable, label_studio_cache


def test_it_comes_back_with_its_data_and_secrets(
    parts: Parts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executable, cache = parts
    # None of these may reach the server.
    for name, value in (("HOST", "http://elsewhere"), ("PORT", "1"), ("USERNAME", "x"), ("DEBUG", "true")):
        monkeypatch.setenv(name, value)
    server = EmbeddedLabelStudio(executable, tmp_path / "data", legacy_tokens=False, cache_dir=cache)
    with server:
        first, process = server.url, server.pid
        assert process is not None
        with (
            LabelStudioClient(server.url, server.token) as client,
            pytest.raises(LabelStudioRefused, match="legacy tokens switched off"),
        ):
            client.whoami()
        token = server.personal_access_token()
        with LabelStudioClient(server.url, token) as client:
            project = client.create_project("Kept", "<View></View>")["id"]
        command = Path(f"/proc/{process}/cmdline").read_text()
        log = server.log.read_text()
        for secret in (server.password, server.token, token):
            assert secret not in command
            assert secret not in log
        assert stat.S_IMODE((server.data_dir / "secrets.json").stat().st_mode) == 0o600
        assert stat.S_IMODE(server.log.stat().st_mode) == 0o600
    assert server.pid is None
    assert not Path(f"/proc/{process}").exists()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{first}/health", trust_env=False)

    again = EmbeddedLabelStudio(executable, tmp_path / "data", cache_dir=cache)
    with again, LabelStudioClient(again.url, again.personal_access_token()) as client:
        assert again.personal_access_token() == token
        assert again.password == server.password
        assert client.project(project)["title"] == "Kept"


def test_two_servers_never_share_a_folder(parts: Parts, label_studio: EmbeddedLabelStudio) -> None:
    executable, cache = parts
    second = EmbeddedLabelStudio(executable, label_studio.data_dir, cache_dir=cache)
    with pytest.raises(ConfigurationError, match=f"process {label_studio.pid}"):
        second.start()
    assert second.pid is None


def test_servers_made_from_one_template_have_keys_of_their_own(
    parts: Parts, tmp_path: Path, label_studio: EmbeddedLabelStudio
) -> None:
    executable, cache = parts
    with EmbeddedLabelStudio(executable, tmp_path / "data", cache_dir=cache) as server:
        assert (server.data_dir / ".env").read_text() != (label_studio.data_dir / ".env").read_text()
        assert server.password != label_studio.password
        with (
            LabelStudioClient(server.url, label_studio.personal_access_token()) as stranger,
            pytest.raises(LabelStudioRefused),
        ):
            stranger.whoami()


def test_a_port_in_use_is_refused(parts: Parts, tmp_path: Path) -> None:
    executable, cache = parts
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        server = EmbeddedLabelStudio(executable, tmp_path / "data", port=port, cache_dir=cache)
        with pytest.raises(ConfigurationError, match=f"Port {port}"):
            server.start()
        assert server.pid is None


def test_a_missing_executable_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "bin" / "label-studio"
    with pytest.raises(ConfigurationError, match="pip install label-studio") as error:
        EmbeddedLabelStudio(missing, tmp_path / "data").start()
    assert str(missing) in str(error.value)


def script(path: Path, text: str) -> Path:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def test_a_database_that_cannot_be_made_shows_why(tmp_path: Path) -> None:
    broken = script(tmp_path / "label-studio", "echo 'no room left'; exit 3")
    server = EmbeddedLabelStudio(broken, tmp_path / "data", cache_dir=tmp_path / "cache")
    with pytest.raises(LabelStudioUnreachable, match=r"exit 3(?s:.*)no room left"):
        server.start()
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".lock"]


def test_a_server_that_ends_shows_its_log(tmp_path: Path) -> None:
    make = 'if [ "$1" = version ]; then touch "$LABEL_STUDIO_BASE_DATA_DIR/label_studio.sqlite3"'
    ends = script(tmp_path / "label-studio", f"{make}; else echo 'cannot start'; exit 4; fi")
    server = EmbeddedLabelStudio(ends, tmp_path / "data", cache_dir=tmp_path / "cache")
    with pytest.raises(LabelStudioUnreachable, match=r"exit 4(?s:.*)cannot start"):
        server.start()
    assert server.pid is None


def test_a_server_that_stays_silent_is_ended(tmp_path: Path) -> None:
    make = 'if [ "$1" = version ]; then touch "$LABEL_STUDIO_BASE_DATA_DIR/label_studio.sqlite3"'
    silent = script(tmp_path / "label-studio", f'{make}; else echo $$ > "{tmp_path}/pid"; exec sleep 600; fi')
    server = EmbeddedLabelStudio(silent, tmp_path / "data", cache_dir=tmp_path / "cache", start_limit=1.0)
    with pytest.raises(LabelStudioUnreachable, match="did not answer on"):
        server.start()
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}").exists()


def test_secrets_that_are_damaged_are_named(parts: Parts, tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text('{"username": 1')
    with pytest.raises(ConfigurationError, match=r"secrets\.json"):
        _ = EmbeddedLabelStudio(parts[0], tmp_path).password


def test_an_orphaned_server_still_guards_its_folder(parts: Parts, tmp_path: Path) -> None:
    executable, cache = parts
    code = (
        "import os, sys; from tenth.label_studio.server import EmbeddedLabelStudio as E\n"
        "server = E(sys.argv[1], sys.argv[2], cache_dir=sys.argv[3]).start()\n"
        "print(server.pid, flush=True); os.kill(os.getpid(), 9)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, executable, tmp_path / "data", cache],
        capture_output=True,
        text=True,
        check=False,
    )
    orphan = int(run.stdout)
    try:
        with pytest.raises(ConfigurationError, match=f"kill {orphan}"):
            EmbeddedLabelStudio(executable, tmp_path / "data", cache_dir=cache).start()
    finally:
        os.kill(orphan, 15)

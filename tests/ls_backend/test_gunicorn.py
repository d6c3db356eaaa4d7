"""The command `ls-backend` and the server that it starts, as a process of its own."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import httpx
import pytest
from backend_process import running
from backend_world import PASSWORD, PROJECT, USER, World
from click.testing import CliRunner

from ls_backend.cli import main
from tenth.workspace.database import Round

AUTH = (USER, PASSWORD)


def ask(client: httpx.Client, world: World) -> dict[str, object]:
    task = {"id": 1, "data": {"region_id": world.region_id(1, 5)}}
    answer = client.post("/predict", json={"tasks": [task], "project": f"{PROJECT}.1"}, auth=AUTH)
    assert answer.status_code == 200, answer.text
    (result,) = answer.json()["results"]
    assert result["result"]
    return result


def test_it_serves_follows_the_pointer_and_ends_by_sigterm(world: World):
    with running(world.workspace.folder, "--workers", "2", "--threads", "3") as (process, client):
        assert client.get("/versions").status_code == 401
        assert ask(client, world)["model_version"] == world.first

        world.workspace.models.use(world.second)
        assert ask(client, world)["model_version"] == world.first  # the group is open
        with world.workspace.database.session() as session:
            session.get_one(Round, 1).state = "closed"
        assert ask(client, world)["model_version"] == world.second

        event = client.post("/webhook", json={"action": "START_TRAINING"}, auth=AUTH)
        assert event.status_code == 201
        assert [event.action for event in world.workspace.inbox.pending()] == ["START_TRAINING"]

        for _ in range(9):
            client.get("/versions", auth=AUTH, headers={"Connection": "close"})  # either worker may answer
        metrics = client.get("/metrics", auth=AUTH).text
        assert 'tenth_backend_requests_total{method="GET",route="/versions",status="200"} 9.0' in metrics
        assert "tenth_backend_predicted_tasks_total 3.0" in metrics

        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=30)
        assert process.returncode == 0
        assert PASSWORD not in log
        assert "Traceback" not in log


def test_the_crf_process_ends_with_a_killed_worker(world: World):
    with running(world.workspace.folder) as (process, client):
        ask(client, world)
        (worker,) = children(process.pid)
        (crf,) = [pid for pid in children(worker) if "spawn_main" in command_line(pid)]
        os.kill(worker, signal.SIGKILL)
        deadline = time.monotonic() + 30
        while "spawn_main" in command_line(crf):
            assert time.monotonic() < deadline, "it outlived its worker"
            time.sleep(0.05)
        assert ask(client, world)["model_version"] == world.first  # by the next worker


def children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()] or [
        int(child)
        for task in Path(f"/proc/{pid}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]


def command_line(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def test_help_shows_an_example():
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    assert "ls-backend --workspace work --port 9090" in result.output
    assert "TENTH_BACKEND_PASSWORD" in result.output


def test_it_exits_2_and_says_what_to_set(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    missing = CliRunner().invoke(main, ["--workspace", str(tmp_path / "nothing")])
    assert missing.exit_code == 2
    assert str(tmp_path / "nothing") in missing.output
    monkeypatch.delenv("TENTH_BACKEND_PASSWORD")
    unset = CliRunner().invoke(main, ["--workspace", str(world.workspace.folder)])
    assert unset.exit_code == 2
    assert "TENTH_BACKEND_PASSWORD is not set" in unset.output
    assert "export" in unset.output


@pytest.mark.parametrize("options", [[], ["--port", "0"], ["--threads", "2"], ["--password", "x"]])
def test_wrong_usage_exits_2(options: list[str], tmp_path: Path):
    workspace = ["--workspace", str(tmp_path)] if options else []
    assert CliRunner().invoke(main, [*workspace, *options]).exit_code == 2

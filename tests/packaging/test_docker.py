"""What docker/ promises, as far as it can be seen without a docker daemon."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest
import yaml

from controller.cli import cli
from ls_backend.cli import main as ls_backend
from ls_backend.predictions import SECONDS
from ls_backend.server import Address, Server
from tenth.workspace.runtimes import PACKAGES

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
PROGRAMS = {"controller": cli, "ls-backend": ls_backend}
SECRETS = ("PASSWORD", "API_KEY", "TOKEN")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text())
    return document


def instructions() -> list[tuple[str, list[str]]]:
    """Return the Dockerfile's instructions with their words."""
    text = re.sub(r"(?m)^\s*#.*\n", "", (DOCKER / "Dockerfile").read_text()).replace("\\\n", " ")
    lines = [line.partition(" ") for line in text.splitlines() if line.strip()]
    return [(name, rest.split()) for name, _, rest in lines]


def commands(compose: dict[str, Any]) -> list[list[str]]:
    """Return the command line of every container of ours, health checks included."""
    found = [json.loads(" ".join(words)) for name, words in instructions() if name == "CMD"]
    for service in ("backend", "controller"):
        settings = compose["services"][service]
        found.append([*settings.get("entrypoint", []), *settings["command"]])
        found.append(settings["healthcheck"]["test"][1:])
    return [command for command in found if command[0] != "python3"]


def substituted(text: str, values: dict[str, str]) -> str:
    """Replace ``${NAME:-default}`` and ``${NAME:?message}`` as docker compose does."""
    return re.sub(
        r"\$\{(\w+)(?::([-?])([^}]*))?\}",
        lambda match: values.get(match[1]) or (match[3] if match[2] == "-" else ""),
        text,
    )


def example() -> dict[str, str]:
    lines = (DOCKER / "example.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def test_the_compose_file_follows_the_compose_specification(compose):
    schema = json.loads(
        (files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json").read_text()
    )
    jsonschema.validate(compose, schema)
    broken = {**compose, "services": {"backend": {"imagee": "tenth"}}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(broken, schema)


def test_docker_waits_longer_than_the_backend_and_the_backend_longer_than_a_batch(compose):
    seconds = float(compose["services"]["backend"]["stop_grace_period"].removesuffix("s"))
    graceful = Server(Path("work"), Address("127.0.0.1", 9090), workers=1, threads=3).cfg.graceful_timeout
    assert SECONDS < graceful < seconds


def test_every_service_has_a_health_check_and_what_it_depends_on_is_waited_for(compose):
    services = compose["services"]
    assert set(services) == {"database", "label-studio", "backend", "controller"}
    for name, service in services.items():
        assert service["healthcheck"]["test"][0] == "CMD", name
        for needed, how in service.get("depends_on", {}).items():
            assert needed in services
            assert how == {"condition": "service_healthy"}


def test_the_versions_are_the_tested_ones(compose):
    pinned = (ROOT / "constraints-label-studio.txt").read_text()
    version = re.search(r"(?m)^label-studio==(.+)$", pinned)[1]
    assert compose["services"]["label-studio"]["image"] == f"heartexlabs/label-studio:{version}"
    assert re.search(r"(?m)^torch==2\.13\.0$", (ROOT / "constraints.txt").read_text())


def test_what_is_copied_exists_and_reaches_the_builder():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    sources = [
        word
        for name, words in instructions()
        if name == "COPY" and "--from=build" not in words
        for word in words[:-1]
    ]
    assert len(sources) > 5
    for source in sources:
        assert (ROOT / source).exists(), source
        assert f"!{source}" in ignored, source


def test_what_compose_mounts_from_the_repository_exists(compose):
    mounts = [volume for service in compose["services"].values() for volume in service.get("volumes", [])]
    for mount in mounts:
        source = mount.split(":")[0]
        if source.startswith("."):
            assert (DOCKER / source).is_file(), source
        elif not source.startswith("${"):
            assert source in compose["volumes"], source


def test_the_wheel_has_all_that_it_is_built_from():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    copied = {word for name, words in instructions() if name == "COPY" for word in words}
    assert {*wheel["packages"], *wheel["force-include"]} <= copied


def test_the_image_can_serve_from_onnx_runtime_and_on_demand_from_openvino(compose):
    """The extras of the image, here and in compose, are ours and bring what the backend asks for."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    (default,) = (words[0] for name, words in instructions() if name == "ARG" and "EXTRAS=" in words[0])
    names = default.removeprefix("EXTRAS=").split(",")
    assert ",".join(names) == substituted(compose["services"]["backend"]["build"]["args"]["EXTRAS"], {})
    assert ",".join(names) == example()["TENTH_EXTRAS"]
    installs = [" ".join(words) for name, words in instructions() if name == "RUN" and "wheel" in words]
    assert len(installs) == 1
    assert "-c constraints.txt" in installs[0]
    assert "[$EXTRAS]" in installs[0]
    assert {"onnx", "postgres", "pretrained"} <= set(names) <= set(extras)
    asked = re.search(r"TENTH_EXTRAS=(\S+)`", (ROOT / "docs" / "docker.md").read_text())[1]
    for runtime, installed in (("onnxruntime", names), ("openvino", asked.split(","))):
        brought = {re.split(r"[>=\[]", each)[0] for name in installed for each in extras[name]}
        assert set(PACKAGES[runtime]) <= brought


def test_the_image_runs_as_a_user_of_its_own_and_leaves_the_compiler_behind():
    last = max(place for place, (name, _) in enumerate(instructions()) if name == "FROM")
    final = instructions()[last:]
    assert [words for name, words in final if name == "USER"] == [["1000"]]
    assert not any("g++" in words or "apt-get" in words for _, words in final)
    assert any("g++" in words for _, words in instructions()[:last])


def test_commands_are_ours_and_their_options_exist(compose):
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert set(scripts) == set(PROGRAMS)
    called = commands(compose)
    assert {command[0] for command in called} == set(PROGRAMS)
    for name, *arguments in called:
        program = PROGRAMS[name]
        words = [substituted(word, example()) for word in arguments]
        context = click.Context(program, info_name=name)
        if isinstance(program, click.Group) and not words[0].startswith("-"):
            program = program.get_command(context, words.pop(0))
            assert program is not None, arguments
        if words != ["--help"]:
            program.make_context(name, [*words, "--workspace", "somewhere"], parent=context)


def test_no_command_line_holds_a_secret(compose):
    lines = commands(compose)
    for service in compose["services"].values():
        lines += [[str(word)] for word in [*service.get("command", []), *service["healthcheck"]["test"]]]
    for command in lines:
        assert not any(secret in word for word in command for secret in SECRETS), command
    script = (DOCKER / "postgres" / "create-databases.sh").read_text()
    calls = [shlex.split(line) for line in script.splitlines() if line.startswith("psql")]
    assert calls
    assert not any(secret in word for call in calls for word in call for secret in SECRETS)


def test_the_example_file_explains_each_variable_and_holds_no_secret():
    text = (DOCKER / "compose.yaml").read_text()
    used = set(re.findall(r"\$\{(\w+)", text))
    assert used == set(example())
    for name, value in example().items():
        assert not (value and any(secret in name for secret in SECRETS)), name
    for block in (DOCKER / "example.env").read_text().split("\n# ---")[1:]:
        lines = block.splitlines()[1:]
        assert lines[0].startswith("#"), f"nothing explains {lines[0]}"


def test_every_variable_that_has_to_be_set_is_asked_for_by_name():
    text = (DOCKER / "compose.yaml").read_text()
    required = set(re.findall(r"\$\{(\w+):\?set it in docker/\.env\}", text))
    given = {name for name, value in example().items() if value}
    optional = set(re.findall(r"\$\{(\w+):-", text))
    assert required | optional == set(example())
    assert all(name in optional or name in required for name in given)


def test_containers_reach_each_other_and_label_studio_allows_it(compose):
    services = compose["services"]
    ours = services["backend"]["environment"]
    assert ours["LABEL_STUDIO_URL"] == "http://label-studio:8080"
    assert "@database:5432/" in ours["TENTH_DATABASE_URL"]
    assert services["controller"]["environment"] == ours
    assert services["label-studio"]["environment"]["POSTGRE_HOST"] == "database"
    # A backend and a webhook at a private address: without these, Label Studio refuses both.
    assert services["label-studio"]["environment"]["ML_BLOCK_LOCAL_IP"] == "false"
    assert services["label-studio"]["environment"]["SSRF_PROTECTION_ENABLED"] == "false"
    command = services["backend"]["command"]
    assert command[command.index("--host") + 1] == "0.0.0.0"
    assert (
        "http://backend:" + command[command.index("--port") + 1] in (ROOT / "docs" / "docker.md").read_text()
    )

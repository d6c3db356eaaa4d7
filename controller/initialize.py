"""Making a workspace, its Label Studio project and the link to the backend, each only where it is missing."""

from __future__ import annotations

import base64
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from controller.loop import Loop
from controller.merge import require_mergeable
from controller.pool import images_with_role, register_images
from controller.strategies import require_pushable
from tenth.errors import ConfigurationError
from tenth.label_studio.configs import check_config, region_config
from tenth.segmentation.dataset import FolderDataset
from tenth.workspace.config import CONFIG_NAME
from tenth.workspace.config_text import default_toml, set_value
from tenth.workspace.secrets import backend_credentials
from tenth.workspace.workspace import Workspace


def initialize(
    folder: Path,
    *,
    dataset: Path | None = None,
    title: str | None = None,
    project: int | None = None,
    backend_url: str | None = None,
    settings: Sequence[str] = (),
    offline: bool = False,
) -> dict[str, Any]:
    """Make what is missing and return what there is: workspace, images, project, backend.

    Parameters
    ----------
    folder : Path
        The workspace.
    dataset : Path, optional
        Folder of the data set; required for a new workspace.
    title : str, optional
        Title of a new project.
    project : int, optional
        An existing project to use.
    backend_url : str, optional
        Address of the running backend, as Label Studio reaches it.
    settings : sequence of str
        ``section.key=value``, the value as in TOML; a text needs no quotes.
    offline : bool, optional
        Leave Label Studio alone.

    Raises
    ------
    ConfigurationError
        When something cannot be used, or Label Studio's project has another labelling config.
    """
    parsed = [parse_setting(text) for text in settings]
    if title:
        parsed.append(("label_studio", "title", title))
    create_or_change(folder, dataset, parsed)
    loop = Loop.open(folder)
    register_images(loop)
    with loop.workspace.database.reading() as session:
        initial, pool = (images_with_role(session, role) for role in ("initial", "pool"))
    done: dict[str, Any] = {
        "workspace": str(loop.workspace.folder),
        "classes": len(loop.classes),
        "initial_images": len(initial),
        "pool_images": len(pool),
    }
    if offline:
        return done
    require_pushable(loop.strategy)
    require_mergeable(loop)
    connect_project(loop, project)
    loop = Loop.open(folder)
    done["project"] = f"{loop.client.url}/projects/{loop.project}"
    if backend_url:
        done["backend"] = connect_backend(loop, backend_url)
    return done


def create_or_change(folder: Path, dataset: Path | None, settings: Sequence[tuple[str, str, Any]]) -> None:
    """Make the workspace with these (section, key, value), or change them in the one that is there."""
    parsed = list(settings)
    file = folder / CONFIG_NAME
    if file.exists():
        if dataset is not None:
            parsed.append(("data", "dataset", str(dataset.absolute())))
        for section, key, value in parsed:
            set_value(file, section, key, value)
        return
    if dataset is None:
        raise ConfigurationError(
            f"{folder} is no workspace yet, and a new one needs a data set: "
            "controller init --workspace … --dataset FOLDER (images, labels, classes.json; see docs/data.md)."
        )
    FolderDataset(dataset)
    values: dict[str, dict[str, Any]] = {"data": {"dataset": str(dataset.absolute())}}
    for section, key, value in parsed:
        values.setdefault(section, {})[key] = value
    Workspace.create(folder, default_toml(file, **values))


def parse_setting(text: str) -> tuple[str, str, Any]:
    """Split ``section.key=value``; raises ConfigurationError when it is not of that form."""
    name, equals, value = text.partition("=")
    section, dot, key = name.strip().partition(".")
    if not (equals and dot and section and key):
        raise ConfigurationError(
            f"--set {text!r} is not of the form SECTION.KEY=VALUE, as in selection.group_size=50."
        )
    try:
        return section, key, tomllib.loads(f"value = {value}")["value"]
    except tomllib.TOMLDecodeError:
        return section, key, value


def connect_project(loop: Loop, project: int | None) -> None:
    """Make the project, or check the one that is there, and write its id into controller.toml."""
    client, config = loop.client, region_config(loop.classes)
    known = project or loop.config.label_studio.project
    if known:
        existing = client.project(known)
        if not existing.get("task_number"):
            client.update_project(known, label_config=config)
        elif known != loop.config.label_studio.project:
            raise ConfigurationError(
                f"Project {known} has {existing['task_number']} tasks that this workspace knows nothing "
                "of; their answers would be taken for ours. Use an empty project, or leave --project out."
            )
        elif problems := check_config(str(existing["label_config"]), loop.classes):
            raise ConfigurationError(
                f"Project {known} has tasks, and its labelling config does not fit the data set: "
                f"{'; '.join(problems)}. "
                "Use an empty project, or leave --project out to make one."
            )
    else:
        known = int(
            client.create_project(loop.config.label_studio.title, config, show_collab_predictions=True)["id"]
        )
    set_value(loop.config.file, "label_studio", "project", known)


def connect_backend(loop: Loop, url: str) -> str:
    """Connect the backend with its login, which its webhook gets as a header; return its address."""
    credentials = backend_credentials()
    loop.client.add_backend(
        loop.project, url, title="Tenth", user=credentials.user, password=credentials.password
    )
    login = base64.b64encode(f"{credentials.user}:{credentials.password}".encode()).decode()
    loop.client.set_webhook_headers(loop.project, url, {"Authorization": f"Basic {login}"})
    set_value(loop.config.file, "backend", "url", url)
    return url

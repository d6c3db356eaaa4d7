"""The backend's application on a workspace of its own, or on one that tests share and do not change."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from backend_world import PASSWORD, USER, World, make_world
from flask import Flask
from flask.testing import FlaskClient

from tenth.workspace.workspace import Workspace


@pytest.fixture(scope="session", autouse=True)
def _login() -> Iterator[None]:
    """Credentials of the backend, and no key of Label Studio, for all tests here."""
    known = dict(os.environ)
    os.environ["TENTH_BACKEND_USER"], os.environ["TENTH_BACKEND_PASSWORD"] = USER, PASSWORD
    for name in ("LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY", "TENTH_WORKSPACE", "TENTH_DATABASE_URL"):
        os.environ.pop(name, None)
    yield
    os.environ.clear()
    os.environ.update(known)


@pytest.fixture(scope="session")
def shared_world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """For tests that change nothing."""
    return make_world(tmp_path_factory.mktemp("shared"))


@pytest.fixture(scope="session")
def shared_app(shared_world: World, _login: None) -> Flask:
    from ls_backend.app import create_app

    return create_app(shared_world.workspace.folder)


@pytest.fixture
def shared_client(shared_app: Flask) -> FlaskClient:
    return shared_app.test_client()


@pytest.fixture
def world(tmp_path: Path, shared_world: World) -> World:
    """A copy to change; only the images are shared."""
    folder = shutil.copytree(shared_world.workspace.folder, tmp_path / "work")
    return replace(shared_world, workspace=Workspace.open(folder))


@pytest.fixture
def app(world: World) -> Flask:
    from ls_backend.app import create_app

    return create_app(world.workspace.folder)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()

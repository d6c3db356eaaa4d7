"""Secrets come from the environment, are named when they are missing, and do not show."""

import pytest

from tenth.errors import ConfigurationError
from tenth.workspace.secrets import backend_credentials, database_url, label_studio_credentials


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("LABEL_STUDIO_URL", "http://127.0.0.1:8080/")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "token123\n")
    monkeypatch.setenv("TENTH_BACKEND_USER", "me")
    monkeypatch.setenv("TENTH_BACKEND_PASSWORD", "hunter2")
    monkeypatch.delenv("TENTH_DATABASE_URL", raising=False)
    return monkeypatch


def test_they_are_read(environment: pytest.MonkeyPatch):
    studio, backend = label_studio_credentials(), backend_credentials()
    assert (studio.url, studio.api_key) == ("http://127.0.0.1:8080", "token123")
    assert (backend.user, backend.password) == ("me", "hunter2")
    assert "token123" not in repr(studio) and "hunter2" not in repr(backend)
    environment.delenv("LABEL_STUDIO_URL")
    assert label_studio_credentials("https://studio.example/").url == "https://studio.example"


@pytest.mark.parametrize("name", ["LABEL_STUDIO_URL", "LABEL_STUDIO_API_KEY"])
@pytest.mark.parametrize("value", [None, "", "  "])
def test_what_label_studio_needs_is_named(environment: pytest.MonkeyPatch, name: str, value: str | None):
    environment.delenv(name) if value is None else environment.setenv(name, value)
    with pytest.raises(ConfigurationError, match=rf"{name} is not set.*export {name}="):
        label_studio_credentials()


@pytest.mark.parametrize("name", ["TENTH_BACKEND_USER", "TENTH_BACKEND_PASSWORD"])
def test_what_the_backend_needs_is_named(environment: pytest.MonkeyPatch, name: str):
    environment.delenv(name)
    with pytest.raises(ConfigurationError, match=rf"{name} is not set.*export {name}="):
        backend_credentials()


def test_an_address_without_a_scheme(environment: pytest.MonkeyPatch):
    environment.setenv("LABEL_STUDIO_URL", "localhost:8080")
    with pytest.raises(ConfigurationError, match="http://"):
        label_studio_credentials()


def test_the_database_of_the_environment_comes_first(environment: pytest.MonkeyPatch):
    assert database_url("sqlite:////x") == "sqlite:////x"
    environment.setenv("TENTH_DATABASE_URL", "postgresql://me:pw@host/x")
    assert database_url("sqlite:////x") == "postgresql://me:pw@host/x"

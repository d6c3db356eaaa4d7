"""Calls about the backend of a project and its webhook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tenth.label_studio.http import Connection, Json


class BackendCalls:
    """The part of the client that deals with backends and webhooks."""

    connection: Connection

    def add_backend(self, project: int, url: str, *, title: str, user: str = "", password: str = "") -> Json:
        """Connect the backend at `url` to a project; one that is connected gets the new settings.

        The server asks it for ``/health`` and ``/setup`` before it answers, and creates a webhook to
        ``<url>/webhook`` without these credentials: see :meth:`set_webhook_headers`.

        Raises
        ------
        LabelStudioRefused
            Status 400 when the server cannot reach the backend or is not let in.
        """
        url = url.rstrip("/")
        payload: dict[str, Any] = {"project": project, "url": url, "title": title, "is_interactive": False}
        if user:
            payload |= {"auth_method": "BASIC_AUTH", "basic_auth_user": user, "basic_auth_pass": password}
        known = [backend for backend in self.backends(project) if backend["url"].rstrip("/") == url]
        method, path = ("PATCH", f"/api/ml/{known[0]['id']}") if known else ("POST", "/api/ml/")
        connected: Json = self.connection.json(method, path, json=payload)
        return connected

    def backends(self, project: int) -> list[Json]:
        """Return the backends of a project (``id``, ``url``, ``state``, ``model_version``, …)."""
        found: list[Json] = self.connection.json("GET", "/api/ml/", params={"project": project})
        return found

    def delete_backend(self, backend: int) -> None:
        """Disconnect a backend and remove its webhook, which the server would leave behind."""
        known = self.connection.json("GET", f"/api/ml/{backend}")
        self.connection.request("DELETE", f"/api/ml/{backend}")
        for webhook in self._webhooks_to(known["project"], known["url"]):
            self.connection.request("DELETE", f"/api/webhooks/{webhook['id']}/")

    def train_backend(self, backend: int) -> None:
        """Let the server send ``START_TRAINING`` to the backend's webhook."""
        self.connection.request("POST", f"/api/ml/{backend}/train")

    def webhooks(self, project: int) -> list[Json]:
        """Return the webhooks of a project."""
        found: list[Json] = self.connection.json("GET", "/api/webhooks/", params={"project": project})
        return found

    def set_webhook_headers(self, project: int, url: str, headers: Mapping[str, str]) -> int:
        """Give headers, such as ``Authorization``, to the webhooks of the backend at `url`.

        Returns
        -------
        int
            How many webhooks that changed.
        """
        webhooks = self._webhooks_to(project, url)
        for webhook in webhooks:
            self.connection.request(
                "PATCH", f"/api/webhooks/{webhook['id']}/", json={"headers": dict(headers)}
            )
        return len(webhooks)

    def _webhooks_to(self, project: int, url: str) -> list[Json]:
        target = f"{url.rstrip('/')}/webhook"
        return [webhook for webhook in self.webhooks(project) if webhook["url"] == target]

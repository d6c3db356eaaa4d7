"""Calls about projects and users."""

from __future__ import annotations

from typing import Any

from tenth.errors import LabelStudioRefused
from tenth.label_studio.http import Connection, Json


class ProjectCalls:
    """The part of the client that deals with projects and users."""

    connection: Connection

    def version(self) -> str:
        """Return the server's release, such as ``"1.23.2"``."""
        return str(self.connection.json("GET", "/api/version")["release"])

    def whoami(self) -> Json:
        """Return the user whose key this is (``id``, ``email``, …)."""
        user: Json = self.connection.json("GET", "/api/current-user/whoami")
        return user

    def users(self) -> list[Json]:
        """Return the members of the organisation (``id``, ``email``, …)."""
        users: list[Json] = self.connection.json("GET", "/api/users/")
        return users

    def ensure_user(self, email: str) -> Json:
        """Return the user with this e-mail address, created when missing (without a login).

        An annotation can then be created in that user's name with the administrator's key.
        """
        for user in self.users():
            if str(user["email"]).lower() == email.lower():
                return user
        name = email.partition("@")[0]
        created: Json = self.connection.json("POST", "/api/users/", json={"email": email, "username": name})
        return created

    def projects(self) -> list[Json]:
        """Return all projects the user sees."""
        found: list[Json] = []
        page = 1
        while True:
            answer = self.connection.json("GET", "/api/projects/", params={"page": page, "page_size": 100})
            found += answer["results"]
            if not answer["next"]:
                return found
            page += 1

    def create_project(self, title: str, label_config: str, **fields: Any) -> Json:
        """Create a project; `fields` are the API's (``sampling``, ``color``, …)."""
        payload = {"title": title, "label_config": label_config, **fields}
        created: Json = self.connection.json("POST", "/api/projects/", json=payload)
        return created

    def project(self, project: int) -> Json:
        """Return one project with its counters and settings."""
        found: Json = self.connection.json("GET", f"/api/projects/{project}/")
        return found

    def update_project(self, project: int, **fields: Any) -> Json:
        """Change settings of a project."""
        changed: Json = self.connection.json("PATCH", f"/api/projects/{project}/", json=fields)
        return changed

    def delete_project(self, project: int) -> None:
        """Delete a project with all tasks; one that is gone already is fine."""
        try:
            self.connection.request("DELETE", f"/api/projects/{project}/")
        except LabelStudioRefused as error:
            if error.status != 404:
                raise

    def set_model_version(self, project: int, version: str) -> None:
        """Make `version` the one whose predictions the editor shows and the sampling goes by.

        Raises
        ------
        LabelStudioRefused
            Status 400 when neither a prediction nor a connected backend has this version.
        """
        self.update_project(project, model_version=version)

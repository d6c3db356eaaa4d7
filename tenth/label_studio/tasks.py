"""Calls about tasks, annotations and predictions."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from tenth.errors import LabelStudioRefused
from tenth.label_studio.http import Connection, Json
from tenth.progress import SILENT, Progress

TASK_FIELDS = ("id", "data", "total_annotations", "cancelled_annotations")
_ANNOTATION_FIELDS = (
    "id",
    "result",
    "completed_by",
    "lead_time",
    "was_cancelled",
    "created_at",
    "updated_at",
)


class TaskCalls:
    """The part of the client that deals with tasks and what hangs on them."""

    connection: Connection

    def import_tasks(
        self, project: int, tasks: Sequence[Json], *, chunk: int = 250, progress: Progress = SILENT
    ) -> list[int]:
        """Create tasks, with their ``predictions`` and ``annotations`` if they carry any.

        Parameters
        ----------
        project : int
            Project id.
        tasks : Sequence[dict]
            ``{"data": {…}, "predictions": […], "annotations": […]}``.
        chunk : int, optional
            Tasks a request. A chunk is created whole or not at all; when a chunk fails, those before it
            stay: list the tasks and import the missing ones again.
        progress : Progress, optional
            Where to show a bar.

        Returns
        -------
        list[int]
            Task ids in the order of `tasks`.
        """
        ids: list[int] = []
        with progress.bar(len(tasks), "import tasks", "task") as bar:
            for start in range(0, len(tasks), chunk):
                part = list(tasks[start : start + chunk])
                answer = self.connection.json(
                    "POST",
                    f"/api/projects/{project}/import",
                    params={"return_task_ids": "true"},
                    json=part,
                    timeout=600.0,
                )
                ids += answer["task_ids"]
                bar.update(len(part))
        return ids

    def tasks(
        self,
        project: int,
        *,
        data: Mapping[str, int | float | str] | None = None,
        annotated: bool | None = None,
        fields: Sequence[str] = TASK_FIELDS,
        after: int = 0,
        page_size: int = 1000,
    ) -> list[Json]:
        """Return all tasks of a project that fit, in the order of their ids, a few fields of each.

        Parameters
        ----------
        project : int
            Project id.
        data : Mapping[str, int | float | str], optional
            Values that the task's ``data`` must have: ``{"round": 3}``. The type counts: 3 is not ``"3"``.
        annotated : bool, optional
            True for tasks with an annotation that is not skipped, False for those without.
        fields : Sequence[str], optional
            What to return of each task; the fewer the faster.
        after : int, optional
            Only tasks with a higher id.
        page_size : int, optional
            Tasks a request.

        Returns
        -------
        list[dict]
            The tasks, each once, even when others write to the project meanwhile.
        """
        conditions = _data_is(data)
        if annotated is not None:
            conditions.append(_condition("total_annotations", "greater" if annotated else "equal", 0))
        return self._all_pages(project, conditions, {"include": ",".join(("id", *fields))}, page_size, after)

    def who_answered(
        self, project: int, *, data: Mapping[str, int | float | str] | None = None, page_size: int = 1000
    ) -> list[Json]:
        """Return who answered or skipped each task, without its data and the results, which are large.

        Parameters
        ----------
        project : int
            Project id.
        data : Mapping[str, int | float | str], optional
            As in :meth:`tasks`.
        page_size : int, optional
            Tasks a request.

        Returns
        -------
        list[dict]
            ``id`` and ``annotations`` of all tasks that fit; each annotation with ``completed_by`` and
            ``was_cancelled``, as in :meth:`annotated_tasks`.
        """
        fields = ("id", "annotations.completed_by", "annotations.was_cancelled")
        return self._all_pages(project, _data_is(data), _annotations(fields), page_size)

    def annotated_tasks(
        self, project: int, *, data: Mapping[str, int | float | str] | None = None, page_size: int = 200
    ) -> list[Json]:
        """Return the tasks that have an annotation, with their annotations.

        Parameters
        ----------
        project : int
            Project id.
        data : Mapping[str, int | float | str], optional
            As in :meth:`tasks`.
        page_size : int, optional
            Tasks a request.

        Returns
        -------
        list[dict]
            ``id``, ``data`` and ``annotations``, each with ``id``, ``result``, ``completed_by`` (a dict with
            ``id`` and ``email``), ``lead_time`` (seconds or None), ``was_cancelled`` (skipped),
            ``created_at`` and ``updated_at``.
        """
        conditions = [*_data_is(data), _condition("total_annotations", "greater", 0)]
        fields = ("id", "data", *(f"annotations.{name}" for name in _ANNOTATION_FIELDS))
        return self._all_pages(project, conditions, _annotations(fields), page_size)

    def task(self, task: int) -> Json:
        """Return one task with its annotations, predictions and drafts."""
        found: Json = self.connection.json("GET", f"/api/tasks/{task}/")
        return found

    def delete_tasks(self, project: int, tasks: Sequence[int], *, chunk: int = 1000) -> None:
        """Delete tasks by id, with their annotations and predictions; those that are gone do not matter."""
        for start in range(0, len(tasks), chunk):
            self._action(project, "delete_tasks", list(tasks[start : start + chunk]))

    def annotations(self, task: int) -> list[Json]:
        """Return the annotations of one task; ``completed_by`` is a dict with ``id`` and ``email``."""
        found: list[Json] = self.connection.json(
            "GET", f"/api/tasks/{task}/annotations/", params={"expand": "completed_by"}
        )
        return found

    def create_annotation(
        self,
        task: int,
        result: Sequence[Json],
        *,
        lead_time: float | None = None,
        completed_by: int | None = None,
    ) -> Json:
        """Submit an answer to a task.

        Parameters
        ----------
        task : int
            Task id.
        result : Sequence[dict]
            The annotation's results, as the editor sends them.
        lead_time : float, optional
            Seconds it took.
        completed_by : int, optional
            User in whose name to answer; by default the owner of the key.
        """
        payload: dict[str, Any] = {"result": list(result)}
        if lead_time is not None:
            payload["lead_time"] = lead_time
        if completed_by is not None:
            payload["completed_by"] = completed_by
        created: Json = self.connection.json("POST", f"/api/tasks/{task}/annotations/", json=payload)
        return created

    def predictions(self, task: int) -> list[Json]:
        """Return the predictions of one task."""
        found: list[Json] = self.connection.json("GET", "/api/predictions/", params={"task": task})
        return found

    def retrieve_predictions(self, project: int, tasks: Sequence[int]) -> None:
        """Let the server ask the project's backend for predictions of these tasks, within this request."""
        self._action(project, "retrieve_tasks_predictions", list(tasks))

    def next_task(self, project: int) -> Json | None:
        """Return the task the labelling stream shows next, with its predictions; None when none is left."""
        try:
            task: Json = self.connection.json("GET", f"/api/projects/{project}/next/")
        except LabelStudioRefused as error:
            if error.status == 404:
                self.connection.json("GET", f"/api/projects/{project}/")  # 404 when the project is gone
                return None
            raise
        return task

    def _action(self, project: int, action: str, tasks: list[int]) -> None:
        self.connection.request(
            "POST",
            "/api/dm/actions/",
            params={"id": action, "project": project},
            json={"selectedItems": {"all": False, "included": tasks}},
            repeatable=True,
            timeout=600.0,
        )

    def _all_pages(
        self, project: int, conditions: list[Json], options: dict[str, str], page_size: int, last: int = 0
    ) -> list[Json]:
        # Page numbers shift while tasks come and go; "the first ones after the last id" does not.
        found: list[Json] = []
        while True:
            filters = {"conjunction": "and", "items": [*conditions, _condition("id", "greater", last)]}
            query = json.dumps({"filters": filters, "ordering": ["tasks:id"]})
            answer = self.connection.json(
                "GET",
                "/api/tasks/",
                params={"project": project, "page_size": page_size, "query": query, **options},
            )
            found += answer["tasks"]
            if len(answer["tasks"]) >= answer["total"]:
                return found
            last = answer["tasks"][-1]["id"]


def _annotations(fields: Sequence[str]) -> dict[str, str]:
    """Return the options of a request that has annotations among its fields."""
    return {"fields": "all", "include": ",".join(fields), "expand": "annotations.completed_by"}


def _data_is(data: Mapping[str, int | float | str] | None) -> list[Json]:
    """Return the filters for tasks whose data has these values."""
    return [_condition(f"data.{name}", "equal", value) for name, value in (data or {}).items()]


def _condition(column: str, operator: str, value: int | float | str) -> Json:
    """Return a filter of the server's data manager."""
    kind = "String" if isinstance(value, str) else "Number"
    return {"filter": f"filter:tasks:{column}", "operator": operator, "type": kind, "value": value}

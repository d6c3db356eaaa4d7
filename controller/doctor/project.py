"""Checks of the Label Studio project that people answer in."""

from __future__ import annotations

import io

from PIL import Image as Picture
from sqlalchemy import select

from controller.doctor.check import CONFIGURATION, LABEL_STUDIO, Check, Patient, Probe
from tenth.label_studio.configs import check_config
from tenth.segmentation.images import decode_image
from tenth.workspace.database import Region


def project(patient: Patient, name: str) -> Check:
    """See that the project is there."""
    found = patient.project
    return Check(name, "ok", f"{found['id']} '{found['title']}', {found['task_number']} tasks")


def label_config(patient: Patient, name: str) -> Check:
    """Compare the project's labelling config with the classes of the data set."""
    loop = patient.loop
    problems = check_config(str(patient.project["label_config"]), loop.classes)
    if not problems:
        return Check(name, "ok", f"fits the {len(loop.classes)} classes")
    if not patient.project["task_number"]:
        return Check(name, "failed", " ".join(problems), patient.init, CONFIGURATION)
    page = f"{loop.client.url}/projects/{loop.project}/settings/labeling"
    remedy = f"xdg-open {page}   # undo the change; tasks that are there keep their answers"
    return Check(name, "failed", " ".join(problems), remedy, CONFIGURATION)


def shown_version(patient: Patient, name: str) -> Check:
    """See that the project shows the predictions of the version that asks the open group.

    Otherwise no guess is pre-selected, and the order of the tasks is silently random.
    """
    loop, found = patient.loop, patient.project
    group = loop.workspace.open_group()
    if group is None:
        return Check(name, "ok", "no group is open")
    if group.model_version is None:
        return Check(name, "ok", f"round {group.round} is a cold start, without guesses")
    shown, sampling = found["model_version"], found["sampling"]
    if shown == group.model_version and sampling == "Uncertainty sampling":
        return Check(
            name, "ok", f"{shown}, that of the open round {group.round}; most uncertain region first"
        )
    message = (
        f"round {group.round} was asked by {group.model_version}, but the project shows '{shown}' with "
        f"'{sampling}': people see no guess, or regions at random"
    )
    change = f"model_version={group.model_version!r}, sampling='Uncertainty sampling'"
    script = (
        "from pathlib import Path; from controller.loop import Loop; "
        f"loop = Loop.open(Path({str(patient.folder)!r})); loop.client.update_project(loop.project, {change})"
    )
    return Check(name, "failed", message, f'python -c "{script}"', LABEL_STUDIO)


def image_there(patient: Patient, name: str) -> Check:
    """Load a crop through Label Studio, as the browser does; before the first push, a single pixel."""
    loop = patient.loop
    with loop.workspace.database.reading() as session:
        pushed = select(Region.task_id).where(
            Region.state.in_(("pushed", "answered")), Region.task_id.is_not(None)
        )
        task = session.scalars(pushed.order_by(Region.round.desc(), Region.id).limit(1)).first()
    if task is None:
        url = loop.crop_store.put([("doctor.png", tiny_picture())])["doctor.png"]
        what = f"a picture stored by '{loop.config.label_studio.crop_store}'"
    else:
        url = str(loop.client.task(task)["data"]["crop"])
        what = f"the crop of task {task}"
    if not url.startswith(("/", "http://", "https://")):
        return Check(
            name, "ok", f"{what} is stored; Label Studio signs its address whenever a task is opened"
        )
    height, width = decode_image(loop.client.download(url), url).shape[:2]
    return Check(name, "ok", f"{what} loads, {width}×{height} pixels")


def tiny_picture() -> bytes:
    """Return a grey PNG of one pixel."""
    file = io.BytesIO()
    Picture.new("RGB", (1, 1), (128, 128, 128)).save(file, "PNG")
    return file.getvalue()


def _make(patient: Patient) -> str:
    return f"{patient.init}   # with --project N to take one that is there"


def _store(patient: Patient) -> str:
    return f"{patient.init} --set label_studio.crop_store=upload   # Label Studio keeps the crops itself"


PROBES = (
    Probe("project", project, ("token",), _make),
    Probe("labelling config", label_config, ("project", "data set"), lambda patient: patient.init),
    Probe("model version shown", shown_version, ("project",), lambda _: ""),
    Probe("image access from Label Studio", image_there, ("project",), _store),
)

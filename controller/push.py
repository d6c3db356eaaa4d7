"""Step "push": the chosen regions become tasks in Label Studio, each once, however often this is repeated."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import select, update

from controller.loop import Loop
from controller.pool import as_sample
from tenth.label_studio.regions import RegionCrop, region_prediction, region_task
from tenth.label_studio.render import render_crop, render_overview
from tenth.workspace.database import Image, Region, Round
from tenth.workspace.names import superpixels_name


def push(loop: Loop, number: int) -> dict[str, Any]:
    """Import the regions that Label Studio does not have yet, then let it show the model's guesses.

    Label Studio is asked first which regions of this round it has: a task carries its region's id. Guesses
    show up in the editor, and the most uncertain region comes first, only once the project's model version
    is that of the predictions; an unknown version is refused, so it is set last.
    """
    adopt_tasks(loop, number)
    waiting = regions_of(loop, number, "selected")
    total = len(waiting)
    with loop.progress.bar(total, f"Round {number}: pushing regions", "region") as bar:
        for part in chunks(waiting, loop.config.label_studio.import_chunk):
            push_chunk(loop, number, part)
            bar.update(len(part))
    remove_copies(loop, number)
    with loop.workspace.database.reading() as session:
        version = session.get_one(Round, number).model_version
    loop.client.update_project(
        loop.project, sampling="Uncertainty sampling" if version else "Sequential sampling"
    )
    if version:
        loop.client.set_model_version(loop.project, version)
    return {"tasks": len(regions_of(loop, number, "pushed")), "new": total}


def adopt_tasks(loop: Loop, number: int) -> None:
    """Note the tasks that Label Studio has already: those of an import whose answer never arrived."""
    tasks = loop.client.tasks(loop.project, data={"round": number}, fields=("id", "data"))
    note_tasks(loop, {region_id_of(task): task["id"] for task in tasks})


def remove_copies(loop: Loop, number: int) -> None:
    """Delete second tasks of the same region: a server may go on with an import whose sender was killed."""
    known = {region.id: region.task_id for region in regions_of(loop, number, "pushed")}
    tasks = loop.client.tasks(loop.project, data={"round": number}, annotated=False, fields=("id", "data"))
    copies = [task["id"] for task in tasks if known.get(region_id_of(task), task["id"]) != task["id"]]
    if copies:
        loop.client.delete_tasks(loop.project, copies)


def region_id_of(task: dict[str, Any]) -> str:
    """Return the region that a task of Label Studio says it asks, whatever somebody put there."""
    return str(task["data"].get("region_id"))


def crop_of(region: Region) -> RegionCrop:
    """Return the part of the image that people see of a region."""
    return RegionCrop(region.x, region.y, region.width, region.height, region.scale)


def push_chunk(loop: Loop, number: int, regions: Sequence[Region]) -> None:
    """Render, upload and import some regions; grouped by image, so that each is read and refined once."""
    pictures: list[tuple[str, bytes]] = []
    tasks: list[dict[str, Any]] = []
    for image_id in dict.fromkeys(region.image_id for region in regions):
        own = [region for region in regions if region.image_id == image_id]
        for name, picture, task in render_tasks(loop, number, own):
            pictures.append((name, picture))
            tasks.append(task)
    urls = loop.crop_store.put(pictures)
    for (name, _), task in zip(pictures, tasks, strict=True):
        task["data"]["crop"] = urls[name]
    ids = loop.client.import_tasks(loop.project, tasks)
    note_tasks(loop, {task["data"]["region_id"]: id_ for task, id_ in zip(tasks, ids, strict=True)})


def render_tasks(
    loop: Loop, number: int, regions: Sequence[Region]
) -> Iterator[tuple[str, bytes, dict[str, Any]]]:
    """Yield name and contents of the crop, and the task, of regions of one image."""
    with loop.workspace.database.reading() as session:
        image = session.get_one(Image, regions[0].image_id)
        version = session.get_one(Round, number).model_version
    picture = as_sample(loop, image).load_image()
    superpixels = loop.workspace.arrays.load(superpixels_name(number, image.id))["superpixels"]
    for region in regions:
        mask = superpixels == region.superpixel
        crop = crop_of(region)
        overview = base64.b64encode(render_overview(picture, mask, crop)).decode()
        task = region_task(
            region_id=region.id,
            round_number=number,
            image_key=image.key,
            crop_url="",
            overview_url=f"data:image/jpeg;base64,{overview}",
            crop=crop,
        )
        if version is not None:
            parts = None if region.parts is None else loop.workspace.arrays.load(region.parts)["parts"]
            task["predictions"] = [
                region_prediction(
                    loop.classes,
                    crop,
                    guess=region.guess,
                    score=region.confidence or 0.0,
                    model_version=version,
                    parts=parts,
                )
            ]
        yield f"{region.id}.png", render_crop(picture, mask, crop), task


def note_tasks(loop: Loop, task_ids: dict[str, int]) -> None:
    """Record which task asks which region."""
    with loop.workspace.database.session() as session:
        for region_id, task_id in task_ids.items():
            session.execute(
                update(Region)
                .where(Region.id == region_id, Region.state == "selected")
                .values(task_id=task_id, state="pushed")
            )


def regions_of(loop: Loop, number: int, *states: str) -> list[Region]:
    """Return the regions of a round that are in one of `states`, image by image."""
    with loop.workspace.database.reading() as session:
        query = select(Region).where(Region.round == number, Region.state.in_(states))
        return list(session.scalars(query.order_by(Region.image_id, Region.id)))


def chunks(regions: Sequence[Region], size: int) -> Iterator[Sequence[Region]]:
    """Yield `regions` in parts of at most `size`."""
    for start in range(0, len(regions), size):
        yield regions[start : start + size]

"""Step "pull": the answers of the open group, checked one by one; what cannot be used is set aside."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from controller.group import asked_regions
from controller.loop import Loop
from controller.push import crop_of, region_id_of, regions_of
from tenth.label_studio.results import ParsedAnswer, ResultError, SkippedError, parse_annotation
from tenth.workspace.database import Answer, Image, Problem, Region, utc_now

log = logging.getLogger(__name__)


def pull(loop: Loop, number: int) -> dict[str, Any]:
    """Store the usable answers of round `number`, list the others, withdraw what nobody answered.

    Answers and problems of an earlier attempt are replaced, so a killed pull is simply repeated. What is
    withdrawn goes first: an answer that comes in meanwhile is pulled, or its task is gone.
    """
    withdraw(loop, number)
    tasks = loop.client.annotated_tasks(loop.project, data={"round": number})
    regions = {region.id: region for region in regions_of(loop, number, "pushed", "answered", "unanswered")}
    with loop.workspace.database.reading() as session:
        images = {image.id: image for image in session.scalars(select(Image).where(Image.round == number))}
    found = [row for task in tasks for row in read_task(loop, number, task, regions, images)]
    answers = [row for row in found if isinstance(row, Answer)]
    problems = [row for row in found if isinstance(row, Problem)]
    with loop.workspace.database.session() as session:
        forget(session, number)
        session.add_all([*answers, *problems])
        asked = select(Region.id).where(Region.round == number)
        seen = {answer.region_id for answer in answers} | {problem.region_id for problem in problems}
        session.execute(update(Region).where(Region.id.in_(asked)).values(state="unanswered"))
        session.execute(update(Region).where(Region.id.in_(seen)).values(state="answered"))
    for problem in problems:
        log.warning(
            "Task %d: answer %s set aside: %s", problem.task_id, problem.annotation_id, problem.reason
        )
    return {"answers": len(answers), "problems": len(problems), "withdrawn": len(regions.keys() - seen)}


def read_task(
    loop: Loop, number: int, task: dict[str, Any], regions: dict[str, Region], images: dict[int, Image]
) -> Iterator[Answer | Problem]:
    """Check the annotations of one task; yield an answer or a problem for each that is not a skip."""
    region = regions.get(region_id_of(task))
    if region is None or not shows(task, region, images[region.image_id]):
        said = task["data"].get("region_id")
        reason = f"its region_id {said!r} is none that round {number} asked with this task"
        yield Problem(round=number, task_id=task["id"], reason=reason)
        return
    image = images[region.image_id]
    for annotation in task["annotations"]:
        try:
            parsed = parse_annotation(
                annotation,
                data=task["data"],
                region_id=region.id,
                crop=crop_of(region),
                image_shape=(image.height or 0, image.width or 0),
                classes=loop.classes,
            )
        except SkippedError:
            continue
        except ResultError as error:
            yield Problem(
                round=number,
                task_id=task["id"],
                annotation_id=annotation.get("id"),
                region_id=region.id,
                reason=error.reason,
            )
            continue
        yield answer_row(loop, region, parsed, annotation)


def shows(task: dict[str, Any], region: Region, image: Image) -> bool:
    """Tell whether a task shows this region: the one that was pushed does, and so does a copy of it.

    Copies come of an import that a killed push began and the server went on with, and of moving a project.
    """
    data = task["data"]
    copied = (data.get("image"), data.get("place")) == (image.key, asdict(crop_of(region)))
    return copied or task["id"] == region.task_id


def answer_row(loop: Loop, region: Region, parsed: ParsedAnswer, annotation: dict[str, Any]) -> Answer:
    """Return the answer's row; what was painted goes to the array store first."""
    painted = None
    if parsed.painted is not None:
        painted = f"painted/round-{region.round:03d}/{parsed.annotation_id}"
        loop.workspace.arrays.save(painted, painted=parsed.painted)
    return Answer(
        region_id=region.id,
        kind=parsed.kind,
        label=parsed.label,
        painted=painted,
        annotator=parsed.annotator,
        annotation_id=parsed.annotation_id,
        lead_time=parsed.lead_time,
        keys=keys_of(parsed, annotation),
        completed_at=parsed.completed_at or utc_now(),
    )


def keys_of(parsed: ParsedAnswer, annotation: dict[str, Any]) -> int:
    """Return what an answer cost in keys and strokes.

    The submit alone where the guess was kept; one more for another choice; for each painted part a key and a
    stroke, and Esc between two of them.
    """
    if parsed.guess_kept:
        return 1
    by_hand = [
        entry
        for entry in annotation["result"]
        if entry["type"] == "brushlabels" and entry.get("origin") != "prediction"
    ]
    return 2 + max(0, 3 * len(by_hand) - 1)


def forget(session: Session, number: int) -> None:
    """Remove what an earlier attempt to pull this round stored."""
    asked = select(Region.id).where(Region.round == number)
    session.execute(delete(Answer).where(Answer.region_id.in_(asked)))
    session.execute(delete(Problem).where(Problem.round == number))


def withdraw(loop: Loop, number: int) -> None:
    """Delete the tasks of the round that nobody answered, so that nobody does work that is never pulled.

    Copies go as well, also those of an answered region; tasks that other people made stay.
    """
    regions = regions_of(loop, number, "pushed", "answered", "unanswered")
    tasks = loop.client.tasks(loop.project, data={"round": number}, annotated=False, fields=("id",))
    asked = asked_regions(loop, number, regions, tasks)
    left = [task["id"] for task in tasks if task["id"] in asked]
    if left:
        loop.client.delete_tasks(loop.project, left)

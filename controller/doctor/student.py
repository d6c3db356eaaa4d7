"""Checks of `[distill]`: whether the next round can teach its student."""

from __future__ import annotations

from controller.doctor.check import Check, Patient, Probe
from controller.student import check_distillation
from controller.teachers import check_teachers, found_teacher


def student(patient: Patient, name: str) -> Check:
    """See that the student can be built, and that all teachers are there, whole and of the same classes."""
    loop, settings = patient.loop, patient.loop.config.distill
    if not settings.student:
        return Check(name, "ok", "none is taught: the backend serves what rounds train")
    check_distillation(loop)
    teachers = check_teachers(loop)
    for teacher in teachers:
        if teacher.text:
            found_teacher(loop, teacher).load()  # its weights are compared with their digest
    names = " and ".join(teacher.name for teacher in teachers)
    return Check(name, "ok", f"{settings.student}, taught by {names}")


def _correct(patient: Patient) -> str:
    return (
        f"{patient.init} --offline --set distill.student=   # no student; or correct [distill] in "
        f"{patient.folder / 'controller.toml'} as said above"
    )


PROBES = (Probe("student", student, ("data set",), _correct),)

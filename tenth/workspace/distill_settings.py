"""The table ``[distill]`` of `controller.toml`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, PlainValidator, model_validator

from tenth.workspace import setting_checks as checks
from tenth.workspace.section import Section


class DistillSection(Section):
    """A small student of the model that rounds train, for the backend to serve: docs/distillation.md."""

    student: str = Field(
        default="", description="Network of the student, by its registered name; empty: no distillation."
    )
    student_options: dict[str, str | int | float | bool] = Field(
        default_factory=dict,
        description="Its options, as in { width = 0.5 }; a text that is empty stands for none.",
    )
    teachers: Annotated[tuple[str, ...], PlainValidator(checks.teachers)] = Field(
        default=("new",),
        description="Whom it learns from: 'new' is the model that the round has just trained, 'previous:N' "
        "are those of the N rounds before; also versions of this workspace, FOLDER or NAME=FOLDER of a model "
        "version, NAME=WORKSPACE:VERSION.",
    )
    temperatures: Annotated[tuple[float, ...], PlainValidator(checks.temperatures)] = Field(
        default=(),
        description="One for each entry of teachers; []: for 'kl' the thesis's (ICNet 4, ERFNet 3, "
        "DeepLab 5), or 4; for the others 1.",
    )
    weighting: Literal["stacked", "iou"] = Field(
        default="stacked",
        description="How much each of several teachers counts: so that together they make the labels of the "
        "validation split likeliest ('stacked'), or class by class by their IoU on what people said about "
        "the images that are learned from ('iou', the thesis's).",
    )
    student_temperature: float = Field(
        default=0.0,
        ge=0,
        le=1000,
        description="0: for 'kl' the thesis's (ENet 5, ICNet 4, ERFNet 3), or 4; for the others 1.",
    )
    form: Literal["kl", "cwd", "dist"] = Field(
        default="dist",
        description="What is learned from the soft labels: each pixel's distribution ('kl', the thesis's), "
        "where each class is ('cwd', channel-wise), or how pixels and classes relate ('dist').",
    )
    weight: float = Field(
        default=0.0,
        ge=0,
        le=1e6,
        description="λ: what the soft labels count beside the labels; 0: 100 for 'kl', 3 for 'cwd', 1 for "
        "'dist'.",
    )
    direction: Literal["teacher-student", "student-teacher"] = Field(
        default="teacher-student",
        description="Of 'kl': KL(teacher ‖ student), or the thesis's KL(student ‖ teacher).",
    )
    reduction: Literal["pixels-classes", "pixels"] = Field(
        default="pixels-classes",
        description="Of 'kl': the mean over pixels and classes, to which λ = 100 belongs, or over pixels.",
    )
    class_weighted: bool = Field(
        default=True,
        description="Of 'kl': let pixels of rare classes count more, as training.class_weighting does for "
        "the labels.",
    )
    temperature_squared: bool = Field(
        default=False, description="Multiply by the square of the student's temperature, as Hinton does."
    )
    stride: int = Field(
        default=4,
        ge=1,
        le=64,
        description="Soft labels are compared as means over cells of so many pixels a side; 1, the thesis's, "
        "is slower.",
    )
    initial_iterations: int = Field(
        default=2000, ge=1, description="Steps of a student that starts from new weights."
    )
    iterations: int = Field(
        default=1000, ge=1, description="Steps of one that goes on from the student of an earlier round."
    )
    pool: bool = Field(
        default=True, description="Learn from the images of the pool as well, which nobody has labelled."
    )
    pseudo: bool = Field(
        default=True,
        description="What the teachers find likeliest in them also counts as a label, as much as they are "
        "sure of it, and once images have been asked about, times labels.initial_weight. Not with form = "
        "'kl', which learns their distribution at each pixel anyway.",
    )
    max_loss: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="mIoU on the validation split by which a student may be worse than the version in use "
        "and still replace it; 1 publishes every student.",
    )

    @model_validator(mode="after")
    def _check_temperatures(self) -> DistillSection:
        if self.temperatures and len(self.temperatures) != len(self.teachers):
            raise ValueError(
                f"temperatures has {len(self.temperatures)} numbers for {len(self.teachers)} entries of "
                "teachers. Give one for each, in order, or []"
            )
        return self

    @model_validator(mode="after")
    def _check_form(self) -> DistillSection:
        fields = type(self).model_fields
        of_kl = ("direction", "reduction", "class_weighted")
        changed = [name for name in of_kl if getattr(self, name) != fields[name].default]
        if self.form != "kl" and changed:
            raise ValueError(
                f"{changed[0]} = {getattr(self, changed[0])!r} is of form = 'kl', and form is '{self.form}'. "
                "Set form = 'kl', or leave it out"
            )
        return self

"""Whether a student replaces what is served: it is measured beside it, on the same validation images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Verdict:
    """What became of a student.

    Parameters
    ----------
    version : str
        The student's.
    miou : float or None
        Its mIoU on the validation split; ``None`` where nothing is labelled.
    served : str or None
        The version in use before; ``None`` when there was none.
    served_miou : float or None
        That version's, on the same images.
    max_loss : float
        ``distill.max_loss``.
    published : bool
        Whether it replaced the version in use.
    """

    version: str
    miou: float | None
    served: str | None
    served_miou: float | None
    max_loss: float
    published: bool

    def to_dict(self) -> dict[str, Any]:
        """Return the values, and the sentence about them, for JSON."""
        return {**asdict(self), "sentence": self.sentence}

    @property
    def sentence(self) -> str:
        """What became of it, in words and with the numbers."""
        mine, theirs = _figure(self.miou), _figure(self.served_miou)
        if not self.published:
            tolerated = "no loss" if self.max_loss == 0 else "less than that difference"
            return (
                f"Student {self.version} is kept but not published: its mIoU on the validation split is "
                f"{mine}, that of {self.served}, which stays in use, {theirs}; distill.max_loss = "
                f"{self.max_loss:g} tolerates {tolerated}."
            )
        if self.served is None:
            return (
                f"Student {self.version} is in use: its mIoU on the validation split is {mine}; nothing was "
                "in use before."
            )
        return (
            f"Student {self.version} is in use: its mIoU on the validation split is {mine}, that of "
            f"{self.served}, which it replaces, {theirs}."
        )


def judge(version: str, figures: Mapping[str, Any], max_loss: float) -> Verdict:
    """Return whether a student is good enough.

    Parameters
    ----------
    version : str
        The student's.
    figures : mapping
        ``student`` as `controller.evaluate.measure` returns it, and ``served`` with ``version`` and ``miou``,
        or ``None``.
    max_loss : float
        By how much mIoU it may be worse; 1 or more asks for no figures at all.
    """
    mine = figures["student"].get("val", {}).get("miou")
    served = figures["served"] or {"version": None, "miou": None}
    theirs = served["miou"]
    as_good = mine is not None and (theirs is None or mine >= theirs - max_loss)
    published = served["version"] is None or max_loss >= 1 or as_good
    return Verdict(version, mine, served["version"], theirs, max_loss, published)


def _figure(miou: float | None) -> str:
    return "unknown" if miou is None else f"{miou:.4f}"

"""The end of the pool: what is left of it cannot be asked about, and that is no error."""

from __future__ import annotations

from sqlalchemy import select

from controller.loop import Loop
from tenth.errors import TenthError
from tenth.workspace.database import Image


class NothingToAsk(TenthError):
    """The pool is empty, or none of the images left in it can be asked about."""


def end_of_pool(loop: Loop, error: TenthError) -> TenthError:
    """Return what to raise when `error` is true of all images in the pool.

    Before the first group that is `error`: data or settings are wrong. Later it is NothingToAsk: what could
    be asked about has been.
    """
    if not has_asked(loop):
        return error
    return NothingToAsk(f"what is left of the pool cannot be asked about. {str(error).removesuffix('.')}")


def has_asked(loop: Loop) -> bool:
    """Tell whether any image has been asked about."""
    with loop.workspace.database.reading() as session:
        return session.scalar(select(Image.id).where(Image.role == "asked").limit(1)) is not None

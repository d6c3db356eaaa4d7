"""The regions that tasks ask about, as the workspace's database has them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from tenth.errors import DataError
from tenth.label_studio.regions import RegionCrop
from tenth.workspace.database import Image, Region, Round, Step
from tenth.workspace.names import superpixels_name
from tenth.workspace.workspace import Workspace


@dataclass(frozen=True)
class AskedRegion:
    """One region.

    Attributes
    ----------
    id : str
        Ours.
    source : str
        Path or URL of its image, as the controller found it.
    superpixels : str
        Name of the image's superpixel map in the array store.
    superpixel : int
        Its id in that map.
    crop : RegionCrop
        What its task shows.
    version : str or None
        The model version that asked.
    guess : int or None
        The class that it guessed.
    confidence : float
        How sure it was, 0..1.
    parts : str or None
        Name of the classes that it saw in a straddling region, in the array store.
    refined : bool
        Whether the strategy that asked saw the CRF's probabilities, so that guesses are of them.
    """

    id: str
    source: str
    superpixels: str
    superpixel: int
    crop: RegionCrop
    version: str | None
    guess: int | None
    confidence: float
    parts: str | None
    refined: bool

    def mask(self, superpixels: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Return its pixels in its image's superpixel map (H, W).

        Raises
        ------
        DataError
            When the map does not hold it.
        """
        mask: NDArray[np.bool_] = superpixels == self.superpixel
        if not mask.any():
            raise DataError(f"Region {self.id} is not in the superpixel map {self.superpixels}.")
        return mask


def asked_regions(workspace: Workspace, ids: Collection[str]) -> dict[str, AskedRegion]:
    """Return the regions of these ids by id; ids that nobody asked about are left out."""
    query = (
        select(Region, Image.source, Round.model_version, Step.result)
        .join(Image, Image.id == Region.image_id)
        .join(Round, Round.number == Region.round)
        .outerjoin(Step, (Step.round == Region.round) & (Step.name == "choose"))
        .where(Region.id.in_(ids))
    )
    with workspace.database.reading() as session:
        rows = session.execute(query).all()
    return {
        region.id: AskedRegion(
            region.id,
            source,
            superpixels_name(region.round, region.image_id),
            region.superpixel,
            RegionCrop(region.x, region.y, region.width, region.height, region.scale),
            version,
            region.guess,
            region.confidence or 0.0,
            region.parts,
            (chosen or {}).get("refined", True),  # rounds of before this was kept
        )
        for region, source, version, chosen in rows
    }

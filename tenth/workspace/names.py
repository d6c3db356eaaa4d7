"""Names in the array store that more than one package has to know."""

from __future__ import annotations


def superpixels_name(round_number: int, image_id: int) -> str:
    """Return the name under which the superpixel map of an asked image is stored (array ``superpixels``)."""
    return f"superpixels/round-{round_number:03d}/{image_id:06d}"

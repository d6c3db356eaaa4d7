"""Checkpoints: one safetensors file with the state as JSON in its header; nothing in it is ever unpickled.

One file and not two, so that weights and state cannot come from different moments.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from tenth.segmentation.weights_file import write_weights

log = logging.getLogger(__name__)

KEY = "tenth.training"


@dataclass(frozen=True)
class Checkpoint:
    """What is needed to go on.

    Parameters
    ----------
    identity : dict
        JSON; what the training is a function of. A checkpoint continues only a training of equal identity.
    state : dict
        JSON; how far it is.
    tensors : dict
        Named tensors.
    """

    identity: dict[str, Any]
    state: dict[str, Any]
    tensors: dict[str, Tensor]

    def save(self, path: Path) -> None:
        """Write to `path`, which holds either the old or the new checkpoint at any moment; raises OSError."""
        path.parent.mkdir(parents=True, exist_ok=True)
        header = {KEY: json.dumps({"identity": self.identity, "state": self.state})}
        write_weights(path, self.tensors, header)

    @classmethod
    def load(cls, path: Path, identity: dict[str, Any]) -> Checkpoint | None:
        """Read `path`; ``None`` when there is nothing that continues the training of this `identity`.

        A file that is broken or belongs to another training is reported as a warning, since work is lost.
        """
        if not path.exists():
            return None
        try:
            with safe_open(path, "pt") as file:
                header = json.loads((file.metadata() or {})[KEY])
                stored, state = header["identity"], header["state"]
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        except (SafetensorError, OSError, KeyError, ValueError) as error:
            log.warning("The checkpoint %s cannot be read (%s); training starts anew.", path, error)
            return None
        other = [name for name in identity if stored.get(name) != identity[name]]
        if other:
            log.warning(
                "The checkpoint %s belongs to another training (%s differ); training starts anew.",
                path,
                ", ".join(other),
            )
            return None
        return cls(stored, state, tensors)


def digest_of(tensors: Mapping[str, Tensor]) -> str:
    """Return a digest of names, types, shapes and values."""
    digest = hashlib.blake2b(digest_size=16)
    for name, tensor in tensors.items():
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
        digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()

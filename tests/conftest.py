"""What all tests share: no model hub, and a tiny model in its format."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem
from hypothesis import settings

# A busy machine is no failure: no example has a deadline.
settings.register_profile("tenth", deadline=None)
settings.load_profile("tenth")

# Before anything imports the library, which reads it once.
os.environ["HF_HUB_OFFLINE"] = "1"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep tests that share what is expensive on one worker: a file's, and all that drive Label Studio."""
    for item in items:
        group = "system" if item.get_closest_marker("system") else item.nodeid.partition("::")[0]
        item.add_marker(pytest.mark.xdist_group(group))


class Outage(MemoryFileSystem):  # type: ignore[misc]  # fsspec has no types
    """A storage whose credentials have expired."""

    protocol = "outage"

    def _refuse(self, *_: object, **__: object) -> Any:
        raise PermissionError("The provided token has expired.")

    cat_file = find = pipe_file = _refuse


@pytest.fixture(scope="session")
def outage() -> str:
    """Return the address of a storage that lets nobody in."""
    fsspec.register_implementation(Outage.protocol, Outage, clobber=True)
    return "outage://"


@pytest.fixture(scope="session")
def save_segformer() -> Callable[..., Any]:
    """Return a function that saves a SegFormer of random weights the way its library does."""
    import torch
    import transformers

    def save(folder: Path, labels: Sequence[str], seed: int = 0) -> Any:
        torch.manual_seed(seed)
        config = transformers.SegformerConfig(
            depths=[1, 1, 1, 1],
            hidden_sizes=[8, 8, 16, 16],
            num_attention_heads=[1, 1, 1, 1],
            decoder_hidden_size=16,
            id2label=dict(enumerate(labels)),
            label2id={label: number for number, label in enumerate(labels)},
        )
        model = transformers.SegformerForSemanticSegmentation(config).eval()
        with torch.no_grad():
            model.decode_head.classifier.weight *= 1e4  # as drawn, all classes are equally probable
        model.save_pretrained(folder)
        return model

    return save

"""Launching the kernels of a call together: on a GPU, small networks wait for the processor, not for the GPU.

A network for road scenes launches some thousand kernels a step, each of which takes the processor longer to
launch than the GPU to compute. A CUDA graph records them once and launches them all at once.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from weakref import WeakSet

import torch
from torch import Tensor, nn

log = logging.getLogger(__name__)

EAGER = 3
"""Calls of one kind before it is recorded: libraries prepare themselves in the first ones, and a few calls
are not worth a recording."""

ONE_AT_A_TIME = Lock()
"""A process records one call at a time."""

FAILED: WeakSet[nn.Module] = WeakSet()
"""Modules that could not be recorded once; trying again would fail again."""


@dataclass
class Replay:
    """Calls of one kind, and their recording once there is one.

    Parameters
    ----------
    kind : tuple
        What a recording depends on.
    calls : int
        How many there were.
    graph : torch.cuda.CUDAGraph or None
        The recording.
    inputs, output
        What it reads, by name, and writes.
    """

    kind: tuple[object, ...] = ()
    calls: int = 0
    graph: torch.cuda.CUDAGraph | None = None
    inputs: dict[str, Tensor] = field(default_factory=dict)
    output: Tensor = field(default_factory=lambda: torch.empty(0))

    def __call__(self, inputs: Mapping[str, Tensor]) -> Tensor | None:
        """Return what the recording makes of other inputs; ``None`` without one."""
        if self.graph is None:
            return None
        for name, mine in self.inputs.items():
            mine.copy_(inputs[name])
        self.graph.replay()
        return self.output.clone()


class Recording:
    """Calls of a function of tensors and of a module's weights: recorded after a few, and replayed then.

    Anywhere but on a GPU, and where the function cannot be recorded or its module does not want to be
    (``module.recordable = False``), it is just called. Replaying does what calling does: weights are read,
    and gradients and statistics written, where they are. Inputs of another shape, another mode of the module,
    and weights that have moved start it anew, each time after twice as many calls. Threads take turns.

    Parameters
    ----------
    module : torch.nn.Module
        Whose weights the function uses.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module
        self.weights = tuple(module.parameters())
        self.patience = EAGER
        self.turn = Lock()
        self.replay = Replay()

    def __call__(self, function: Callable[..., Tensor], **inputs: Tensor) -> Tensor:
        """Return what the function returns; recorded or not, it is the caller's own.

        Parameters
        ----------
        function : callable
            The same each time. Takes tensors by name and returns one; whatever else it reads has to stay the
            same, for it is not read again. It must not wait for the GPU (no ``item()``, no copy to the
            processor). One that computes gradients has to begin with none: replaying writes them where they
            were, and adds nothing.
        **inputs : Tensor
            What it takes.
        """
        devices = {tensor.device for tensor in inputs.values()}
        if len(devices) > 1 or next(iter(devices)).type != "cuda" or not self.possible:
            return function(**inputs)
        with self.turn:
            kind = self._kind(inputs)
            if kind != self.replay.kind:
                self.replay = Replay(kind)
            self.replay.calls += 1
            if self.replay.calls == self.patience + 1:
                self.patience *= 2
                self._record(function, inputs)
            replayed = self.replay(inputs)
            return function(**inputs) if replayed is None else replayed

    @property
    def possible(self) -> bool:
        """Whether the module can be recorded, as far as is known."""
        return getattr(self.module, "recordable", True) and self.module not in FAILED

    @property
    def recorded(self) -> bool:
        """Whether calls like the last are replayed."""
        return self.replay.graph is not None

    def forget(self) -> None:
        """Drop the recording and the memory that it holds."""
        self.replay = Replay()

    def _kind(self, inputs: Mapping[str, Tensor]) -> tuple[object, ...]:
        """Return what a recording depends on."""
        shapes = [(name, each.shape, each.stride(), each.dtype) for name, each in inputs.items()]
        return shapes, self.module.training, [weight.data_ptr() for weight in self.weights]

    def _record(self, function: Callable[..., Tensor], inputs: Mapping[str, Tensor]) -> None:
        mine = {name: tensor.clone() for name, tensor in inputs.items()}
        device = next(iter(mine.values())).device
        # The device has to be the current one, or its kernels would run instead of being recorded.
        with ONE_AT_A_TIME, torch.cuda.device(device):
            before, stream = torch.cuda.current_stream(), torch.cuda.Stream()  # type: ignore[no-untyped-call]
            graph = torch.cuda.CUDAGraph()
            try:
                with torch.cuda.graph(graph, stream=stream, capture_error_mode="thread_local"):
                    output = function(**mine).detach()
            except RuntimeError as error:
                self._give_up(error)
                torch.cuda.set_stream(before)
                _leave_recording(device)
                return
        self.replay.graph, self.replay.inputs, self.replay.output = graph, mine, output

    def _give_up(self, error: RuntimeError) -> None:
        name, reason = type(self.module).__name__, str(error).splitlines()[0]
        log.info("%s cannot be recorded (%s); its kernels are launched one by one.", name, reason)
        FAILED.add(self.module)


def _leave_recording(device: torch.device) -> None:
    """Give the device a generator that is not recording: one that was when a recording failed still says so.

    Dropout would fail from then on ("Offset increment outside graph capture").
    """
    generator = torch.cuda.default_generators[device.index or 0]
    generator.graphsafe_set_state(generator.clone_state())

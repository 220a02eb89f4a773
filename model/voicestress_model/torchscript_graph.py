"""The padding-free model as TorchScript, for Triton's PyTorch backend.

Scripted, not traced: a trace keeps the sizes of the batch it saw and the device it was made on, and this model's sizes
are its data, and its file is for CPUs and GPUs alike.
"""

from __future__ import annotations

import tempfile
import warnings
import zipfile
from pathlib import Path

import torch
from torch import Tensor, nn

from voicestress_model.packed import PackedWav2Vec2


class ServedWav2Vec2(nn.Module):
    """``PackedWav2Vec2`` with the serving contract's names for its arguments.

    Triton's C++ backend takes an input of the configuration for the argument of ``forward`` that has its name, and an
    output for the result at its place in the configuration, whatever its name; see ``triton_config.py``.
    """

    def __init__(self, model: PackedWav2Vec2) -> None:
        super().__init__()
        self.model = model

    def forward(self, PCM: Tensor, LENGTHS: Tensor) -> Tensor:  # noqa: N803 - the contract's names
        """LOGITS ``[B, labels]`` of ``PCM [S]`` int16 and ``LENGTHS [B, 1]`` int32, on either device."""
        return self.model(PCM, LENGTHS.to(PCM.device))


def write_torchscript(model: PackedWav2Vec2, path: Path) -> None:
    """Write ``model`` to ``path``."""
    served = ServedWav2Vec2(model)
    served.eval()  # the wrapper too: what it wraps takes its mode, and dropout with it, from here
    with warnings.catch_warnings():
        # torch.jit is not developed further, and is what Triton's PyTorch backend loads.
        warnings.filterwarnings("ignore", message=".*torch.jit", category=DeprecationWarning)
        warnings.filterwarnings("ignore", message=".*torch.jit", category=FutureWarning)
        scripted = torch.jit.script(served)
        with tempfile.TemporaryDirectory(prefix="voicestress-torchscript-") as scratch:
            saved = Path(scratch, path.name)
            scripted.save(str(saved))
            _strip_provenance(saved, path)


def load_torchscript(path: Path) -> torch.jit.ScriptModule:
    """The model at ``path``, on the CPU."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*torch.jit", category=DeprecationWarning)
        warnings.filterwarnings("ignore", message=".*torch.jit", category=FutureWarning)
        return torch.jit.load(str(path), map_location="cpu")


def _strip_provenance(source: Path, target: Path) -> None:
    """Copy the archive ``source`` without the lines of code it was made from, which name files of this machine."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as new:
        for entry in old.infolist():
            if not entry.filename.endswith(".debug_pkl"):
                new.writestr(zipfile.ZipInfo(entry.filename), old.read(entry))

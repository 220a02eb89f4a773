"""What can go wrong when Triton is started, as branches of the client's error tree.

ServiceError (voicestress.errors)
  ServerStartError        Triton did not start; or, without a more exact reason below, it ended unasked
    TritonMissingError    there is no Triton to run, or a library it needs
    ModelRepositoryError  the model repository is missing, empty or not one
    PortInUseError        something else listens there
    ModelLoadError        Triton refused a model; ``failures`` says which and why
    NotReadyError         it was still loading at the deadline
"""

from __future__ import annotations

from collections.abc import Mapping

from voicestress.errors import ServiceError

__all__ = [
    "ModelLoadError",
    "ModelRepositoryError",
    "NotReadyError",
    "PortInUseError",
    "ServerStartError",
    "TritonMissingError",
]


class ServerStartError(ServiceError):
    """Triton did not start, or ended unasked."""


class TritonMissingError(ServerStartError):
    """There is no Triton to run here, or a library it needs is missing."""


class ModelRepositoryError(ServerStartError):
    """The model repository does not exist, holds no model, or is not one."""


class PortInUseError(ServerStartError):
    """Something else listens on a port Triton was to use."""


class NotReadyError(ServerStartError):
    """Triton was still loading its models at the deadline."""


class ModelLoadError(ServerStartError):
    """Triton refused at least one model of the repository.

    Attributes:
        failures: Triton's reason for each refused model, by model name.
    """

    def __init__(self, failures: Mapping[str, str]) -> None:
        self.failures = dict(failures)
        super().__init__("\n".join(f"model '{model}' can't be loaded: {why}" for model, why in self.failures.items()))

"""Vocal stress scores from a Triton server: ``StressClient(url).analyze(recording)``."""

from voicestress.client import StressClient, UntrainedModelWarning
from voicestress.contract import StressContract
from voicestress.errors import (
    ContractError,
    DeadlineExceeded,
    InvalidAudio,
    NoSpeech,
    Overloaded,
    ServiceError,
    StressError,
    Unavailable,
)
from voicestress.report import ModelInfo, StressReport, WindowReport

__all__ = [
    "ContractError",
    "DeadlineExceeded",
    "InvalidAudio",
    "ModelInfo",
    "NoSpeech",
    "Overloaded",
    "ServiceError",
    "StressClient",
    "StressContract",
    "StressError",
    "StressReport",
    "Unavailable",
    "UntrainedModelWarning",
    "WindowReport",
]

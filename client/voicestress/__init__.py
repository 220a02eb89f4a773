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
from voicestress.retry import RetryPolicy

__all__ = [
    "ContractError",
    "DeadlineExceeded",
    "InvalidAudio",
    "ModelInfo",
    "NoSpeech",
    "Overloaded",
    "RetryPolicy",
    "ServiceError",
    "StressClient",
    "StressContract",
    "StressError",
    "StressReport",
    "Unavailable",
    "UntrainedModelWarning",
    "WindowReport",
]

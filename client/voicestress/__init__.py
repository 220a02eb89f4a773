"""Vocal stress scores from a Triton server: ``StressClient(url).analyze(recording)``."""

from voicestress_audio import AudioLimits

from voicestress.async_client import AsyncStressClient
from voicestress.async_stream import AsyncStressStream
from voicestress.base import UntrainedModelWarning
from voicestress.client import StressClient
from voicestress.connection import Tls
from voicestress.contract import StressContract
from voicestress.errors import (
    ContractError,
    DeadlineExceeded,
    InvalidAudio,
    NoSpeech,
    Overloaded,
    ServiceError,
    StressError,
    TooLong,
    Unauthorized,
    Unavailable,
)
from voicestress.report import ModelInfo, StressReport, StressUpdate, WindowReport
from voicestress.retry import RetryPolicy
from voicestress.stream import StressStream

__all__ = [
    "AsyncStressClient",
    "AsyncStressStream",
    "AudioLimits",
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
    "StressStream",
    "StressUpdate",
    "Tls",
    "TooLong",
    "Unauthorized",
    "Unavailable",
    "UntrainedModelWarning",
    "WindowReport",
]

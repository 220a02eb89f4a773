"""What a client raises on purpose, as one small tree a caller can act on.

StressError
  InvalidAudio          the recording can't be used (why, and what would help)
    NoSpeech            it can be read, but too little of it is speech
    TooLong             it is longer than the caller allows
  ServiceError          the service did not answer as asked
    Overloaded          it is alive and full: retry later
    Unavailable         nothing answers
    DeadlineExceeded    it took longer than the caller allows
    Unauthorized        it refuses who asks, or is not who it should be: token, certificate
  ContractError         the model there is not one this client can read
"""

from voicestress_audio.errors import InvalidAudio, NoSpeech, StressError, TooLong

__all__ = [
    "ContractError",
    "DeadlineExceeded",
    "InvalidAudio",
    "NoSpeech",
    "Overloaded",
    "ServiceError",
    "StressError",
    "TooLong",
    "Unauthorized",
    "Unavailable",
]


class ServiceError(StressError):
    """The service did not answer as asked."""


class Overloaded(ServiceError):
    """The service is alive and its queue is full: retry later, or send less at once."""


class Unavailable(ServiceError):
    """Nothing answers at the address, or the server there is not ready."""


class DeadlineExceeded(ServiceError):
    """The answer took longer than the caller allows."""


class Unauthorized(ServiceError):
    """The service refuses who asks, or is not who it should be: a token, a certificate, TLS on one side only."""


class ContractError(StressError):
    """The model there is not one this client can read."""

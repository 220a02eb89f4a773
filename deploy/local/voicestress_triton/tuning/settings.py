"""What is tuned, and a model's config with other settings: text in, text out, through Triton's own message."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2
from voicestress import StressContract, wire

from voicestress_triton.errors import ModelRepositoryError

# What each backend calls its threads.
_THREADS = {"onnxruntime": "intra_op_thread_count", "pytorch": "INTRA_OP_THREAD_COUNT"}


@dataclass(frozen=True, order=True)
class Setting:
    """One choice: ``instances`` of the model at work at once, ``threads`` each, batches of up to ``max_batch_size``."""

    instances: int
    threads: int
    max_batch_size: int
    queue_delay_us: int = 0

    def __str__(self) -> str:
        delay = f", waiting {self.queue_delay_us / 1000:g} ms" if self.queue_delay_us else ""
        return f"{self.instances} x {self.threads} threads, batches of {self.max_batch_size}{delay}"


@dataclass(frozen=True)
class Queue:
    """How much may wait: ``windows`` of each priority, each for at most ``longest_s`` seconds."""

    windows: int
    longest_s: float


def grid(cores: int | None = None) -> Iterator[Setting]:
    """The settings worth measuring on this many cores: all of them used, and none twice."""
    cores = cores or len(os.sched_getaffinity(0))
    for instances in sorted({1, 2, cores // 2, cores} & set(range(1, cores + 1))):
        threads = cores // instances
        for max_batch_size in (1, 2, 4, 8):
            yield Setting(instances, threads, max_batch_size)
        yield Setting(instances, threads, 8, queue_delay_us=2_000)


def contract_of(config: str) -> StressContract:
    """The contract stated in the text of a config.pbtxt.

    Raises:
        ModelRepositoryError: it is no model configuration.
        ContractError: it is not that of a stress model.
    """
    message = _parsed(config)
    return wire.read_contract(message, model=message.name or "the model")


def config_with(config: str, setting: Setting, *, queue: Queue | None = None, comments: Sequence[str] = ()) -> str:
    """The text of ``config``, a config.pbtxt, with ``setting``, headed by ``comments``.

    Raises:
        ModelRepositoryError: it is no model configuration, or of a backend whose threads have no known name.
    """
    message = _parsed(config)
    # How many windows a single request may hold stays what it is.
    message.max_batch_size = max(message.max_batch_size, setting.max_batch_size)
    for group in message.instance_group:
        if setting.instances > 1:
            # Free of turns, none holds a batch ready; but among many one is soon free, and requests come often.
            group.ClearField("rate_limiter")
        if not group.HasField("rate_limiter"):
            group.count = setting.instances
    message.parameters[_threads_parameter(message)].string_value = str(setting.threads)
    batching = message.dynamic_batching
    batching.preferred_batch_size[:] = [setting.max_batch_size]
    batching.max_queue_delay_microseconds = setting.queue_delay_us
    if queue is not None:
        batching.default_queue_policy.max_queue_size = queue.windows
        batching.default_queue_policy.default_timeout_microseconds = round(queue.longest_s * 1e6)
    head = "".join(f"# {line}\n".replace("# \n", "#\n") for line in comments)
    return head + str(text_format.MessageToString(message))


def _threads_parameter(message: model_config_pb2.ModelConfig) -> str:
    if message.backend not in _THREADS:
        known = ", ".join(_THREADS)
        raise ModelRepositoryError(f"{message.name}: its backend is {message.backend!r}; what can be tuned is {known}")
    return _THREADS[message.backend]


def _parsed(config: str) -> model_config_pb2.ModelConfig:
    message = model_config_pb2.ModelConfig()
    try:
        text_format.Parse(config, message)
    except text_format.ParseError as error:
        raise ModelRepositoryError(f"config.pbtxt can't be read ({error}). Export the model again.") from error
    return message

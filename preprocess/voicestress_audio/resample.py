"""Any sample rate to 16 kHz 16-bit PCM, in pieces."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import soxr

SAMPLE_RATE_HZ = 16_000


class PcmResampler:
    """Turns mono float32 at ``rate_hz`` into int16 PCM at 16 kHz, with soxr's HQ filter.

    The pieces may have any sizes: their concatenation is the same to the bit. Nothing is dithered, values beyond -1 to
    1 are clipped, and 16-bit recordings at 16 kHz come out as they went in.
    """

    def __init__(self, rate_hz: int) -> None:
        same = rate_hz == SAMPLE_RATE_HZ
        self._stream = None if same else soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32", quality="HQ")

    def push(self, samples: npt.NDArray[np.float32]) -> npt.NDArray[np.int16]:
        """The PCM ``[m]`` that is ready after ``samples`` ``[n]``; the filter holds back a few milliseconds."""
        return _to_pcm(samples if self._stream is None else self._stream.resample_chunk(samples))

    def finish(self) -> npt.NDArray[np.int16]:
        """The PCM ``[m]`` the filter still holds. Call it once, at the end."""
        rest = np.empty(0, dtype=np.float32)
        return _to_pcm(rest if self._stream is None else self._stream.resample_chunk(rest, last=True))


def _to_pcm(samples: npt.NDArray[np.float32]) -> npt.NDArray[np.int16]:
    scaled = samples * np.float32(32768)
    np.rint(scaled, out=scaled)
    np.clip(scaled, -32768, 32767, out=scaled)
    return scaled.astype(np.int16)

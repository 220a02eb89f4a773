"""A recording as plain samples."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from voicestress_audio import Source, open_audio

Pcm = npt.NDArray[np.int16]


def read_pcm(source: Source) -> Pcm:
    """All of a recording as int16 ``[n]`` at 16 kHz, as ``read_recording`` sees it.

    Raises:
        InvalidAudio: it can't be used.
    """
    with open_audio(source) as audio:
        return np.concatenate(list(audio.pcm_chunks()))

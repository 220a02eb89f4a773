"""The text-to-speech engines that speak the sentences: espeak-ng, flite and festival, as Debian packages them.

All three say the same text in the same voice with the same samples every time.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from voicestress_model.corpora.errors import CorpusError

PACKAGES = {
    "espeak-ng": ("espeak-ng",),
    "flite": ("flite",),
    "festival": ("festival", "festvox-kallpc16k", "festvox-kdlpc16k", "festvox-us-slt-hts"),
}
# One sentence takes well under a second; an engine that waits for a sound card would wait forever.
_TIMEOUT_S = 120.0
_ESPEAK_WORDS_PER_MINUTE = 165

# Samples [n], float64, full scale -1 to 1, and their rate in Hz.
Speech = tuple[npt.NDArray[np.float64], int]


class EngineError(CorpusError):
    """A text-to-speech engine is not installed, or did not speak."""


def missing_commands(engines: Sequence[str] = tuple(PACKAGES)) -> tuple[list[str], str]:
    """The commands among ``engines`` that are not installed, and the shell line that installs them on Debian.

    The line is empty if nothing is missing.
    """
    missing = [engine for engine in engines if shutil.which(engine) is None]
    packages = [package for engine in missing for package in PACKAGES[engine]]
    line = f"apt-get install --no-install-recommends {' '.join(packages)}" if missing else ""
    return missing, line


def require_engines(engines: Sequence[str] = tuple(PACKAGES)) -> None:
    """Do nothing if all ``engines`` and their voices are installed.

    Raises:
        EngineError: naming the commands or voices that are missing, and the line that installs them.
    """
    missing, line = missing_commands(engines)
    if missing:
        raise EngineError(f"not installed: {', '.join(missing)}. On Debian: {line}")
    if "festival" in engines:
        listed = _run(["festival", "-b", "(print (voice.list))"]).decode()
        if lacking := [voice for voice in _FESTIVAL_PACKAGES if voice not in listed]:
            packages = " ".join(_FESTIVAL_PACKAGES[voice] for voice in lacking)
            raise EngineError(
                f"festival lacks the voices {', '.join(lacking)}. On Debian: "
                f"apt-get install --no-install-recommends {packages}"
            )


def speak(engine: str, voice: str, sentences: Sequence[str], *, pace: float = 1.0) -> list[Speech]:
    """Let ``voice`` of ``engine`` say each sentence.

    ``pace`` multiplies the voice's own rate of speaking; festival's HTS voices keep theirs.

    Raises:
        EngineError: the engine failed or said nothing.
    """
    if engine == "festival":
        return _festival(voice, sentences, pace)
    if engine == "flite":
        slower = ["--setf", f"duration_stretch={1 / pace:.4f}"]
        commands = [["flite", "-voice", voice, *slower, "-t", sentence, "-o", "{out}"] for sentence in sentences]
    else:
        rate = str(round(_ESPEAK_WORDS_PER_MINUTE * pace))
        commands = [["espeak-ng", "-v", voice, "-s", rate, "-w", "{out}", sentence] for sentence in sentences]
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder, "speech.wav"))
        return [_speech_of([part.replace("{out}", out) for part in command], Path(out)) for command in commands]


_FESTIVAL_PACKAGES = {
    "kal_diphone": "festvox-kallpc16k",
    "ked_diphone": "festvox-kdlpc16k",
    "cmu_us_slt_arctic_hts": "festvox-us-slt-hts",
}


def _festival(voice: str, sentences: Sequence[str], pace: float) -> list[Speech]:
    """All sentences in one process: festival takes longer to start than to speak."""
    with tempfile.TemporaryDirectory() as folder:
        outs = [Path(folder, f"{number}.wav") for number in range(len(sentences))]
        lines = [
            f'(utt.save.wave (utt.synth (Utterance Text "{sentence}")) "{out}" \'riff)'
            for sentence, out in zip(sentences, outs, strict=True)
        ]
        script = Path(folder, "speak.scm")
        script.write_text("\n".join([f"(voice_{voice})", f"(Parameter.set 'Duration_Stretch {1 / pace:.4f})", *lines]))
        command = ["festival", "-b", str(script)]
        _run(command)
        return [_read(out, command) for out in outs]


def _speech_of(command: list[str], out: Path) -> Speech:
    out.unlink(missing_ok=True)
    _run(command)
    return _read(out, command)


def _run(command: list[str]) -> bytes:
    try:
        return subprocess.run(command, capture_output=True, check=True, timeout=_TIMEOUT_S).stdout
    except subprocess.CalledProcessError as error:
        raise EngineError(f"{' '.join(command)}: failed: {error.stderr.decode(errors='replace').strip()}") from error
    except subprocess.TimeoutExpired as error:
        raise EngineError(f"{' '.join(command)}: said nothing for {_TIMEOUT_S:g} s.") from error


def _read(out: Path, command: list[str]) -> Speech:
    if not out.is_file() or out.stat().st_size <= 44:  # a WAV header without samples
        raise EngineError(f"{' '.join(command)}: said nothing. Is the voice installed?")
    samples, rate_hz = soundfile.read(io.BytesIO(out.read_bytes()), dtype="float64")
    return samples, rate_hz

"""From a recording to windows of 16 kHz speech: decode, resample, detect speech, cut windows. No torch."""

from voicestress_audio.decode import Source, open_audio
from voicestress_audio.decoded import DecodedAudio
from voicestress_audio.errors import InvalidAudio, NoSpeech, StressError, TooLong
from voicestress_audio.limits import AudioLimits
from voicestress_audio.live import LiveRecording
from voicestress_audio.recording import Recording, read_recording
from voicestress_audio.resample import SAMPLE_RATE_HZ, PcmResampler
from voicestress_audio.speech import Segment, SpeechStream, find_speech, speech_stream
from voicestress_audio.windows import Window, cut_windows

__all__ = [
    "SAMPLE_RATE_HZ",
    "AudioLimits",
    "DecodedAudio",
    "InvalidAudio",
    "LiveRecording",
    "NoSpeech",
    "PcmResampler",
    "Recording",
    "Segment",
    "Source",
    "SpeechStream",
    "StressError",
    "TooLong",
    "Window",
    "cut_windows",
    "find_speech",
    "open_audio",
    "read_recording",
    "speech_stream",
]

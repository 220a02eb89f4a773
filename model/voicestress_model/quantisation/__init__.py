"""int8 for CPUs: an exported graph's products in eight bits, and what that costs, measured."""

from voicestress_model.quantisation.export import Int8Export, export_int8
from voicestress_model.quantisation.level_change import LevelChange, level_change
from voicestress_model.quantisation.quantise import LARGEST_LEVEL_CHANGE, quantise
from voicestress_model.quantisation.speech import CalibrationSpeech, read_calibration

__all__ = [
    "LARGEST_LEVEL_CHANGE",
    "CalibrationSpeech",
    "Int8Export",
    "LevelChange",
    "export_int8",
    "level_change",
    "quantise",
    "read_calibration",
]

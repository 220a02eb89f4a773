"""int8 for CPUs: an exported graph's products in eight bits, and what that costs, measured."""

from voicestress_model.quantisation.export import Int8Export, export_int8
from voicestress_model.quantisation.level_change import (
    LARGEST_LEVEL_CHANGE,
    LevelChange,
    compare_levels,
    graph_logits,
    level_change,
)
from voicestress_model.quantisation.quantise import quantise
from voicestress_model.quantisation.speech import CalibrationSpeech, read_calibration, read_measuring

__all__ = [
    "LARGEST_LEVEL_CHANGE",
    "CalibrationSpeech",
    "Int8Export",
    "LevelChange",
    "compare_levels",
    "export_int8",
    "graph_logits",
    "level_change",
    "quantise",
    "read_calibration",
    "read_measuring",
]

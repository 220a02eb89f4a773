"""The synthetic corpus: speech of text-to-speech engines, rendered again with prosody drawn per class."""

from voicestress_model.corpora.synthetic.engines import EngineError, missing_commands
from voicestress_model.corpora.synthetic.synthesis import SIZES, synthesize_corpus

__all__ = ["SIZES", "EngineError", "missing_commands", "synthesize_corpus"]

"""Corpora: labelled speech, read from a manifest or a known dataset, checked, and split by speaker."""

from voicestress_model.corpora.corpus import Corpus, Utterance, read_corpus
from voicestress_model.corpora.errors import CorpusError
from voicestress_model.corpora.manifest import write_manifest
from voicestress_model.corpora.recordings import Rejected, check_recordings
from voicestress_model.corpora.splits import split_by_speaker

__all__ = [
    "Corpus",
    "CorpusError",
    "Rejected",
    "Utterance",
    "check_recordings",
    "read_corpus",
    "split_by_speaker",
    "write_manifest",
]

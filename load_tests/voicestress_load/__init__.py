"""Load tests that can be believed: ``voicestress load``."""

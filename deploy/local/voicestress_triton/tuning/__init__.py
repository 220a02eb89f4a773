"""Settings of a model that fit a machine: ``voicestress tune`` measures a few and writes the best as a variant."""

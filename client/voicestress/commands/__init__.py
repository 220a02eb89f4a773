"""Subcommands that the thin client brings to the ``voicestress`` command."""

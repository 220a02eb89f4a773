"""Where the tests find what the repository ships."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
JFK_WAV = ROOT / "tests" / "data" / "jfk.wav"
MODEL_REPOSITORY = ROOT / "model_repository"

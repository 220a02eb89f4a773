"""Small and large numbers of the model's arithmetic.

They and those of ``geometry`` are used with the module's name before them, ``numerics.MASKED_SCORE``: that is how
TorchScript takes a number for a constant.
"""

from __future__ import annotations

PCM_SCALE = 1.0 / 32768.0
NORMALIZATION_EPS = 1e-7  # of Wav2Vec2FeatureExtractor.zero_mean_unit_var_norm
MASKED_SCORE = -1e4  # finite, so that a window without frames gives numbers, not NaN; its exponential is zero
SMALLEST_VARIANCE = 1e-5  # keeps the square root's gradient finite where all frames are alike

"""How Wav2Vec2's seven convolutions divide time; see Baevski et al. 2020 (wav2vec 2.0), section 2.

Every stride divides the total stride of 320 samples. That is what lets windows lie side by side in slots of 320
samples, and every convolution be a matrix product on the rows of those slots; see ``packed.py``.
"""

from __future__ import annotations

SAMPLE_RATE_HZ = 16_000
KERNELS = (10, 3, 3, 3, 3, 2, 2)
STRIDES = (5, 2, 2, 2, 2, 2, 2)

# What a model is exported to take unless it is told otherwise, and what it is trained and evaluated on.
SHORTEST_WINDOW_S, LONGEST_WINDOW_S = 0.5, 8.0

SLOT_SAMPLES = 320  # product of the strides: one frame every 20 ms
RECEPTIVE_FIELD_SAMPLES = 400
FIRST_KERNEL, FIRST_STRIDE = KERNELS[0], STRIDES[0]
ROWS_PER_SLOT = SLOT_SAMPLES // FIRST_STRIDE  # rows the first convolution makes of a slot

# The front end works in tiles. On a CPU they fit its cache: measured on two cores with 32 MB, this saves a tenth of the
# whole time at 5 s, and smaller ones save no more. A GPU would rather launch few kernels, and has the memory for 20 s
# at once, 130 MB in fp32 for a wav2vec2-base (reasoned, not measured: there was no GPU to measure on).
TILE_SLOTS = 64
GPU_TILE_SLOTS = 1024

# Attention, the position embedding and the head see the windows padded to the longest of their view. Up to so many
# windows none is padded, and each comes out the same to the last bit whoever is beside it. A window alone pays 2 % of a
# wav2vec2-base for the views that stay empty (measured); twice as many views would double the time an export takes.
VIEWS = 4


def frame_count(samples: int) -> int:
    """Number of 20 ms frames Wav2Vec2 makes of ``samples`` samples at 16 kHz.

    Follows from its seven convolutions (receptive field 400, stride 320). Returns 0 below 400 samples.
    """
    return max(0, (samples - RECEPTIVE_FIELD_SAMPLES) // SLOT_SAMPLES + 1)

"""Help for old and CUDA-only code."""

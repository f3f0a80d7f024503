"""What every room stands on: whole files, progress, provenance, compiled kernels."""

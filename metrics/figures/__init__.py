"""Metrics as pure functions of features, in NumPy and SciPy: arrays in, numbers out."""

"""The statistics of metrics, in NumPy and SciPy alone.

Metrics call them with features; no file or TensorFlow is involved.
"""

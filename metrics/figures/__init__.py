"""The statistics of metrics, in NumPy and SciPy alone."""

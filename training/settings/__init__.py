"""Turns flags into the settings of a run: configurations, checks, defaults.

run_training.py uses `flags` and `from_flags`, run_generator.py uses `picture_requests`. Only `resolved` loads
TensorFlow.
"""

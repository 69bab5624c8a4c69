"""Turns flags into the settings of a run: configurations, checks, defaults.

run_training.py uses `flags` and `from_flags`, train.py `train_flags` and `train_options`, run_generator.py
`picture_requests`. Only `resolved` loads TensorFlow.
"""

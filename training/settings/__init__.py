"""From flags to the settings of a run: configurations, published files, defaults.

run_training.py comes in through `flags`, run_generator.py through `picture_requests`. TensorFlow is not
needed here.
"""

"""What a run needs to resume: its state on disk, when that is written, and what --resume means.

`training.training_loop` writes the state, run_training.py finds it.
"""

"""What a run needs to resume: its state on disk, when it is written, and what --resume means.

`training.training_loop` keeps the state, run_training.py finds it again.
"""

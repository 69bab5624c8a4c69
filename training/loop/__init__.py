"""One training run: the graph of an iteration, the order of its ops, the schedule, and what is reported.

Used by `training.training_loop`, which puts these together.
"""

"""One training run: the graph of an iteration, which op runs when, what is reported.

`training.training_loop` puts these together and is the way in.
"""

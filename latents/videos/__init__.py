"""Videos: `drawing` of walks through the latents of a network, `training_progress` of a run's pictures.

`walks` says what every frame shows.
"""

"""The commands of run_generator.py. Command lines are parsed and checked without TensorFlow."""

from latents.commands import figures, published, video

ALL = {command.name: command for command in (*published.COMMANDS, *figures.COMMANDS, *video.COMMANDS)}

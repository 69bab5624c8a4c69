"""The commands of run_generator.py. Command lines are parsed and checked without TensorFlow."""

from latents.commands import published, video

ALL = {command.name: command for part in (published, video) for command in part.COMMANDS}

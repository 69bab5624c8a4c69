"""The commands of run_generator.py. Command lines are parsed and checked without TensorFlow."""

from latents.commands import figures, published

ALL = {command.name: command for part in (published, figures) for command in part.COMMANDS}

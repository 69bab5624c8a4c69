"""The commands of run_generator.py. Command lines are parsed and checked without TensorFlow."""

from latents.commands import published

ALL = {command.name: command for command in published.COMMANDS}

"""The commands of run_generator.py. Command lines are parsed and checked without TensorFlow."""

from latents.commands import figures, files, published, video

_COMMANDS = (*published.COMMANDS, *figures.COMMANDS, *video.COMMANDS, *files.COMMANDS)
ALL = {command.name: command for command in _COMMANDS}

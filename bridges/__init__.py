"""Network files for other code: what `export.py --to` writes, a module for each form.

Of all packages only `latents` imports this one, to draw with onnxruntime. A module of a form has

ABOUT    what the form is, in a line of --help.
FLAGS    {flag: keyword arguments of `add_argument`}; a flag that is not given is None.
NEEDS    {package: requirement for pip} of what the form needs besides the project's own requirements.
export(path, out_path, args) -> str
         writes the form of the network file `path` atomically, and returns what was written and what was left
         out. Raises UserError for a network that it cannot write, before anything that takes long.
"""

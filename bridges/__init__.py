"""Network files for other code: what `export.py --to` writes.

Nothing below the scripts imports this package. `tf1` writes files that the published code for TensorFlow 1.14
runs.
"""

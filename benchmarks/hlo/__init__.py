"""Compiled steps as files for XLA elsewhere: `export.write` is where it starts, xla_on_gpu.py runs them."""

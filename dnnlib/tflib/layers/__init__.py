"""Layers: each makes its variables in the current variable scope. `data_format` is the layout of rank-4 tensors."""

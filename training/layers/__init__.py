"""Layers: each makes its variables in the current variable scope.

The architectures in `training.networks_*` are built of these. `data_format` is the layout of rank-4
tensors.
"""

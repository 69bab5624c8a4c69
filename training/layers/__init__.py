"""Layers of which the architectures in `training.networks_*` are built.

Each layer creates its variables in the current variable scope. `data_format`, 'NCHW' or 'NHWC', is the layout
of images and feature maps; shapes in docstrings are NCHW.
"""

"""Processes that train together: who they are (`workers`) and whether all are alive (`link`).

TensorFlow is not needed here; `dnnlib.tflib.parallel` adds the devices.
"""

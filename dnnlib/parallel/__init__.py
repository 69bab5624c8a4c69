"""Processes that train together: which they are (`workers`) and whether all are alive (`link`).

Works without TensorFlow; `dnnlib.tflib.parallel` adds the devices.
"""

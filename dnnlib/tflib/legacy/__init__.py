"""Running the source texts of old network files, for trusted files only.

`execution.build_function` does that; the other modules are what such texts see as TensorFlow and dnnlib.
"""

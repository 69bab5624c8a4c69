"""Running the source texts of old network files, which only trusted files may do.

`execution.build_function` is the way in; the other modules are what such texts see as TensorFlow and dnnlib.
"""

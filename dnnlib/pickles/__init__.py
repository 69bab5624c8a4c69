"""Network files without TensorFlow: reading pickles without executing them, and what they hold.

`contents` reads a file as inert stand-ins, and `arrays` its arrays. `inspection` describes a file for
network_info.py. `dnnlib.tflib.network_pickle` builds networks from what is read here.
"""

"""Network files without TensorFlow: reading pickles safely, and what they say.

`contents` reads a file as inert stand-ins, and `arrays` its arrays; neither executes anything. `inspection`
describes a file for network_info.py. `dnnlib.tflib.network_pickle` builds networks of what is read here.
"""

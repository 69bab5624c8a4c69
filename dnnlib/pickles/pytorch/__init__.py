"""Files of PyTorch code: reading them without PyTorch and without executing anything inside.

What is found becomes the state of StyleGAN2-ADA's TensorFlow networks, so that the rest of the project sees a
file like any other.
"""

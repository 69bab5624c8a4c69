"""What the files of networks say. Nothing here builds a network, or needs TensorFlow."""

"""Data sets of what people have: folders and zip files of images of any size and format.

`create.create` is what dataset_tool.py create_from_images calls. Only it and the exporter know TensorFlow;
everything else runs in worker processes, too.
"""

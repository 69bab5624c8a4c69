"""Files of URLs: cached, resumed after interruptions, complete or not there at all.

`dnnlib.util.open_url` is the way in.
"""

"""Download files: cached, resumed after interruptions, complete or absent.

`dnnlib.util.open_url` calls `downloads`; the other modules are its parts.
"""

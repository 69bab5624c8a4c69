"""Draws pictures in the browser while one moves through the latents: a local server and its page.

`server.Explorer` is where it starts; explorer.py calls it. `page` is what the browser gets.
"""

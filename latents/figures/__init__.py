"""The figures of the StyleGAN papers as pictures: a module each, which lays out tiles and draws them.

Entry point: `draw` of a module, which run_generator.py submits. `compose` returns the published layout.
"""

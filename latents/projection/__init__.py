"""Finding dlatents and noise that make a generator draw a given image (StyleGAN2, appendix D).

Entry points: `projector.Projector`; `runs` projects what run_projector.py is given, and `commands` has its
commands.
"""

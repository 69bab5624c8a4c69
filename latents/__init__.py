"""What can be done with latents: projection, the figures of the papers, videos, a page to explore them.

Entry points: `projection`, `figures`, `videos` and `explorer`; `commands` has what run_generator.py offers.
"""

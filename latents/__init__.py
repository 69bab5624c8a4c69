"""What can be done with latents: projection, the figures of the papers, videos.

Entry points: `projection`, `figures` and `videos`; `commands` has what run_generator.py offers.
"""

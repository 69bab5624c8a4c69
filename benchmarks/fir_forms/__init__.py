"""Compares forms of the FIR filters of StyleGAN2: `forms` has them, `costs` asks XLA what they cost."""

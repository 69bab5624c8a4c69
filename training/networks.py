"""The networks of StyleGAN2-ADA by their published module name: `training.networks_stylegan2_ada`."""

from training.networks_stylegan2_ada import *  # noqa: F403  (published names)

"""Augmentation of what the discriminator sees (StyleGAN2-ADA): `training.augment` has the published names."""

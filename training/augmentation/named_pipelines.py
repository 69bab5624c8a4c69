"""The named pipelines of StyleGAN2-ADA: which transforms `augment_pipeline` applies."""

BLIT = ('xflip', 'rotate90', 'xint')
GEOM = ('scale', 'rotate', 'aniso', 'xfrac')
COLOR = ('brightness', 'contrast', 'lumaflip', 'hue', 'saturation')

PIPELINES = {
    'blit': BLIT,
    'geom': GEOM,
    'color': COLOR,
    'filter': ('imgfilter',),
    'noise': ('noise',),
    'cutout': ('cutout',),
    'bg': BLIT + GEOM,
    'bgc': BLIT + GEOM + COLOR,
    'bgcf': BLIT + GEOM + COLOR + ('imgfilter',),
    'bgcfn': BLIT + GEOM + COLOR + ('imgfilter', 'noise'),
    'bgcfnc': BLIT + GEOM + COLOR + ('imgfilter', 'noise', 'cutout'),
}


def multipliers(name):
    """Return the arguments of `augment_pipeline` for a named pipeline: 1 for each of its transforms."""
    return dict.fromkeys(PIPELINES[name], 1)

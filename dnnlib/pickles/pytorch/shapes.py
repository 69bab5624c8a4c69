"""Shapes of all parameters and buffers of stylegan2-ada-pytorch's networks, but for constant filters.

Both functions take the keyword arguments of StyleGAN2-ADA's TensorFlow networks, as `module_kwargs` finds
them.
"""


def generator(kwargs: dict) -> dict:
    """Return {name: shape} of a generator."""
    w_dim, label_size = kwargs['dlatent_size'], kwargs['label_size']
    num_labels = kwargs['label_fmaps'] if label_size else 0
    widths = [kwargs['latent_size'] + num_labels] + [kwargs['mapping_fmaps']] * (kwargs['mapping_layers'] - 1)
    return {
        'mapping.w_avg': (w_dim,),
        **(_dense('mapping.embed', label_size, num_labels) if label_size else {}),
        **_stack('mapping', [*widths, w_dim][:kwargs['mapping_layers'] + 1]),
        **_synthesis(kwargs, w_dim)}


def _synthesis(kwargs, w_dim):
    fmaps, last = _fmaps(kwargs), kwargs['resolution']
    shapes = {'synthesis.b4.const': (fmaps(4), 4, 4)}
    for resolution in _resolutions(last):
        block, size, below = f'synthesis.b{resolution}', fmaps(resolution), fmaps(resolution // 2)
        for layer, in_fmaps in (('conv0', below), ('conv1', size))[resolution == 4:]:
            shapes |= _conv(f'{block}.{layer}', in_fmaps, size)
            shapes |= _dense(f'{block}.{layer}.affine', w_dim, in_fmaps)
            if kwargs['use_noise']:
                shapes |= {f'{block}.{layer}.noise_strength': (),
                           f'{block}.{layer}.noise_const': (resolution, resolution)}
        if kwargs['architecture'] == 'skip' or resolution == last:
            shapes |= _conv(f'{block}.torgb', size, kwargs['num_channels'], kernel=1)
            shapes |= _dense(f'{block}.torgb.affine', w_dim, size)
        if kwargs['architecture'] == 'resnet' and resolution > 4:
            shapes[f'{block}.skip.weight'] = (size, below, 1, 1)
    return shapes


def discriminator(kwargs: dict) -> dict:
    """Return {name: shape} of a discriminator."""
    fmaps, architecture, channels = _fmaps(kwargs), kwargs['architecture'], kwargs['num_channels']
    size, label_size = fmaps(4), kwargs['label_size']
    num_labels = kwargs['mapping_fmaps'] if label_size else 0
    shapes = {}
    if label_size:
        shapes |= _dense('mapping.embed', label_size, num_labels)
        shapes |= _stack('mapping', [num_labels] * (kwargs['mapping_layers'] + 1))
    for resolution in _resolutions(kwargs['resolution']):
        block, here, below = f'b{resolution}', fmaps(resolution), fmaps(resolution // 2)
        if architecture == 'skip' or resolution == kwargs['resolution']:
            shapes |= _conv(f'{block}.fromrgb', channels, here, kernel=1)
        if resolution > 4:
            shapes |= _conv(f'{block}.conv0', here, here) | _conv(f'{block}.conv1', here, below)
            if architecture == 'resnet':
                shapes[f'{block}.skip.weight'] = (below, here, 1, 1)
    return {**shapes, **_conv('b4.conv', size + kwargs['mbstd_num_features'], size),
            **_dense('b4.fc', size * 16, size), **_dense('b4.out', size, num_labels or 1)}


def _resolutions(last):
    return [1 << log2 for log2 in range(2, last.bit_length())]


def _fmaps(kwargs):
    """Return the function from a resolution to the number of feature maps there."""
    return lambda resolution: min(kwargs['fmap_base'] * 2 // resolution, kwargs['fmap_max'])


def _conv(name, in_fmaps, out_fmaps, kernel=3):
    return {f'{name}.weight': (out_fmaps, in_fmaps, kernel, kernel), f'{name}.bias': (out_fmaps,)}


def _dense(name, in_fmaps, out_fmaps):
    return {f'{name}.weight': (out_fmaps, in_fmaps), f'{name}.bias': (out_fmaps,)}


def _stack(name, widths):
    """Return the shapes of fully connected layers between these widths."""
    shapes = {}
    for idx, (in_fmaps, out_fmaps) in enumerate(zip(widths, widths[1:], strict=False)):
        shapes |= _dense(f'{name}.fc{idx}', in_fmaps, out_fmaps)
    return shapes

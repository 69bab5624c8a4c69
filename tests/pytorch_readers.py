"""Read pickles as stylegan2-ada-pytorch and stylegan3 do, and build tiny networks from them in plain NumPy.

Both readers map the class Network to a stub and look up everything else as usual. They check the static
kwargs of the three networks, collect the variables and convert them. The networks here take images [N,C,H,W]
and weights [O,I,k,k] and [O,I].
"""

import pickle

import numpy as np

COMMON_KWARGS = {
    'label_size', 'resolution', 'num_channels', 'architecture', 'fmap_base', 'fmap_max', 'num_fp16_res',
    'conv_clamp', 'mapping_fmaps', 'mapping_layers', 'mapping_lrmul', 'nonlinearity', 'resample_kernel',
    'structure'}
G_KWARGS = COMMON_KWARGS | {
    'latent_size', 'dlatent_size', 'label_fmaps', 'mapping_nonlinearity', 'w_avg_beta', 'use_noise',
    'truncation_psi', 'truncation_cutoff', 'style_mixing_prob'}
D_KWARGS = COMMON_KWARGS | {'freeze_layers', 'mbstd_group_size', 'mbstd_num_features'}

GAIN = np.sqrt(2)  # of the leaky ReLU


class Stub:
    """Stands for a network in the file; its fields are attributes."""


class Reader(pickle.Unpickler):
    """Looks up names as Python with NumPy 1 does."""

    def find_class(self, module, name):
        if (module, name) == ('dnnlib.tflib.network', 'Network'):
            return Stub
        if module.startswith('numpy._core'):
            raise ModuleNotFoundError(f'No module named {module!r}')
        return super().find_class(module, name)


def read(path, kinds='GDG'):
    """Return the stubs (G, D, G_ema). Raises ValueError for files that the readers refuse.

    kinds: what the networks are taken for.
    """
    with open(path, 'rb') as file:
        networks = Reader(file).load()
    assert isinstance(networks, tuple)
    assert [type(net) for net in networks] == [Stub] * 3
    for net, kind in zip(networks, kinds, strict=True):
        allowed = {'G': G_KWARGS, 'D': D_KWARGS}[kind]
        if net.version < 4:
            raise ValueError('TensorFlow pickle version too low')
        for key in net.static_kwargs:
            if key not in allowed:
                raise ValueError('Unknown TensorFlow kwarg', key)
    return networks


def parameters(net, prefix=''):
    """Return {name: value} of a network and its sub-networks, with the keys of sub-networks as prefixes."""
    found = {prefix + name: np.asarray(value) for name, value in net.variables}
    for key, component in net.components.items():
        found.update(parameters(component, f'{prefix}{key}/'))
    return found


def dense(values, name):
    """Return weight [O,I] and bias [O] of a dense layer."""
    return values[name + '/weight'].T, values[name + '/bias']


def conv(values, name, flip=False):
    """Convert the weight of a convolution. -> [O,I,k,k]."""
    w = values[name + '/weight']
    return (w[::-1, ::-1] if flip else w).transpose(3, 2, 0, 1)


def style(values, name, dlatents):
    """Apply the affine layer of a modulated convolution. dlatents [N,W] -> [N,I]."""
    weight, bias = values[name + '/mod_weight'].T, values[name + '/mod_bias'] + 1
    return dlatents @ weight.T / np.sqrt(weight.shape[1]) + bias


def clipped(x, clamp):
    return x if clamp is None else np.clip(x, -clamp, clamp)


def lrelu(x, clamp=None):
    return clipped(np.where(x > 0, x, 0.2 * x) * GAIN, clamp)


def normalized(x):
    return x / np.sqrt(np.mean(x ** 2, axis=1, keepdims=True) + 1e-8)


def embedding(values, name, labels):
    """Embed labels [N,L] -> [N,F], of mean square 1."""
    weight, bias = dense(values, name)
    return normalized(labels @ weight.T / np.sqrt(weight.shape[1]) + bias)


def correlate(x, w, stride=1):
    """Correlate without padding. x [N,I,H,W], w [O,I,k,k] -> [N,O,H',W']."""
    windows = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], axis=(2, 3))[:, :, ::stride, ::stride]
    return np.einsum('nihwab,oiab->nohw', windows, w)


def pad(x, before, after):
    return np.pad(x, [(0, 0), (0, 0), (before, after), (before, after)])


def smooth(x, before, after, gain=1):
    """Pad and apply the low-pass filter [1,3,3,1]."""
    taps = np.outer([1, 3, 3, 1], [1, 3, 3, 1]) / 64 * gain
    windows = np.lib.stride_tricks.sliding_window_view(pad(x, before, after), (4, 4), axis=(2, 3))
    return np.einsum('nihwab,ab->nihw', windows, taps)


def zeros_between(x):
    """Insert zeros after every pixel. [N,C,H,W] -> [N,C,2*H,2*W]."""
    n, c, h, w = x.shape
    result = np.zeros([n, c, h, 2, w, 2])
    result[:, :, :, 0, :, 0] = x
    return result.reshape(n, c, 2 * h, 2 * w)


def mapping(values, kwargs, z, labels=None):
    """Run the mapping network. [N,Z], labels [N,L] or None -> [N,W]."""
    w_dim, num_layers = kwargs.get('dlatent_size', 512), kwargs.get('mapping_layers', 8)
    width, lrmul = kwargs.get('mapping_fmaps', w_dim), 0.01
    x = normalized(z)
    if labels is not None:
        x = np.concatenate([x, embedding(values, 'mapping/LabelEmbed', labels)], axis=1)
    widths = [x.shape[1]] + [width] * (num_layers - 1) + [w_dim]
    for i in range(num_layers):
        weight, bias = dense(values, f'mapping/Dense{i}')
        assert weight.shape == (widths[i + 1], widths[i])
        x = lrelu(x @ weight.T * (lrmul / np.sqrt(widths[i])) + bias * lrmul)
    return x


def synthesis_layer(values, name, noise, x, dlatents, clamp, up=False):
    """Apply modulated 3x3 convolution, noise, bias, activation and clamp."""
    weight = conv(values, name, flip=up)
    w = weight / np.sqrt(np.prod(weight.shape[1:]))
    w = w * style(values, name, dlatents)[:, np.newaxis, :, np.newaxis, np.newaxis]  # [N,O,I,k,k]
    w = w / np.sqrt(np.sum(w ** 2, axis=(2, 3, 4), keepdims=True) + 1e-8)
    if up:  # upsampling layers store the weights of a true convolution
        x, w = pad(zeros_between(x)[:, :, :-1, :-1], 2, 2), w[..., ::-1, ::-1]
    else:
        x = pad(x, 1, 1)
    x = np.concatenate([correlate(sample[np.newaxis], kernel) for sample, kernel in zip(x, w, strict=True)])
    x = smooth(x, 1, 1, gain=4) if up else x
    x = x + values[f'synthesis/{noise}'][0, 0] * values[name + '/noise_strength']
    return lrelu(x + values[name + '/bias'].reshape(-1, 1, 1), clamp)


def to_rgb(values, name, x, dlatents, clamp):
    weight = conv(values, name)
    styles = style(values, name, dlatents) / np.sqrt(weight.shape[1])
    x = correlate(x * styles[:, :, np.newaxis, np.newaxis], weight)
    return clipped(x + values[name + '/bias'].reshape(-1, 1, 1), clamp)


def generate(net, z, labels=None):
    """Generate images [N,C,H,W] of architecture 'skip', without truncation, with the stored noise."""
    values, kwargs = parameters(net), net.static_kwargs
    assert kwargs.get('architecture', 'skip') == 'skip'
    clamp = kwargs.get('conv_clamp')
    dlatents = mapping(values, kwargs, z, labels)
    x = np.repeat(values['synthesis/4x4/Const/const'], len(z), axis=0)
    x = synthesis_layer(values, 'synthesis/4x4/Conv', 'noise0', x, dlatents, clamp)
    image = to_rgb(values, 'synthesis/4x4/ToRGB', x, dlatents, clamp)
    for log2 in range(3, int(np.log2(kwargs.get('resolution', 1024))) + 1):
        block, noise = f'synthesis/{2 ** log2}x{2 ** log2}', 2 * log2 - 5
        channels = min(kwargs.get('fmap_base', 16384) * 2 // 2 ** log2, kwargs.get('fmap_max', 512))
        assert values[block + '/Conv1/weight'].shape == (3, 3, channels, channels)
        x = synthesis_layer(values, block + '/Conv0_up', f'noise{noise}', x, dlatents, clamp, up=True)
        x = synthesis_layer(values, block + '/Conv1', f'noise{noise + 1}', x, dlatents, clamp)
        image = smooth(zeros_between(image), 2, 1, gain=4)
        image = image + to_rgb(values, block + '/ToRGB', x, dlatents, clamp)
    return image


def group_deviations(x, group_size):
    """Add a channel with standard deviations over groups of samples. None: the minibatch is one group."""
    n, _, height, width = x.shape
    group = n if group_size is None else min(group_size, n)
    y = x.reshape(group, -1, *x.shape[1:])
    y = np.sqrt(np.mean((y - y.mean(axis=0)) ** 2, axis=0) + 1e-8).mean(axis=(1, 2, 3))  # [N/G]
    return np.concatenate([x, np.tile(y, group).reshape(n, 1, 1, 1) * np.ones([1, 1, height, width])], axis=1)


def scores(net, images, labels=None):
    """Compute scores [N,1] of architecture 'resnet' or 'orig'."""
    values, kwargs = parameters(net), net.static_kwargs
    architecture, clamp = kwargs.get('architecture', 'resnet'), kwargs.get('conv_clamp')
    assert architecture in ('resnet', 'orig')

    def layer(name, x, down=False):
        weight = conv(values, name)
        size = weight.shape[2]
        x = smooth(x, 2, 2) if down else pad(x, size // 2, size // 2)
        x = correlate(x, weight / np.sqrt(np.prod(weight.shape[1:])), stride=2 if down else 1)
        return lrelu(x + values[name + '/bias'].reshape(-1, 1, 1), clamp)

    def fully_connected(name, x):
        weight, bias = dense(values, name)
        return x @ weight.T / np.sqrt(weight.shape[1]) + bias

    resolution = kwargs.get('resolution', 1024)
    x = layer(f'{resolution}x{resolution}/FromRGB', images)
    for log2 in range(int(np.log2(resolution)), 2, -1):
        block, short = f'{2 ** log2}x{2 ** log2}', x
        x = layer(block + '/Conv1_down', layer(block + '/Conv0', x), down=True)
        if architecture == 'resnet':
            skip = conv(values, block + '/Skip')
            x = (x + correlate(smooth(short, 1, 1), skip / np.sqrt(skip.shape[1]), stride=2)) * np.sqrt(0.5)
    x = layer('4x4/Conv', group_deviations(x, kwargs.get('mbstd_group_size')))
    x = lrelu(fully_connected('4x4/Dense0', x.reshape(len(x), -1)))
    x = fully_connected('Output', x)
    if labels is None:
        return x
    return np.sum(x * embedding(values, 'LabelEmbed', labels), axis=1, keepdims=True) / np.sqrt(x.shape[1])

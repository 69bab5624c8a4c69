"""Stand-in: files of networks of either code as a dictionary of networks of this one.

Which keyword arguments, names and layouts files of TensorFlow have is told by `tests.pytorch_readers` and
`tests.pytorch_modules`.
"""

import pathlib
import pickle
import sys

import torch

from training import networks

sys.path.append(str(pathlib.Path(__file__).parents[3]))  # Last, as both sides have packages of one name.
from tests import pytorch_modules, pytorch_readers  # noqa: E402


def load_network_pkl(f):
    """Return {'G', 'D', 'G_ema', 'training_set_kwargs', 'augment_pipe'} of a binary file."""
    start = f.tell()
    try:
        data = pickle.load(f)
    except ModuleNotFoundError:  # Of TensorFlow.
        f.seek(start)
        G, D, G_ema = pytorch_readers.read(f.name)
        data = {'G': _generator(G), 'D': _discriminator(D), 'G_ema': _generator(G_ema)}
    return {'training_set_kwargs': None, 'augment_pipe': None, **data}


def _of(kwargs, names):
    """Return the arguments that the file has, by their names here; names: {name here: name there}."""
    return {here: kwargs[there] for here, there in names.items() if there in kwargs}


def _generator(net):
    kwargs = net.static_kwargs
    base = {'z_dim': 512, 'c_dim': 0, 'w_dim': 512, 'img_resolution': 1024, 'img_channels': 3}
    mapping = _of(kwargs, {
        'num_layers': 'mapping_layers', 'embed_features': 'label_fmaps', 'layer_features': 'mapping_fmaps',
        'activation': 'mapping_nonlinearity', 'lr_multiplier': 'mapping_lrmul', 'w_avg_beta': 'w_avg_beta'})
    synthesis = _of(kwargs, {
        'channel_max': 'fmap_max', 'num_fp16_res': 'num_fp16_res', 'conv_clamp': 'conv_clamp',
        'architecture': 'architecture', 'resample_filter': 'resample_kernel', 'use_noise': 'use_noise',
        'activation': 'nonlinearity'})
    base |= _of(kwargs, {'z_dim': 'latent_size', 'c_dim': 'label_size', 'w_dim': 'dlatent_size',
                         'img_resolution': 'resolution', 'img_channels': 'num_channels'})
    synthesis['channel_base'] = 2 * kwargs.get('fmap_base', 16384)
    module = networks.Generator(**base, mapping_kwargs=mapping, synthesis_kwargs=synthesis)
    return _filled(net, module, is_generator=True)


def _discriminator(net):
    kwargs = net.static_kwargs
    base = {'c_dim': 0, 'img_resolution': 1024, 'img_channels': 3} | _of(kwargs, {
        'c_dim': 'label_size', 'img_resolution': 'resolution', 'img_channels': 'num_channels',
        'architecture': 'architecture', 'channel_max': 'fmap_max', 'num_fp16_res': 'num_fp16_res',
        'conv_clamp': 'conv_clamp', 'cmap_dim': 'mapping_fmaps'})
    block = _of(kwargs, {'activation': 'nonlinearity', 'resample_filter': 'resample_kernel',
                         'freeze_layers': 'freeze_layers'})
    mapping = {'num_layers': kwargs.get('mapping_layers', 0),
               'lr_multiplier': kwargs.get('mapping_lrmul', 0.1),
               **_of(kwargs, {'embed_features': 'mapping_fmaps', 'layer_features': 'mapping_fmaps',
                              'activation': 'nonlinearity'})}
    epilogue = {'mbstd_group_size': kwargs.get('mbstd_group_size'),
                **_of(kwargs, {'mbstd_num_channels': 'mbstd_num_features', 'activation': 'nonlinearity'})}
    return _filled(net, networks.Discriminator(
        **base, channel_base=2 * kwargs.get('fmap_base', 16384), block_kwargs=block, mapping_kwargs=mapping,
        epilogue_kwargs=epilogue), is_generator=False)


def _filled(net, module, is_generator):
    """Fill all parameters and all buffers except those of filters, which are constants."""
    net.variables = [(name, value) for name, value in net.variables if name != 'lod']
    found = pytorch_modules.filled(net, is_generator)
    own = dict([*module.named_parameters(), *module.named_buffers()])
    own = {name: value for name, value in own.items() if not name.endswith('resample_filter')}
    assert own.keys() == found.keys(), own.keys() ^ found.keys()
    for name, value in own.items():
        with torch.no_grad():
            value.copy_(torch.from_numpy(found[name].copy()))
    return module.eval().requires_grad_(False)

"""Tiny generators of all kinds that export.py writes as graphs, and what they compute."""

import numpy as np

import dnnlib.tflib as tflib
from tests.golden_figures import QUICK, fresh_session
from training import misc

MINIBATCHES = (1, 2, 5)
PSI = 0.6
SIZES = dict(resolution=8, fmap_max=4, latent_size=4, num_channels=3)
STYLED = dict(SIZES, dlatent_size=6, mapping_fmaps=4, mapping_layers=2)
STYLEGAN2 = dict(STYLED, func_name='training.networks_stylegan2.G_main')
REVISED = dict(STYLEGAN2, synthesis_func='G_synthesis_stylegan_revised')
STYLEGAN = dict(STYLED, func_name='training.networks_stylegan.G_style', truncation_cutoff=3)
ADA = dict(STYLED, func_name='training.networks_stylegan2_ada.G_main')
NETWORKS = {
    'skip': STYLEGAN2,  # config F and, narrower, E
    'resnet, labels': dict(STYLEGAN2, architecture='resnet', label_size=3),
    'revised': REVISED,  # configs B to D
    'revised, fading': dict(REVISED, lod=1.4),
    'stylegan': STYLEGAN,  # config A
    'stylegan, fading': dict(STYLEGAN, lod=0.5),
    'stylegan without noise': dict(STYLEGAN, use_noise=False),
    'ada, labels, grey, oblong, float16': dict(
        ADA, label_size=2, num_channels=1, base_shape=[3, 5], num_fp16_res=2, conv_clamp=256),
    'progan': dict(SIZES, func_name='training.networks_progan.G_paper', label_size=2),
}


def write(path, lod=0.0, **kwargs):
    """Write a generator with random weights -> inputs and outputs for each of MINIBATCHES, {name: array}."""
    with fresh_session(QUICK):
        Gs = tflib.Network('Gs', **kwargs)
        rnd = np.random.RandomState(1)
        values = {var: lod if name.endswith('lod') else rnd.randn(*var.shape.as_list())
                  for name, var in Gs.vars.items()}
        if 'dlatent_avg' in Gs.vars:
            values[Gs.vars['dlatent_avg']] *= 0.01  # as small as the dlatents of these weights
        tflib.set_vars(values)
        misc.save_pkl(Gs, path)
        return [_computed(Gs, rnd, minibatch) for minibatch in MINIBATCHES]


def _computed(Gs, rnd, minibatch):
    label_size = Gs.input_shapes[1][1]
    latents = rnd.randn(minibatch, Gs.input_shape[1]).astype(np.float32)
    arrays = {'latents': latents}
    if label_size:
        arrays['labels'] = np.eye(label_size, dtype=np.float32)[np.arange(minibatch) % label_size]
    inputs = [latents, arrays.get('labels')]
    options = dict(randomize_noise=False, num_fp16_res=0)
    uint8 = dict(func=tflib.convert_images_to_uint8, nchw_to_nhwc=True)
    arrays['images'] = Gs.run(*inputs, truncation_psi=PSI, **options)
    arrays['uint8'] = Gs.run(*inputs, truncation_psi=PSI, output_transform=uint8, **options)
    if 'mapping' in Gs.components:
        arrays['dlatents'] = Gs.components.mapping.run(*inputs)  # not truncated
        arrays['synthesis'] = Gs.components.synthesis.run(arrays['dlatents'], **options)
    return arrays

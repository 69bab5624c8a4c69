"""States of StyleGAN2-ADA's TensorFlow networks, as their pickles have them."""

import numpy as np

from dnnlib.pickles import source_text
from dnnlib.pickles.arrays import StoredArray
from dnnlib.pickles.stored_network import StoredNetwork

_MODULE = 'training.networks_stylegan2_ada'


def generator(name, kwargs, variables) -> dict:
    """Return the state of a generator with its sub-networks.

    variables: [(variable, array)] for each sub-network by its key, and '' for the generator's own.
    """
    layers = {'dlatent_broadcast': 2 * kwargs['resolution'].bit_length() - 4}
    components = {'synthesis': _component('G_synthesis', kwargs, variables['synthesis']),
                  'mapping': _component('G_mapping', kwargs | layers, variables['mapping'])}
    return _state(name, 'G_main', kwargs, variables[''], components)


def discriminator(name, kwargs, variables) -> dict:
    """Return the state of a discriminator with variables [(variable, array)]."""
    return _state(name, 'D_main', kwargs, variables, {})


def _component(name, kwargs, variables):
    stored = StoredNetwork()
    stored.set_state(_state(name, name, kwargs, variables, {}))
    return stored


def _state(name, func, kwargs, variables, components):
    return {'version': 5, 'name': name, 'static_kwargs': dict(kwargs), 'components': components,
            'build_module_src': source_text.of_name(_MODULE), 'build_func_name': func,
            'variables': [(variable, _stored(value)) for variable, value in variables]}


def _stored(value):
    stored = StoredArray()
    with np.errstate(over='ignore'):  # Infinite numbers are the file's affair.
        stored.numpy = np.asarray(value, np.float32)
    return stored

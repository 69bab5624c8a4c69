"""What tests run in a Python with PyTorch, with a checkout first on its path: build and read networks.

`python torch_side.py CHECKOUT JOBS.json`, a list of {"do": name of a function below, ...its arguments}.
Results are .npz files: dlatents, truncated images and one image without truncation of each generator, with
constant noise and in float32, and scores of the truncated images.
"""

import copy
import importlib.util
import json
import pickle
import sys

import numpy as np
import torch

CPU = dict(noise_mode='const', force_fp32=True)


def networks_module():
    """Return the module of networks: that of stylegan2-ada-pytorch, or of stylegan3."""
    name = 'training.networks'
    return importlib.import_module(name if importlib.util.find_spec(name) else f'{name}_stylegan2')


def built(kind, kwargs):
    """Return a network of random values, none of them 0."""
    module = networks_module()
    if 'stylegan2' in module.__name__:
        kwargs = {**kwargs, **kwargs.pop('synthesis_kwargs', {})}
    net = getattr(module, kind)(**kwargs)
    for name, value in [*net.named_parameters(), *net.named_buffers()]:
        if name.endswith(('bias', 'noise_strength', 'w_avg')):
            with torch.no_grad():
                value.add_(torch.randn(value.shape) * (10 if '.fc' in f'.{name}' else 0.3))
    return net.eval().requires_grad_(False)


def write(path, results, G, D, seed=0, samples=4):
    """Build networks and pickle them as the training does."""
    torch.manual_seed(seed)
    nets = {'G': built('Generator', G), 'D': built('Discriminator', D)}
    nets['G_ema'] = copy.deepcopy(nets['G'])
    for value in [*nets['G_ema'].parameters(), nets['G_ema'].mapping.w_avg]:
        value.mul_(1.01)
    with open(path, 'wb') as file:
        pickle.dump({'training_set_kwargs': {}, **nets, 'augment_pipe': None}, file)
    evaluate(nets, results, seed, samples)


def read(path, results, seed=0, samples=4):
    """Open a file of either code by the checkout's reader."""
    legacy = importlib.import_module('legacy')
    with open(path, 'rb') as file:
        nets = legacy.load_network_pkl(file)
    evaluate({name: nets[name] for name in ('G', 'D', 'G_ema')}, results, seed, samples)


def snippet(code, results, names, seed=0, samples=4):
    """Run the documented lines, which define `load`, and load networks by it."""
    space = {}
    exec(code, space)
    evaluate({name: space['load'](name) for name in names}, results, seed, samples)


@torch.no_grad()
def evaluate(nets, path, seed, samples):
    """Write what the networks compute of latents and labels that the seed determines."""
    rng = np.random.default_rng(seed)
    found = {}
    for name, net in nets.items():
        c = np.eye(max(net.c_dim, 1), dtype=np.float32)[np.arange(samples) % max(net.c_dim, 1), :net.c_dim]
        if name == 'D':
            images = found.get('G_images', rng.standard_normal(
                [samples, net.img_channels, net.img_resolution, net.img_resolution]).astype(np.float32))
            found |= dict(c=c, images=images)
            found['scores'] = net(torch.from_numpy(images), torch.from_numpy(c), force_fp32=True).numpy()
            continue
        found.setdefault('z', rng.standard_normal([samples, net.z_dim]))
        z, labels = torch.from_numpy(found['z']), torch.from_numpy(c)
        found |= {'c': c, f'{name}_w': net.mapping(z, labels)[:, 0].numpy(),
                  f'{name}_images': net(z, labels, truncation_psi=0.7, **CPU).numpy(),
                  f'{name}_images_full': net(z[:1], labels[:1], **CPU).numpy()}
    np.savez(path, **found)


def main(checkout, jobs):
    """Run all jobs of a file."""
    sys.path.insert(0, checkout)
    with open(jobs, encoding='utf-8') as file:
        for job in json.load(file):
            globals()[job.pop('do')](**job)


if __name__ == '__main__':
    main(*sys.argv[1:])

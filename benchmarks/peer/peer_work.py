"""Run the peer's side in its own interpreter: python peer_work.py REPO WORK ARGUMENTS.

Uses the public interface of the checkout in the folder REPO. The code must run in Python 3.7, and of this
project it imports only worker.py beside this file, as the packages of both projects have the same names.

Each kind of work is a function that prepares it and returns the function to measure. `folder`: an empty
folder.
"""

import copy
import gzip
import importlib
import json
import os
import pickle
import platform
import subprocess
import sys

import worker

Z_DIM = W_DIM = 512
MINIBATCH = 16
G_REG_INTERVAL, D_REG_INTERVAL = 4, 16  # minibatches
LEARNING_RATE = 0.002
G_SMOOTHING_KIMG = 10
MODULES = ('numpy', 'torch', 'PIL', 'dnnlib', 'legacy', 'training.networks', 'training.loss')


def _network(name, resolution, num_channels=3, channel_base=32768, channel_max=512):
    """Build the 'Generator' or 'Discriminator' of StyleGAN2's config F in float32."""
    import dnnlib
    width = dict(channel_base=channel_base, channel_max=channel_max, num_fp16_res=0, conv_clamp=None)
    if name == 'Generator':
        more = dict(z_dim=Z_DIM, w_dim=W_DIM, mapping_kwargs=dict(num_layers=8), synthesis_kwargs=width)
    else:
        more = dict(epilogue_kwargs=dict(mbstd_group_size=4), **width)
    net = dnnlib.util.construct_class_by_name(
        class_name='training.networks.' + name, c_dim=0, img_resolution=resolution,
        img_channels=num_channels, **more)
    return net.train().requires_grad_(False)


def _draw(G, z, noise_mode):
    """Generate images. z float32 [N,512] -> uint8 [N,C,H,W]."""
    import torch
    with torch.no_grad():
        labels = torch.zeros([len(z), 0])
        images = G(torch.from_numpy(z), labels, truncation_psi=0.5, noise_mode=noise_mode)
        return (images * 127.5 + 128).clamp(0, 255).to(torch.uint8).numpy()


def _latents(count):
    import numpy as np
    return np.random.RandomState(1).randn(count, Z_DIM).astype(np.float32)


def generate(folder, resolution, minibatch):
    """Prepare the generation of uint8 images with psi 0.5 and fresh noise."""
    G = _network('Generator', resolution).eval()
    z = _latents(minibatch)
    return lambda: _draw(G, z, noise_mode='random')


def train(folder, mnist_dir, fmap_base, fmap_max):
    """Prepare 16 iterations, in which the regularizers run 4 times for G and once for D. Images are in
    memory."""
    import numpy as np
    import torch

    import dnnlib
    reals = _mnist(mnist_dir)
    width = dict(resolution=reals.shape[2], num_channels=1, channel_base=2 * fmap_base, channel_max=fmap_max)
    G, D = _network('Generator', **width), _network('Discriminator', **width)
    G_ema = copy.deepcopy(G).eval()
    loss = dnnlib.util.construct_class_by_name(
        class_name='training.loss.StyleGAN2Loss', device=torch.device('cpu'), G_mapping=G.mapping,
        G_synthesis=G.synthesis, D=D, augment_pipe=None, style_mixing_prob=0.9, r1_gamma=10,
        pl_batch_shrink=2, pl_decay=0.01, pl_weight=2)
    G_opt, D_opt = _optimizer(G, G_REG_INTERVAL), _optimizer(D, D_REG_INTERVAL)
    phases = [('Gmain', G, G_opt, 1), ('Greg', G, G_opt, G_REG_INTERVAL),
              ('Dmain', D, D_opt, 1), ('Dreg', D, D_opt, D_REG_INTERVAL)]
    rnd, no_labels = np.random.RandomState(1), torch.zeros([MINIBATCH, 0])

    def iterations():
        for idx in range(D_REG_INTERVAL):
            pixels = torch.from_numpy(reals[rnd.randint(len(reals), size=MINIBATCH)])
            images = pixels.to(torch.float32) / 127.5 - 1
            for phase, net, opt, interval in phases:
                if idx % interval == 0:
                    opt.zero_grad(set_to_none=True)
                    net.requires_grad_(True)
                    loss.accumulate_gradients(
                        phase=phase, real_img=images, real_c=no_labels, gen_c=no_labels,
                        gen_z=torch.randn([MINIBATCH, Z_DIM]), sync=True, gain=interval)
                    net.requires_grad_(False)
                    opt.step()
            _average(G, G_ema)

    return iterations


def _mnist(folder):
    """Read the images of MNIST or Fashion-MNIST, padded from 28x28. -> uint8 [N,1,32,32]."""
    import numpy as np
    with gzip.open(os.path.join(folder, 'train-images-idx3-ubyte.gz')) as file:
        pixels = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)
    return np.pad(pixels, [(0, 0), (0, 0), (2, 2), (2, 2)])


def _optimizer(net, reg_interval):
    """Build Adam for lazy regularization (StyleGAN2, appendix B)."""
    import torch
    share = reg_interval / (reg_interval + 1)
    return torch.optim.Adam(net.parameters(), lr=LEARNING_RATE * share, betas=(0.0, 0.99 ** share))


def _average(G, G_ema):
    """Update the moving average of the weights."""
    import torch
    beta = 0.5 ** (MINIBATCH / (G_SMOOTHING_KIMG * 1000))
    with torch.no_grad():
        for average, value in zip(G_ema.parameters(), G.parameters()):
            average.copy_(torch.lerp(value, average, beta))
        for average, value in zip(G_ema.buffers(), G.buffers()):
            average.copy_(value)


def first_image(folder, resolution):
    """Prepare a process that opens a network file and writes one image, measured from start to end."""
    path, image = os.path.join(folder, 'network.pkl'), os.path.join(folder, 'image.png')
    command = [sys.executable, __file__, sys.path[0]]
    written = json.dumps(dict(path=path, resolution=resolution))
    subprocess.run(command + ['write_pickle', written], check=True)
    drawn = json.dumps(dict(path=path, image=image))
    return lambda: subprocess.run(command + ['write_image', drawn], check=True)


def write_pickle(path, resolution):
    """Write a network file as training does."""
    G = _network('Generator', resolution).eval()
    D = _network('Discriminator', resolution).eval()
    networks = dict(G=G, D=D, G_ema=copy.deepcopy(G), training_set_kwargs=None, augment_pipe=None)
    with open(path, 'wb') as file:
        pickle.dump(networks, file)


def write_image(path, image):
    """Write the first image of a network file."""
    import legacy
    import PIL.Image
    with open(path, 'rb') as file:
        G = legacy.load_network_pkl(file)['G_ema']
    pixels, = _draw(G, _latents(1), noise_mode='const')
    PIL.Image.fromarray(pixels.transpose(1, 2, 0)).save(image)  # [C,H,W] -> [H,W,C]


def check():
    """Write the name of a missing module, or the versions of all, as JSON to stdout."""
    say = worker.take_stdout()
    try:
        for name in MODULES:
            importlib.import_module(name)
    except ModuleNotFoundError as error:
        say({'missing': error.name})
        return
    versions = {name: str(importlib.import_module(name).__version__) for name in ('torch', 'numpy')}
    say({'versions': dict(Python=platform.python_version(), **versions),
         'glibc': platform.libc_ver()[0] == 'glibc'})


WORK = {function.__name__: function for function in (generate, train, first_image)}
PROGRAMS = {function.__name__: function for function in (check, write_pickle, write_image)}


def main(repo, name, arguments='{}'):
    """Run a program, or prepare work and serve measurements. `arguments`: in JSON."""
    sys.path[0] = repo  # replaces the folder of this file
    arguments = json.loads(arguments)
    if name in PROGRAMS:
        PROGRAMS[name](**arguments)
    else:
        worker.serve(lambda: WORK[name](**arguments))


if __name__ == '__main__':
    main(*sys.argv[1:])

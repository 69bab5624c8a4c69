"""Write stand-ins for a checkout of stylegan2-ada-pytorch and for a Python with PyTorch."""

import sys

# The part of PyTorch that the peer's side uses, on NumPy. The checkout determines the size of images.
TORCH = '''\
import contextlib
import numpy as np
__version__ = 'stand-in'
uint8, float32 = np.uint8, np.float32

class Tensor(np.ndarray):
    def clamp(self, low, high):
        return np.clip(self, low, high)
    def to(self, dtype):
        return self.astype(dtype)
    def copy_(self, value):
        self[...] = value
    def numpy(self):
        return np.asarray(self)

def from_numpy(array):
    return array.view(Tensor)
def zeros(shape):
    return from_numpy(np.zeros(shape, np.float32))
def randn(shape):
    return from_numpy(np.random.randn(*shape).astype(np.float32))
def lerp(start, end, weight):
    return start + (end - start) * weight
def device(name):
    return name
def no_grad():
    return contextlib.nullcontext()

class Adam:
    def __init__(self, params, lr, betas):
        assert [type(beta) for beta in betas] == [float, float]
        self.params = list(params)
    def zero_grad(self, set_to_none):
        pass
    def step(self):
        for param in self.params:
            param += 1

class optim:
    Adam = Adam
'''

# Everything takes ten times as long without huge pages.
NETWORKS = '''\
import os
import time
import torch

CALLS = {calls}

def work():
    global CALLS
    CALLS -= 1
    if CALLS < 0:
        raise MemoryError('out of stand-in memory')
    time.sleep(0.003 if 'GLIBC_TUNABLES' in os.environ else 0.03)

class Network:
    def __init__(self, c_dim, img_resolution, img_channels, **kwargs):
        assert c_dim == 0
        self.shape = [img_channels, img_resolution, img_resolution]
        self.weight = torch.zeros([3])
        self.average = torch.zeros([2])
        self.trainable = self.training = None
    def train(self):
        self.training = True
        return self
    def eval(self):
        self.training = False
        return self
    def requires_grad_(self, trainable):
        self.trainable = trainable
        return self
    def parameters(self):
        return [self.weight]
    def buffers(self):
        return [self.average]

class Generator(Network):
    def __init__(self, z_dim, w_dim, mapping_kwargs, synthesis_kwargs, **kwargs):
        super().__init__(**kwargs)
        self.synthesis_kwargs = synthesis_kwargs
        self.mapping, self.synthesis = 'mapping', 'synthesis'
    def __call__(self, z, c, truncation_psi, noise_mode):
        assert not self.training and z.shape == (len(c), 512) and truncation_psi == 0.5
        print('a line of the checkout')
        work()
        return torch.zeros([len(z), *self.shape])

class Discriminator(Network):
    def __init__(self, channel_base, channel_max, num_fp16_res, conv_clamp, epilogue_kwargs, **kwargs):
        super().__init__(**kwargs)
'''

LOSS = '''\
from training.networks import work

class StyleGAN2Loss:
    def __init__(self, device, G_mapping, G_synthesis, D, **kwargs):
        self.D = D
        self.phases = []
    def accumulate_gradients(self, phase, real_img, real_c, gen_z, gen_c, sync, gain):
        assert real_img.shape == (16, 1, 32, 32) and gen_z.shape == (16, 512)
        assert -1 <= real_img.min() < real_img.max() <= 1
        assert self.D.trainable == phase.startswith('D')
        self.phases.append(phase)
        if len(self.phases) % 37 == 0:  # of 16 iterations
            assert [self.phases.count(name) for name in ('Gmain', 'Greg', 'Dmain', 'Dreg')] == [16, 4, 16, 1]
            self.phases.clear()
            work()
'''

DNNLIB = '''\
import importlib

def construct_class_by_name(class_name, **kwargs):
    module, name = class_name.rsplit('.', 1)
    return getattr(importlib.import_module(module), name)(**kwargs)
'''

LEGACY = '''\
import pickle

def load_network_pkl(file):
    networks = pickle.load(file)
    assert {'G', 'D', 'G_ema', 'training_set_kwargs', 'augment_pipe'} == networks.keys()
    return networks
'''


def write_repo(folder, calls=10 ** 9):
    """Write the checkout. Its networks fail after `calls` calls. -> folder."""
    files = {'legacy.py': LEGACY, 'dnnlib/__init__.py': 'from . import util', 'dnnlib/util.py': DNNLIB,
             'torch_utils/persistence.py': '', 'training/loss.py': LOSS,
             'training/networks.py': NETWORKS.replace('{calls}', str(calls))}
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding='utf-8')
    return folder


def write_python(folder, torch=TORCH):
    """Write a program that runs this Python with `torch` as the text of the module torch, or without the
    module if it is None. -> path of the program."""
    modules = folder / 'modules'
    modules.mkdir(parents=True)
    if torch is not None:
        (modules / 'torch.py').write_text(torch, encoding='utf-8')
    program = folder / 'python'
    program.write_text(f'#!/bin/sh\nPYTHONPATH={modules} exec {sys.executable} "$@"\n', encoding='utf-8')
    program.chmod(0o755)
    return program

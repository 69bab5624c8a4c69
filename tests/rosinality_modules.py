"""StyleGAN2 in PyTorch under the names of rosinality's modules, written from the formulas of the paper.

`python -m tests.rosinality_modules` writes the checkpoints in tests/samples, and the images and scores that
PyTorch computes. It needs the extra `pytorch`; the tests that read these files do not.
"""

import argparse
import pathlib

import numpy as np
import torch
from torch import nn
from torch.nn import functional

SAMPLES = pathlib.Path(__file__).parent / 'samples'
FMAPS = {4: 8, 8: 8, 16: 4}
GREY_FMAPS = {4: 6, 8: 6, 16: 6, 32: 6}


def activated(x, bias):
    """Return sqrt(2) * leaky ReLU of x [N,C,...] plus the bias [C]."""
    return 2 ** 0.5 * functional.leaky_relu(x + bias.reshape(1, -1, *[1] * (x.ndim - 2)), 0.2)


class Filter(nn.Module):
    """The filter [1,3,3,1] with a gain."""

    def __init__(self, gain, pad):
        super().__init__()
        taps = torch.tensor([1., 3., 3., 1.])
        self.register_buffer('kernel', taps[:, None] * taps / 64 * gain)
        self._pad = pad

    def forward(self, x):
        x = functional.pad(x, self._pad * 2)
        filtered = functional.conv2d(x.flatten(0, 1)[:, None], self.kernel[None, None])  # [N*C,1,H,W]
        return filtered.reshape(*x.shape[:2], *filtered.shape[2:])


class Dense(nn.Module):
    """Dense layer with an equalized learning rate."""

    def __init__(self, in_fmaps, out_fmaps, lrmul=1., bias=0., act=False):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_fmaps, in_fmaps) / lrmul)
        self.bias = nn.Parameter(bias + torch.randn(out_fmaps) * 0.3 / lrmul)
        self._lrmul, self._act = lrmul, act

    def forward(self, x):
        x = x @ (self.weight * self._lrmul / self.weight.shape[1] ** 0.5).T
        return activated(x, self.bias * self._lrmul) if self._act else x + self.bias * self._lrmul


class Normalized(nn.Module):
    """Latents of mean square 1."""

    def forward(self, z):
        return z / (z.square().mean(1, keepdim=True) + 1e-8).sqrt()


class Modulated(nn.Module):
    """Modulated convolution (StyleGAN2, Eq. 1-3)."""

    def __init__(self, in_fmaps, out_fmaps, kernel, dlatent_size, up=False, demodulate=True):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1, out_fmaps, in_fmaps, kernel, kernel))
        self.modulation = Dense(dlatent_size, in_fmaps, bias=1.)
        if up:
            self.blur = Filter(gain=4, pad=(1, 1))
        self._up, self._demodulate = up, demodulate

    def forward(self, x, w):
        weight, style = self.weight[0] / self.weight[0, 0].numel() ** 0.5, self.modulation(w)
        x = x * style[:, :, None, None]
        if self._up:  # Kernels of a transposed convolution are flipped.
            x = self.blur(functional.conv_transpose2d(x, weight.transpose(0, 1), stride=2))
        else:
            x = functional.conv2d(x, weight, padding=weight.shape[-1] // 2)
        if self._demodulate:
            squares = torch.einsum('oikl,ni->no', weight.square(), style.square())
            x = x * (squares + 1e-8).rsqrt()[:, :, None, None]
        return x


class Noise(nn.Module):
    """Strength of noise."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(1) * 0.3)


class Bias(nn.Module):
    """Bias before the activation."""

    def __init__(self, fmaps):
        super().__init__()
        self.bias = nn.Parameter(torch.randn(fmaps) * 0.3)

    def forward(self, x):
        return activated(x, self.bias)


class Layer(nn.Module):
    """Convolution, noise and activation."""

    def __init__(self, in_fmaps, out_fmaps, dlatent_size, up=False):
        super().__init__()
        self.conv = Modulated(in_fmaps, out_fmaps, 3, dlatent_size, up)
        self.noise, self.activate = Noise(), Bias(out_fmaps)

    def forward(self, x, w, noise):
        return self.activate(self.conv(x, w) + self.noise.weight * noise)


class ToRGB(nn.Module):
    """Image of feature maps, plus that of half the resolution."""

    def __init__(self, fmaps, num_channels, dlatent_size, up=True):
        super().__init__()
        if up:
            self.upsample = Filter(gain=4, pad=(2, 1))
        self.conv = Modulated(fmaps, num_channels, 1, dlatent_size, demodulate=False)
        self.bias = nn.Parameter(torch.randn(1, num_channels, 1, 1) * 0.3)

    def forward(self, x, w, image=None):
        x = self.conv(x, w) + self.bias
        if image is None:
            return x
        wide = image.new_zeros([*image.shape[:2], 2 * image.shape[2], 2 * image.shape[3]])
        wide[:, :, ::2, ::2] = image
        return x + self.upsample(wide)


class Input(nn.Module):
    """The learned constant."""

    def __init__(self, fmaps):
        super().__init__()
        self.input = nn.Parameter(torch.randn(1, fmaps, 4, 4))


class Generator(nn.Module):
    """Generator of the architecture 'skip'. fmaps: {resolution: feature maps}."""

    def __init__(self, fmaps, size, depth, num_channels=3):
        super().__init__()
        resolutions = sorted(fmaps)
        self.style = nn.Sequential(Normalized(), *(Dense(size, size, 0.01, act=True) for _ in range(depth)))
        self.input = Input(fmaps[4])
        self.conv1, self.to_rgb1 = Layer(fmaps[4], fmaps[4], size), ToRGB(fmaps[4], num_channels, size, False)
        self.convs, self.to_rgbs, self.noises = nn.ModuleList(), nn.ModuleList(), nn.Module()
        for res in resolutions[1:]:
            self.convs.append(Layer(fmaps[res // 2], fmaps[res], size, up=True))
            self.convs.append(Layer(fmaps[res], fmaps[res], size))
            self.to_rgbs.append(ToRGB(fmaps[res], num_channels, size))
        for idx in range(2 * len(resolutions) - 1):
            side = resolutions[(idx + 1) // 2]
            self.noises.register_buffer(f'noise_{idx}', torch.randn(1, 1, side, side))

    def forward(self, w):
        """Draw images of dlatents [N,dlatent_size]."""
        noises = [getattr(self.noises, f'noise_{idx}') for idx in range(len(self.convs) + 1)]
        x = self.conv1(self.input.input.repeat(len(w), 1, 1, 1), w, noises[0])
        image = self.to_rgb1(x, w)
        for idx, to_rgb in enumerate(self.to_rgbs):
            x = self.convs[2 * idx](x, w, noises[2 * idx + 1])
            x = self.convs[2 * idx + 1](x, w, noises[2 * idx + 2])
            image = to_rgb(x, w, image)
        return image


class Conv(nn.Module):
    """Convolution with an equalized learning rate and without a bias."""

    def __init__(self, in_fmaps, out_fmaps, kernel, down=False):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_fmaps, in_fmaps, kernel, kernel))
        self._options = dict(stride=2) if down else dict(padding=kernel // 2)

    def forward(self, x):
        return functional.conv2d(x, self.weight / self.weight[0].numel() ** 0.5, **self._options)


class Block(nn.Module):
    """Residual block of the discriminator."""

    def __init__(self, in_fmaps, out_fmaps):
        super().__init__()
        self.conv1 = nn.Sequential(Conv(in_fmaps, in_fmaps, 3), Bias(in_fmaps))
        conv2, skip = (Conv(in_fmaps, out_fmaps, kernel, down=True) for kernel in (3, 1))
        self.conv2 = nn.Sequential(Filter(1, (2, 2)), conv2, Bias(out_fmaps))
        self.skip = nn.Sequential(Filter(1, (1, 1)), skip)

    def forward(self, x):
        return (self.conv2(self.conv1(x)) + self.skip(x)) / 2 ** 0.5


class Discriminator(nn.Module):
    """Discriminator of the architecture 'resnet'."""

    def __init__(self, fmaps, num_channels=3):
        super().__init__()
        resolutions = sorted(fmaps, reverse=True)
        top = fmaps[resolutions[0]]
        self.convs = nn.Sequential(nn.Sequential(Conv(num_channels, top, 1), Bias(top)),
                                   *(Block(fmaps[res], fmaps[res // 2]) for res in resolutions[:-1]))
        self.final_conv = nn.Sequential(Conv(fmaps[4] + 1, fmaps[4], 3), Bias(fmaps[4]))
        self.final_linear = nn.Sequential(Dense(fmaps[4] * 16, fmaps[4], act=True), Dense(fmaps[4], 1))

    def forward(self, images):
        x = self.convs(images)
        groups = x.unflatten(0, (min(4, len(x)), -1))  # [N,C,H,W] -> [G,M,C,H,W]
        std = (groups.var(0, unbiased=False) + 1e-8).sqrt().mean([1, 2, 3])  # [M]
        std = std.repeat(len(groups))[:, None, None, None].expand(-1, 1, *x.shape[2:])
        return self.final_linear(self.final_conv(torch.cat([x, std], 1)).flatten(1))


def _optimizer(net, images_or_dlatents):
    """Return the state of an optimizer after a step that changes nothing."""
    optimizer = torch.optim.Adam(net.parameters(), lr=0., betas=(0., 0.99))
    net(images_or_dlatents).mean().backward()
    optimizer.step()
    return optimizer.state_dict()


def write():
    """Write the checkpoints."""
    torch.manual_seed(0)
    G, D, G_ema = Generator(FMAPS, 12, 3), Discriminator(FMAPS), Generator(FMAPS, 12, 3)
    z = torch.randn(8, 12)
    w, latent_avg = G_ema.style(z), G_ema.style(torch.randn(100, 12)).mean(0).detach()
    images = G_ema(w)
    results = dict(z=z, w=w, images=images, scores=D(images), images_of_g=G(G.style(z)),
                   truncated=G_ema(latent_avg + 0.5 * (w - latent_avg)), latent_avg=latent_avg)
    checkpoint = {
        'g': G.state_dict(), 'd': D.state_dict(), 'g_ema': G_ema.state_dict(),
        'g_optim': _optimizer(G, w.detach()), 'd_optim': _optimizer(D, images.detach()),
        'args': argparse.Namespace(size=16, latent=12, n_mlp=3, augment=False, path='data', mixing=0.9,
                                   betas=(0.0, 0.99)),
        'ada_aug_p': 0.0, 'latent_avg': latent_avg}
    torch.save(checkpoint, SAMPLES / 'rosinality.pt')
    grey = Generator(GREY_FMAPS, 8, 2, num_channels=1)
    grey_images = grey(grey.style(z[:, :8]))
    torch.save({'g_ema': grey.state_dict()}, SAMPLES / 'rosinality_grey_legacy.pt',
               _use_new_zipfile_serialization=False)
    results |= dict(grey_images=grey_images)
    np.savez_compressed(SAMPLES / 'rosinality.npz', **{key: x.detach().numpy() for key, x in results.items()})


def write_latents():
    """Write dlatents in the ways of editors of images: all of them are `w` [2,6,12] of latents.npz."""
    w = torch.randn(2, 6, 12)
    np.savez_compressed(SAMPLES / 'latents.npz', w=w.numpy())
    by_picture = {f'picture{idx}.png': {'img': torch.rand(1, 3, 4, 4), 'latent': each,
                                        'noise': [torch.randn(1, 1, 4, 4)]} for idx, each in enumerate(w)}
    forms = {'tensor': w, 'dict': {'latent': w}, 'list': [each[None] for each in w],
             'by_picture': by_picture, 'half': w.half(), 'parameter': nn.Parameter(w.requires_grad_())}
    for name, found in forms.items():
        torch.save(found, SAMPLES / f'latents_{name}.pt')
    torch.save(w.detach(), SAMPLES / 'latents_legacy.pt', _use_new_zipfile_serialization=False)


if __name__ == '__main__':
    write()
    write_latents()

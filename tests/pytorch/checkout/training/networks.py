"""Stand-in: StyleGAN2-ADA's networks in PyTorch, with the published names of classes, arguments and
parameters. All of it runs in float32, as the published code does with force_fp32.

Feature maps are [N,C,H,W], dlatents [N,L,W]; weights [O,I,k,k] and [O,I].
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch_utils.persistence import persistent_class

ACTIVATIONS = {  # {name: (function, gain)}
    'linear': (lambda x: x, 1),
    'relu': (torch.relu, np.sqrt(2)),
    'lrelu': (lambda x: F.leaky_relu(x, 0.2), np.sqrt(2)),
    'tanh': (torch.tanh, 1),
    'sigmoid': (torch.sigmoid, 1),
    'elu': (F.elu, 1),
    'selu': (F.selu, 1),
    'softplus': (F.softplus, 1),
    'swish': (lambda x: torch.sigmoid(x) * x, np.sqrt(2)),
}


def activate(x, bias, name, gain=1, clamp=None):
    """Add the bias [C] along axis 1, apply the activation and its gain, and clamp."""
    func, act_gain = ACTIVATIONS[name]
    if bias is not None:
        x = x + bias.reshape([-1 if axis == 1 else 1 for axis in range(x.ndim)])
    x = func(x) * (act_gain * gain)
    return x if clamp is None else x.clamp(-clamp * gain, clamp * gain)


def setup_filter(taps):
    """Return taps that sum to 1, as a matrix; 8 or more stay a vector."""
    taps = torch.as_tensor(taps, dtype=torch.float32)
    if len(taps) < 8:
        taps = torch.outer(taps, taps)
    return taps / taps.sum()


def upfirdn(x, f, up=1, down=1, pad=(0, 0), gain=1):
    """Insert zeros, pad, convolve with the filter, and keep every n-th pixel."""
    n, c, h, w = x.shape
    f = (f if f.ndim == 2 else torch.outer(f, f)) * gain
    if up > 1:
        x = F.pad(x.reshape(n, c, h, 1, w, 1), [0, up - 1, 0, 0, 0, up - 1]).reshape(n, c, h * up, w * up)
    x = F.pad(x, [*pad, *pad])
    kernel = f.flip([0, 1])[None, None].expand(c, 1, -1, -1)
    return F.conv2d(x, kernel, groups=c)[:, :, ::down, ::down]


def upsample(x, f):
    """Double the size of images."""
    pad = f.shape[-1] - 2
    return upfirdn(x, f, up=2, pad=((pad + 1) // 2 + 1, pad // 2), gain=4)


def downsample(x, f):
    """Halve the size of images."""
    pad = f.shape[-1] - 2
    return upfirdn(x, f, down=2, pad=((pad + 1) // 2, pad // 2))


def convolve(x, w, f, up=1, down=1, groups=1):
    """Convolve with up- or downsampling. Weights of layers that upsample are flipped."""
    size = w.shape[-1]
    if up > 1:
        out, inner = w.shape[0] // groups, w.shape[1]
        w = w.reshape(groups, out, inner, size, size).transpose(1, 2).reshape(-1, out, size, size)
        pad = f.shape[-1] - 2 - (size - 1)
        return upfirdn(F.conv_transpose2d(x, w, stride=2, groups=groups), f,
                       pad=((pad + 1) // 2 + 1, pad // 2 + 1), gain=4)
    if down > 1:
        pad = f.shape[-1] - 2 + size - 1
        return F.conv2d(upfirdn(x, f, pad=((pad + 1) // 2, pad // 2)), w, stride=2, groups=groups)
    return F.conv2d(x, w, padding=size // 2, groups=groups)


def modulated(x, w, styles, f=None, up=1, demodulate=True):
    """Convolve each sample with weights that are scaled by its styles [N,I]."""
    w = w[None] * styles[:, None, :, None, None]  # [N,O,I,k,k]
    if demodulate:
        w = w * (w.square().sum([2, 3, 4], keepdim=True) + 1e-8).rsqrt()
    n, _, height, width = x.shape
    x = convolve(x.reshape(1, -1, height, width), w.flatten(0, 1), f, up, groups=n)
    return x.reshape(n, -1, *x.shape[2:])


def normalized(x):
    return x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()


@persistent_class
class FullyConnectedLayer(nn.Module):
    def __init__(self, in_features, out_features, bias=True, activation='linear', lr_multiplier=1,
                 bias_init=0):
        super().__init__()
        self.activation = activation
        self.weight = nn.Parameter(torch.randn([out_features, in_features]) / lr_multiplier)
        self.bias = nn.Parameter(torch.full([out_features], float(bias_init))) if bias else None
        self.weight_gain = lr_multiplier / np.sqrt(in_features)
        self.bias_gain = lr_multiplier

    def forward(self, x):
        bias = None if self.bias is None else self.bias * self.bias_gain
        return activate(x @ (self.weight * self.weight_gain).t(), bias, self.activation)


@persistent_class
class Conv2dLayer(nn.Module):
    def __init__(self, in_channels, out_channels, kernel_size, bias=True, activation='linear', up=1, down=1,
                 resample_filter=(1, 3, 3, 1), conv_clamp=None, channels_last=False, trainable=True):
        super().__init__()
        self.activation, self.up, self.down, self.conv_clamp = activation, up, down, conv_clamp
        self.register_buffer('resample_filter', setup_filter(resample_filter))
        self.weight_gain = 1 / np.sqrt(in_channels * kernel_size ** 2)
        weight = torch.randn([out_channels, in_channels, kernel_size, kernel_size])
        values = {'weight': weight, 'bias': torch.zeros([out_channels]) if bias else None}
        for name, value in values.items():
            if trainable:
                setattr(self, name, None if value is None else nn.Parameter(value))
            else:
                self.register_buffer(name, value)

    def forward(self, x, gain=1):
        x = convolve(x, self.weight * self.weight_gain, self.resample_filter, self.up, self.down)
        return activate(x, self.bias, self.activation, gain, self.conv_clamp)


@persistent_class
class MappingNetwork(nn.Module):
    def __init__(self, z_dim, c_dim, w_dim, num_ws, num_layers=8, embed_features=None, layer_features=None,
                 activation='lrelu', lr_multiplier=0.01, w_avg_beta=0.995):
        super().__init__()
        self.z_dim, self.c_dim, self.w_dim, self.num_ws = z_dim, c_dim, w_dim, num_ws
        self.num_layers, self.w_avg_beta = num_layers, w_avg_beta
        embedded = (embed_features or w_dim) if c_dim else 0
        features = [z_dim + embedded, *[layer_features or w_dim] * (num_layers - 1), w_dim]
        if c_dim:
            self.embed = FullyConnectedLayer(c_dim, embedded)
        for idx in range(num_layers):
            setattr(self, f'fc{idx}', FullyConnectedLayer(
                features[idx], features[idx + 1], activation=activation, lr_multiplier=lr_multiplier))
        if num_ws is not None and w_avg_beta is not None:
            self.register_buffer('w_avg', torch.zeros([w_dim]))

    def forward(self, z, c, truncation_psi=1, truncation_cutoff=None):
        parts = [normalized(z.to(torch.float32))] if self.z_dim else []
        x = torch.cat(parts + ([normalized(self.embed(c.to(torch.float32)))] if self.c_dim else []), 1)
        for idx in range(self.num_layers):
            x = getattr(self, f'fc{idx}')(x)
        if self.num_ws is None:
            return x
        x = x[:, None].repeat(1, self.num_ws, 1)
        if truncation_psi != 1:
            cutoff = self.num_ws if truncation_cutoff is None else truncation_cutoff
            x[:, :cutoff] = self.w_avg.lerp(x[:, :cutoff], truncation_psi)
        return x


@persistent_class
class SynthesisLayer(nn.Module):
    def __init__(self, in_channels, out_channels, w_dim, resolution, kernel_size=3, up=1, use_noise=True,
                 activation='lrelu', resample_filter=(1, 3, 3, 1), conv_clamp=None, channels_last=False):
        super().__init__()
        self.resolution, self.up, self.use_noise = resolution, up, use_noise
        self.activation, self.conv_clamp = activation, conv_clamp
        self.register_buffer('resample_filter', setup_filter(resample_filter))
        self.affine = FullyConnectedLayer(w_dim, in_channels, bias_init=1)
        self.weight = nn.Parameter(torch.randn([out_channels, in_channels, kernel_size, kernel_size]))
        if use_noise:
            self.register_buffer('noise_const', torch.randn([resolution, resolution]))
            self.noise_strength = nn.Parameter(torch.zeros([]))
        self.bias = nn.Parameter(torch.zeros([out_channels]))

    def forward(self, x, w, noise_mode='random', gain=1):
        weight = self.weight / np.sqrt(np.prod(self.weight.shape[1:]))
        x = modulated(x, weight, self.affine(w), self.resample_filter, self.up)
        if self.use_noise and noise_mode != 'none':
            shape = len(x), 1, self.resolution, self.resolution
            x = x + (self.noise_const if noise_mode == 'const' else torch.randn(shape)) * self.noise_strength
        return activate(x, self.bias, self.activation, gain, self.conv_clamp)


@persistent_class
class ToRGBLayer(nn.Module):
    def __init__(self, in_channels, out_channels, w_dim, kernel_size=1, conv_clamp=None, channels_last=False):
        super().__init__()
        self.conv_clamp = conv_clamp
        self.affine = FullyConnectedLayer(w_dim, in_channels, bias_init=1)
        self.weight = nn.Parameter(torch.randn([out_channels, in_channels, kernel_size, kernel_size]))
        self.bias = nn.Parameter(torch.zeros([out_channels]))
        self.weight_gain = 1 / np.sqrt(in_channels * kernel_size ** 2)

    def forward(self, x, w):
        x = modulated(x, self.weight, self.affine(w) * self.weight_gain, demodulate=False)
        return activate(x, self.bias, 'linear', clamp=self.conv_clamp)


@persistent_class
class SynthesisBlock(nn.Module):
    def __init__(self, in_channels, out_channels, w_dim, resolution, img_channels, is_last,
                 architecture='skip', resample_filter=(1, 3, 3, 1), conv_clamp=None, use_fp16=False,
                 **layer_kwargs):
        super().__init__()
        self.architecture, self.in_channels = architecture, in_channels
        self.register_buffer('resample_filter', setup_filter(resample_filter))
        common = dict(w_dim=w_dim, resolution=resolution, conv_clamp=conv_clamp, **layer_kwargs)
        if in_channels == 0:
            self.const = nn.Parameter(torch.randn([out_channels, resolution, resolution]))
        else:
            self.conv0 = SynthesisLayer(in_channels, out_channels, up=2, resample_filter=resample_filter,
                                        **common)
        self.conv1 = SynthesisLayer(out_channels, out_channels, **common)
        self.num_conv = 2 if in_channels else 1
        self.num_torgb = int(is_last or architecture == 'skip')
        if self.num_torgb:
            self.torgb = ToRGBLayer(out_channels, img_channels, w_dim=w_dim, conv_clamp=conv_clamp)
        if in_channels and architecture == 'resnet':
            self.skip = Conv2dLayer(in_channels, out_channels, kernel_size=1, bias=False, up=2,
                                    resample_filter=resample_filter)

    def forward(self, x, img, ws, noise_mode):
        w = iter(ws.unbind(1))
        if self.in_channels == 0:
            x = self.conv1(self.const.repeat(len(ws), 1, 1, 1), next(w), noise_mode)
        elif self.architecture == 'resnet':
            short = self.skip(x, gain=np.sqrt(0.5))
            x = self.conv1(self.conv0(x, next(w), noise_mode), next(w), noise_mode, gain=np.sqrt(0.5)) + short
        else:
            x = self.conv1(self.conv0(x, next(w), noise_mode), next(w), noise_mode)
        img = None if img is None else upsample(img, self.resample_filter)
        if self.num_torgb:
            rgb = self.torgb(x, next(w))
            img = rgb if img is None else img + rgb
        return x, img


@persistent_class
class SynthesisNetwork(nn.Module):
    def __init__(self, w_dim, img_resolution, img_channels, channel_base=32768, channel_max=512,
                 num_fp16_res=0, **block_kwargs):
        super().__init__()
        self.block_resolutions = [2 ** i for i in range(2, img_resolution.bit_length())]
        self.num_ws, channels = 1, 0
        for res in self.block_resolutions:
            below, channels = channels, min(channel_base // res, channel_max)
            block = SynthesisBlock(below, channels, w_dim=w_dim, resolution=res, img_channels=img_channels,
                                   is_last=res == img_resolution, **block_kwargs)
            self.num_ws += block.num_conv
            setattr(self, f'b{res}', block)

    def forward(self, ws, noise_mode='random', **_precision):
        x = img = None
        first = 0
        for res in self.block_resolutions:
            block = getattr(self, f'b{res}')
            x, img = block(x, img, ws[:, first:first + block.num_conv + block.num_torgb], noise_mode)
            first += block.num_conv
        return img


@persistent_class
class Generator(nn.Module):
    def __init__(self, z_dim, c_dim, w_dim, img_resolution, img_channels, mapping_kwargs=None,
                 synthesis_kwargs=None):
        super().__init__()
        self.z_dim, self.c_dim, self.w_dim = z_dim, c_dim, w_dim
        self.img_resolution, self.img_channels = img_resolution, img_channels
        self.synthesis = SynthesisNetwork(w_dim=w_dim, img_resolution=img_resolution,
                                          img_channels=img_channels, **(synthesis_kwargs or {}))
        self.num_ws = self.synthesis.num_ws
        self.mapping = MappingNetwork(z_dim=z_dim, c_dim=c_dim, w_dim=w_dim, num_ws=self.num_ws,
                                      **(mapping_kwargs or {}))

    def forward(self, z, c, truncation_psi=1, truncation_cutoff=None, **synthesis_kwargs):
        return self.synthesis(self.mapping(z, c, truncation_psi, truncation_cutoff), **synthesis_kwargs)


@persistent_class
class DiscriminatorBlock(nn.Module):
    def __init__(self, in_channels, tmp_channels, out_channels, resolution, img_channels, first_layer_idx,
                 architecture='resnet', activation='lrelu', resample_filter=(1, 3, 3, 1), conv_clamp=None,
                 use_fp16=False, fp16_channels_last=False, freeze_layers=0):
        super().__init__()
        self.in_channels, self.architecture = in_channels, architecture
        self.register_buffer('resample_filter', setup_filter(resample_filter))
        self.num_layers = 0

        def layer(ins, outs, size, **kwargs):
            trainable = first_layer_idx + self.num_layers >= freeze_layers
            self.num_layers += 1
            return Conv2dLayer(ins, outs, kernel_size=size, trainable=trainable, **kwargs)

        common = dict(activation=activation, conv_clamp=conv_clamp)
        if in_channels == 0 or architecture == 'skip':
            self.fromrgb = layer(img_channels, tmp_channels, 1, **common)
        self.conv0 = layer(tmp_channels, tmp_channels, 3, **common)
        self.conv1 = layer(tmp_channels, out_channels, 3, down=2, resample_filter=resample_filter, **common)
        if architecture == 'resnet':
            self.skip = layer(tmp_channels, out_channels, 1, bias=False, down=2,
                              resample_filter=resample_filter)

    def forward(self, x, img):
        if self.in_channels == 0 or self.architecture == 'skip':
            rgb = self.fromrgb(img)
            x = rgb if x is None else x + rgb
        img = downsample(img, self.resample_filter) if self.architecture == 'skip' else img
        if self.architecture == 'resnet':
            short = self.skip(x, gain=np.sqrt(0.5))
            return short + self.conv1(self.conv0(x), gain=np.sqrt(0.5)), img
        return self.conv1(self.conv0(x)), img


@persistent_class
class MinibatchStdLayer(nn.Module):
    def __init__(self, group_size, num_channels=1):
        super().__init__()
        self.group_size, self.num_channels = group_size, num_channels

    def forward(self, x):
        n, c, height, width = x.shape
        group = n if self.group_size is None else min(self.group_size, n)
        y = x.reshape(group, -1, self.num_channels, c // self.num_channels, height, width)
        y = (y.var(0, unbiased=False) + 1e-8).sqrt().mean([2, 3, 4])  # [N/G,F]
        y = y[:, :, None, None].repeat(group, 1, height, width)
        return torch.cat([x, y], 1)


@persistent_class
class DiscriminatorEpilogue(nn.Module):
    def __init__(self, in_channels, cmap_dim, resolution, img_channels, architecture='resnet',
                 mbstd_group_size=4, mbstd_num_channels=1, activation='lrelu', conv_clamp=None):
        super().__init__()
        self.cmap_dim, self.architecture = cmap_dim, architecture
        if architecture == 'skip':
            self.fromrgb = Conv2dLayer(img_channels, in_channels, kernel_size=1, activation=activation)
        self.mbstd = MinibatchStdLayer(mbstd_group_size, mbstd_num_channels) if mbstd_num_channels else None
        self.conv = Conv2dLayer(in_channels + mbstd_num_channels, in_channels, kernel_size=3,
                                activation=activation, conv_clamp=conv_clamp)
        self.fc = FullyConnectedLayer(in_channels * resolution ** 2, in_channels, activation=activation)
        self.out = FullyConnectedLayer(in_channels, cmap_dim or 1)

    def forward(self, x, img, cmap):
        x = x + self.fromrgb(img) if self.architecture == 'skip' else x
        x = x if self.mbstd is None else self.mbstd(x)
        x = self.out(self.fc(self.conv(x).flatten(1)))
        return (x * cmap).sum(1, keepdim=True) / np.sqrt(self.cmap_dim) if self.cmap_dim else x


@persistent_class
class Discriminator(nn.Module):
    def __init__(self, c_dim, img_resolution, img_channels, architecture='resnet', channel_base=32768,
                 channel_max=512, num_fp16_res=0, conv_clamp=None, cmap_dim=None, block_kwargs=None,
                 mapping_kwargs=None, epilogue_kwargs=None):
        super().__init__()
        self.c_dim, self.img_resolution, self.img_channels = c_dim, img_resolution, img_channels
        self.block_resolutions = [2 ** i for i in range(img_resolution.bit_length() - 1, 2, -1)]
        channels = {res: min(channel_base // res, channel_max) for res in [*self.block_resolutions, 4]}
        cmap_dim = (channels[4] if cmap_dim is None else cmap_dim) if c_dim else 0
        common = dict(img_channels=img_channels, architecture=architecture, conv_clamp=conv_clamp)
        first = 0
        for res in self.block_resolutions:
            block = DiscriminatorBlock(channels[res] if res < img_resolution else 0, channels[res],
                                       channels[res // 2], resolution=res, first_layer_idx=first,
                                       **(block_kwargs or {}), **common)
            setattr(self, f'b{res}', block)
            first += block.num_layers
        if c_dim:
            self.mapping = MappingNetwork(z_dim=0, c_dim=c_dim, w_dim=cmap_dim, num_ws=None,
                                          w_avg_beta=None, **(mapping_kwargs or {}))
        self.b4 = DiscriminatorEpilogue(channels[4], cmap_dim=cmap_dim, resolution=4,
                                        **(epilogue_kwargs or {}), **common)

    def forward(self, img, c, **_precision):
        x = None
        img = img.to(torch.float32)
        for res in self.block_resolutions:
            x, img = getattr(self, f'b{res}')(x, img)
        return self.b4(x, img, self.mapping(None, c) if self.c_dim else None)

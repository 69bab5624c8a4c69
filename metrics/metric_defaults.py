"""The metrics that can be requested by name: arguments of their classes, and the class as `func_name`."""

import difflib

from dnnlib.util import EasyDict, UserError

_FID = 'metrics.frechet_inception_distance.FID'
_KID = 'metrics.kernel_inception_distance.KID'
_IS = 'metrics.inception_score.IS'
_PPL = 'metrics.perceptual_path_length.PPL'
_PR = 'metrics.precision_recall.PR'
_LS = 'metrics.linear_separability.LS'

# Arguments of several definitions.
_PPL_50K = dict(func_name=_PPL, num_samples=50000, epsilon=1e-4, minibatch_per_gpu=4,
                Gs_overrides=dict(dtype='float32', mapping_dtype='float32', num_fp16_res=0))
_PPL_100K = dict(func_name=_PPL, num_samples=100000, epsilon=1e-4, minibatch_per_gpu=16)  # as in StyleGAN
_LS_200K = dict(func_name=_LS, num_samples=200000, num_keep=100000, attrib_indices=range(40),
                minibatch_per_gpu=4)
_PR_K3 = dict(func_name=_PR, nhood_size=3, minibatch_per_gpu=8, row_batch_size=10000, col_batch_size=10000)
_FID_50K = dict(func_name=_FID, num_images=50000, minibatch_per_gpu=8)

# Without Inception, from EfficientNet-Lite0.
_LITE0 = dict(num_images=50000, minibatch_per_gpu=32, network_name='efficientnet_lite0_features')

# How StyleGAN2-ADA reads real images: all of them once, or repeatedly in order.
_ONCE = dict(num_fakes=50000, minibatch_per_gpu=8, force_dataset_args=dict(
    shuffle=False, max_images=None, repeat=False, mirror_augment=False))
_IN_ORDER = dict(num_fakes=50000, minibatch_per_gpu=8, force_dataset_args=dict(
    shuffle=False, max_images=None))


def _named(**definitions):
    return EasyDict({name: EasyDict(name=name, **args) for name, args in definitions.items()})


def _path_lengths(prefix, **args):
    """Return path length metrics in the published order: steps anywhere on a path, then steps at its end, in
    Z and W."""
    return {f'{prefix}_{space}{sampling}': dict(args, space=space, sampling=sampling)
            for sampling in ('full', 'end') for space in ('z', 'w')}


def _mixing_table(plain_name, **args):
    """Return StyleGAN's Table 2: metrics of images of 1 to 4 latents, with the real images of the plain
    metric."""
    return {f'{plain_name}_mix{num}': dict(args, num_latents=num, reals_name=plain_name)
            for num in (1, 2, 3, 4)}


metric_defaults = _named(
    fid50k=_FID_50K,
    is50k=dict(func_name=_IS, num_images=50000, num_splits=10, minibatch_per_gpu=8),
    **_path_lengths('ppl', **_PPL_50K, crop=True),
    ppl2_wend=dict(**_PPL_50K, space='w', sampling='end', crop=False),
    ls=_LS_200K,
    pr50k3=dict(**_PR_K3, num_images=50000),

    **_mixing_table('fid50k', **_FID_50K),

    fid50k_full=dict(func_name=_FID, max_reals=None, **_ONCE),
    kid50k=dict(func_name=_KID, max_reals=50000, **_IN_ORDER),
    kid50k_full=dict(func_name=_KID, max_reals=1000000, **_ONCE),
    pr50k3_full=dict(max_reals=200000, **{**_PR_K3, **_ONCE}),

    fd50k_lite0=dict(func_name=_FID, **_LITE0),
    **_mixing_table('fd50k_lite0', func_name=_FID, **_LITE0),
    kd50k_lite0=dict(func_name=_KID, **_LITE0),
    pr50k3_lite0={**_PR_K3, **_LITE0},
    cs50k_lite0=dict(_LITE0, func_name=_IS, num_splits=10, network_name='efficientnet_lite0_probabilities'),

    **_path_lengths('ppl100k', **_PPL_100K),
)

# StyleGAN's definitions, by their names in its metric_base.
fid50k, ppl_zfull, ppl_wfull, ppl_zend, ppl_wend, ls, dummy = _named(
    fid50k=_FID_50K, **_path_lengths('ppl', **_PPL_100K), ls=_LS_200K,
    dummy=dict(func_name='metrics.metric_base.DummyMetric'),
).values()

_COUNTS = ('num_images', 'num_fakes', 'num_samples', 'max_reals')


def require_known(names, others=()):
    """Raise UserError for an unknown metric. `others`: further words that --metrics takes."""
    for name in names:
        if name not in metric_defaults:
            near = difflib.get_close_matches(name, metric_defaults, n=1)
            hint = f' did you mean {near[0]}?' if near else ''
            known = ', '.join([*sorted(metric_defaults), *others])
            raise UserError(f"unknown metric '{name}';{hint} --metrics takes {known}")


def check_num_samples(names, num_samples):
    """Raise UserError if a metric takes fewer samples than these."""
    for name in names:
        counts = [metric_defaults[name][key] for key in _COUNTS if key in metric_defaults[name]]
        if None not in counts and num_samples > max(counts):  # None depends on the data set
            raise UserError(f'--num-samples={num_samples}: {name} takes {max(counts)} samples; choose fewer, '
                            'or omit the flag')


def with_num_samples(definition, num_samples):
    """Return a definition with fewer samples, for a quick look. Names of results and cache files say so.
    None = return it unchanged."""
    if num_samples is None:
        return definition
    args = EasyDict(definition)
    for key in {'name', 'reals_name'} & set(args):
        args[key] = f'{args[key]}-only{num_samples}'
    for key in set(_COUNTS) & set(args):
        args[key] = num_samples if args[key] is None else min(args[key], num_samples)
    if 'num_keep' in args:
        args.num_keep = min(args.num_keep, num_samples // 2)
    return args

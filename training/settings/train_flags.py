"""The flags of train.py, and the description of a run that follows from them."""

import argparse
import os
import re
from dataclasses import dataclass

from dnnlib import cli
from dnnlib.util import UserError
from training.augmentation import named_pipelines
from training.data import data_flags
from training.data.official_files import OFFICIAL_URLS, TRANSFER_SOURCES
from training.resuming import found_runs
from training.settings import ada_configs, precision
from training.settings import flags as run_flags
from training.settings.submission import valid_desc

NO_RESUME = 'noresume'
# URLs of networks for transfer learning, which --resume takes by their names.
SOURCES = {name: OFFICIAL_URLS[key] for name, key in TRANSFER_SOURCES.items()}


# Flags of run_training.py that have other names here.
NAMES = {'num-gpus': 'gpus', 'total-kimg': 'kimg', 'snapshot-ticks': 'snap', 'mirror-augment': 'mirror',
         'resolution': 'res', 'minibatch-size': 'batch', 'config': 'cfg', 'labels': 'cond',
         'data-dir': 'data', 'dataset': 'data'}

EXAMPLES = """examples:

  # Train on a data set with one GPU
  python train.py --outdir=training-runs --gpus=1 --data=datasets/custom

  # Train on 500 images of a folder, mirrored at random, from the network of FFHQ at 256x256
  python train.py --outdir=training-runs --data=photos --subset=500 --mirror=1 --resume=ffhq256

  # Train on CIFAR-10 with its classes, as in the paper
  python train.py --outdir=training-runs --gpus=2 --data=datasets/cifar10c --cfg=cifar

  # Train a narrow network on a CPU
  python train.py --outdir=training-runs --data=datasets/fashion-mnist --fmap-base=512 --fmap-max=64 \\
    --batch=16 --kimg=100 --snap=5 --metrics=none

  # Resume the newest run in training-runs
  python train.py --outdir=training-runs --resume=latest

base configs (--cfg):
  auto           for any resolution and number of GPUs
  stylegan2      StyleGAN2's config F at 1024x1024
  paper256       FFHQ and LSUN Cat at 256x256
  paper512       BreCaHAD and AFHQ at 512x512
  paper1024      MetFaces at 1024x1024
  cifar          CIFAR-10 with the architecture tuned for it
  cifarbaseline  CIFAR-10 with that of StyleGAN2

networks for transfer learning (--resume):
  {sources}

metrics:
  {metrics}
"""


@dataclass(frozen=True)
class Flags:
    """The flags on which the options of a training depend. None = not given."""
    gpus: int | None = None
    snap: int | None = None
    data: str | None = None
    res: int | None = None
    mirror: bool | None = None
    metrics: list | None = None
    metricdata: str | None = None
    cfg: str | None = None
    gamma: float | None = None
    kimg: int | None = None
    aug: str | None = None
    p: float | None = None
    target: float | None = None
    augpipe: str | None = None
    cmethod: str | None = None
    dcap: float | None = None
    resume: str | None = None
    freezed: int | None = None
    # Beyond the published ones:
    subset: int | None = None
    cond: bool | None = None
    batch: int | None = None
    fmap_base: int | None = None
    fmap_max: int | None = None
    aug_kimg: float | None = None
    precision: str | None = None
    fp16: str | None = None

    @property
    def max_label_size(self):
        """Return the argument of data sets: all labels, as published, unless --cond=false ignores them."""
        return 0 if self.cond is False else 'full'


_WHOLE = cli.int_at_least(1)

# {group of the help: {flag: (type or choices, metavar, help)}}. Numbers are checked by `train_options`.
PUBLISHED = {
    'general options': {
        'outdir': (cli.folder, 'DIR', 'folder of the run directories (required)'),
        'gpus': (int, 'INT', 'number of GPUs or CPU devices, a power of two (default: 1)'),
        'snap': (int, 'INT', 'ticks between snapshots (default: 50)'),
        'seed': (cli.seed, 'INT', 'random seed (default: 1000)'),
    },
    'training dataset': {
        'data': (str, 'PATH', 'folder of *.tfrecords files, or folder or zip file of images (required)'),
        'res': (int, 'INT', "resolution to train at (default: the data set's)"),
        'mirror': (cli.boolean, 'BOOL', 'mirror real images at random (default: false)'),
    },
    'metrics': {
        'metrics': (cli.comma_list, 'LIST', "metrics of the snapshots, separated by commas, or 'none' "
                    '(default: fid50k_full, if its feature network is available)'),
        'metricdata': (str, 'PATH', 'data set to evaluate metrics against (default: that of --data)'),
    },
    'base config': {
        'cfg': (ada_configs.CFGS, None, 'base config (default: auto)'),
        'gamma': (float, 'FLOAT', 'weight of R1 (default: that of --cfg)'),
        'kimg': (int, 'INT', 'length of the training in thousands of images (default: that of --cfg)'),
    },
    'discriminator augmentation': {
        'aug': (ada_configs.AUGS, None, 'augmentation of what the discriminator sees: ada and adarv adapt '
                'its strength, fixed keeps that of --p (default: ada)'),
        'p': (float, 'FLOAT', 'probability of each transform for --aug=fixed'),
        'target': (float, 'FLOAT', 'target of the adaptation (default: 0.6 for ada, 0.5 for adarv)'),
        'augpipe': ((*named_pipelines.PIPELINES,), None, 'transforms to apply (default: bgc)'),
    },
    'comparison methods': {
        'cmethod': (ada_configs.CMETHODS, None, 'comparison method (default: nocmethod)'),
        'dcap': (float, 'FLOAT', 'multiplier of the capacity of the discriminator (default: 1)'),
    },
    'transfer learning': {
        'resume': (str, 'PKL', f'network pickle to start from: {", ".join(SOURCES)}, a path or a URL; or a '
                   'run to resume: its directory, one of its training states, or latest (in --outdir) '
                   '(default: noresume)'),
        'freezed': (int, 'INT', 'number of discriminator layers that are not trained, counted from the image '
                    '(default: 0)'),
    },
}
OWN = {
    'subset': (_WHOLE, 'N', 'train on the first N images (default: all)'),
    'cond': (cli.boolean, 'BOOL', 'train with the labels of the data set: true = it must have some, false = '
             'ignore them (default: if it has any)'),
    'batch': (_WHOLE, 'N', 'images per update, on all GPUs together (default: that of --cfg)'),
    'fmap-base': (_WHOLE, 'N', 'multiplier of the number of feature maps per layer (default: that of --cfg)'),
    'fmap-max': (_WHOLE, 'N', 'maximum number of feature maps per layer (default: 512)'),
    'aug-kimg': (cli.float_at_least(0.001), 'X', 'thousands of images in which the strength of the '
                 f'augmentation can rise from 0 to 1 (default: {ada_configs.TUNE_KIMG}; '
                 f'{ada_configs.TUNE_KIMG_RESUMED} with --resume)'),
    'precision': (precision.NAMES, None, f'{precision.HELP} (default: mixed on GPUs)'),
    'fp16': (precision.FP16, None, 'true = --precision=mixed, false = float32, auto = mixed on GPUs only '
             '(default: auto)'),
}


def make_parser(description, metrics):
    """Return the parser of the command line. metrics: the names of all metrics."""
    epilog = EXAMPLES.format(sources='\n  '.join(SOURCES), metrics='\n  '.join([*sorted(metrics), 'none']))
    parser = cli.ArgumentParser(
        description=description, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter)
    groups = {title: parser.add_argument_group(title) for title in PUBLISHED}
    for title, flags in PUBLISHED.items():
        _add(groups[title], flags)
    parser.set_defaults(seed=1000)
    groups['general options'].add_argument(
        '-n', '--dry-run', action='store_true', help='print the options of the training and the '
        'memory that it will take, and exit')
    own = parser.add_argument_group(
        'flags beyond the published ones', 'A resumed run keeps the settings that it was started with. '
        '--data (the same data set elsewhere), --kimg, --metrics, --snap, --report and --xla may change.')
    _add(own, OWN)
    run_flags.add_shared(own, gpus='--gpus')
    return parser


def _add(group, flags):
    """Add flags of a table to a group of the help."""
    for name, (value_type, metavar, text) in flags.items():
        group.add_argument(f'--{name}', help=text, **cli.kind(value_type, metavar))


def values(args):
    """Return the values of `Flags` on a command line."""
    return {name: getattr(args, name) for name in Flags.__dataclass_fields__}


def run_to_resume(parser, args):
    """Return the run that --resume names; None for a network, and without --resume."""
    if args.resume == 'latest' and args.outdir is None:
        parser.error('--resume=latest needs --outdir, the folder of the run directories')
    if args.resume in (None, NO_RESUME, *SOURCES):
        return None
    return found_runs.find_run(args.resume, args.outdir)


def require(parser, args):
    """End the script with a message unless the flags of a new run are given."""
    missing = [f'--{name}' for name in ('outdir', 'data') if getattr(args, name) is None]
    if missing:
        parser.error(f'the following arguments are required: {", ".join(missing)}')
    if args.trust_source and not os.path.isfile(args.resume or ''):
        raise UserError('--trust-source: expected the file to trust in --resume')


def those_given(parser, argv):
    """Return {name: value} of the flags on a command line, by the names that run_training.py has for them."""
    flags = data_flags.given(parser, argv)
    if 'data' in flags:
        flags['data-dir'], flags['dataset'] = os.path.split(os.path.abspath(flags.pop('data')))
    if 'cond' in flags:
        flags['cond'] = 'full' if flags['cond'] else 0
    own_names = {own: name for name, own in NAMES.items()}
    return {own_names.get(name, name): value for name, value in flags.items()}


def has_cfg(sc, cfg):
    """Return whether a run of this SubmitConfig may have been started with --cfg."""
    dataset = valid_desc(sc.run_func_kwargs['dataset_args']['tfrecord_dir'].removesuffix('.zip'))
    if not sc.run_desc.startswith(f'{dataset}-'):  # a run of run_training.py
        return False
    parts = sc.run_desc.removeprefix(dataset).split('-')
    return cfg == next((name for name in (re.sub('^auto[0-9]+$', 'auto', part) for part in parts)
                        if name in ada_configs.CFGS), None)


def run_desc(flags, gpus, data):
    """Return the published description of a run: the data set, and what was given. data: its path."""
    resume = f'resume{flags.resume if flags.resume in SOURCES else "custom"}'
    parts = [
        (True, os.path.basename(os.path.abspath(data)).removesuffix('.zip')),
        (flags.res is not None, f'res{flags.res}'),
        (flags.subset is not None, f'subset{flags.subset}'),
        (flags.cond is not None, 'cond' if flags.cond else 'nocond'),
        (flags.mirror, 'mirror'),
        (True, f'auto{gpus}' if flags.cfg in (None, 'auto') else flags.cfg),
        (flags.gamma is not None, _number('gamma', flags.gamma)),
        (flags.kimg is not None, f'kimg{flags.kimg}'),
        (flags.batch is not None, f'batch{flags.batch}'),
        (flags.aug is not None, flags.aug),
        (flags.p is not None, _number('p', flags.p)),
        (flags.target is not None, _number('target', flags.target)),
        (flags.augpipe is not None, flags.augpipe),
        (flags.cmethod is not None, flags.cmethod),
        (flags.dcap is not None, _number('dcap', flags.dcap)),
        (flags.resume is not None, NO_RESUME if flags.resume == NO_RESUME else resume),
        (flags.freezed is not None, f'freezed{flags.freezed}'),
    ]
    return '-'.join(text for is_part, text in parts if is_part)


def _number(name, value):
    return name if value is None else f'{name}{value:g}'

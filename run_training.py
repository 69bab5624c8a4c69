"""Train a StyleGAN2 generator on a data set of TFRecords."""

import argparse
import os

import dnnlib
from dnnlib import cli
from dnnlib.util import EasyDict, UserError
from metrics.metric_defaults import metric_defaults
from training.configs import CONFIGS, config_settings, merged

EXAMPLES = """examples:

  # Train config F on FFHQ with 8 GPUs, as in the paper
  python run_training.py --num-gpus=8 --data-dir=datasets --config=config-f \\
    --dataset=ffhq --mirror-augment=true

  # Train a narrow network on Fashion-MNIST on a CPU
  python run_training.py --data-dir=datasets --dataset=fashion-mnist --config=config-f --metrics=none \\
    --gamma=0.01 --fmap-base=512 --fmap-max=64 --minibatch-size=16 --minibatch-gpu=16 --total-kimg=100

valid configs:
  {configs}

valid metrics:
  {metrics}
"""

WHOLE = cli.int_at_least(1)
REAL = cli.float_at_least(0)

# Flags beyond the published ones: type, default as the help shows it, help, and the settings of the training
# loop that a value goes to. A flag that is not given changes nothing.
OWN_FLAGS = {
    'fmap-base':      (WHOLE, "the config's", 'multiplier of the feature maps of G and D',
                       ['G_args.fmap_base', 'D_args.fmap_base']),
    'fmap-max':       (WHOLE, '512', 'most feature maps of any layer of G and D',
                       ['G_args.fmap_max', 'D_args.fmap_max']),
    'mapping-layers': (WHOLE, '8', 'layers of the mapping network', ['G_args.mapping_layers']),
    'minibatch-size': (WHOLE, '32', 'images per update, over all GPUs', ['sched_args.minibatch_size_base']),
    'minibatch-gpu':  (WHOLE, '4', 'images that a GPU processes at a time',
                       ['sched_args.minibatch_gpu_base']),
    'lrate':          (REAL, '0.002', 'learning rate of G and D',
                       ['sched_args.G_lrate_base', 'sched_args.D_lrate_base']),
    'tick-kimg':      (cli.float_at_least(0.001), '4 to 28, by resolution', 'thousands of images per tick',
                       ['sched_args.tick_kimg_base']),
    'smoothing-kimg': (REAL, '10', 'half-life of the average of the generator', ['G_smoothing_kimg']),
    'snapshot-ticks': (WHOLE, '10', 'ticks between snapshots of images and networks',
                       ['image_snapshot_ticks', 'network_snapshot_ticks']),
    'grid-size':      (cli.one_of('1080p', '4k', '8k'), '8k', '1080p, 4k or 8k: size of the snapshot images',
                       ['grid_args.size']),
    'seed':           (cli.seed, '1000', 'seed of all random numbers', ['tf_config.rnd.np_random_seed']),
    'resume-pkl':     (str, 'none', 'network pickle (G, D, Gs) to go on from', ['resume_pkl']),
    'resume-kimg':    (REAL, '0', 'progress to start from', ['resume_kimg']),
}


def make_parser():
    """The command line."""
    metrics = [*sorted(metric_defaults), 'none']
    epilog = EXAMPLES.format(configs='\n  '.join(CONFIGS), metrics='\n  '.join(metrics))
    parser = argparse.ArgumentParser(
        description='Train StyleGAN2.', epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('--result-dir', default='results', metavar='DIR',
        help='folder of the run directories (default: results)')
    add('--data-dir', required=True, metavar='DIR', help='folder that holds the data sets')
    add('--dataset', required=True, type=cli.folder_name, help='name of the data set, a folder in --data-dir')
    add('--config', required=True, metavar='CONFIG', help='training configuration, such as config-f')
    add('--num-gpus', default=1, type=int, metavar='N', help='number of GPUs: 1, 2, 4 or 8 (default: 1)')
    add('--total-kimg', default=25000, type=cli.int_at_least(0), metavar='KIMG',
        help='length, in thousands of real images shown (default: 25000)')
    add('--gamma', type=REAL, help="weight of R1 (default: the config's)")
    add('--mirror-augment', default=False, type=cli.boolean, metavar='BOOL',
        help='mirror real images at random (default: false)')
    add('--metrics', type=cli.comma_list, metavar='LIST',
        help="metrics to evaluate at network snapshots, separated by commas, or 'none' (default: fid50k, "
             'without which this version goes on)')
    own = parser.add_argument_group('flags beyond the published ones')
    for name, (value_type, default, text, _) in OWN_FLAGS.items():
        own.add_argument(f'--{name}', type=value_type, metavar='X', help=f'{text} (default: {default})')
    return parser


def validate(args):
    """Raise UserError for what the parser cannot see."""
    if not os.path.exists(args.data_dir):
        raise UserError(f'--data-dir={args.data_dir}: dataset root directory does not exist.')
    if args.config not in CONFIGS:
        raise UserError(f'--config value must be one of:  {", ".join(CONFIGS)}')
    for metric in args.metrics or []:
        if metric not in metric_defaults:
            known = ', '.join([*sorted(metric_defaults), 'none'])
            raise UserError(f"unknown metric '{metric}'; --metrics takes {known} in this version")
    if args.num_gpus not in (1, 2, 4, 8):
        raise UserError(f'--num-gpus must be 1, 2, 4 or 8, not {args.num_gpus}')
    if not os.path.isdir(os.path.join(args.data_dir, args.dataset)):
        raise UserError(f'--dataset={args.dataset}: there is no such folder in {args.data_dir}; '
                        'create it with dataset_tool.py')
    resume = args.resume_pkl
    if resume is not None and not dnnlib.util.is_url(resume) and not os.path.isfile(resume):
        raise UserError(f'--resume-pkl={resume}: no such file')


def run_settings(args):
    """Arguments of the training loop. Raises UserError unless a minibatch splits into equal rounds."""
    settings = merged(config_settings(args.config), {
        'data_dir': args.data_dir,
        'dataset_args': {'tfrecord_dir': args.dataset},
        'total_kimg': args.total_kimg,
        'mirror_augment': args.mirror_augment,
        'metric_arg_list': [metric_defaults[name] for name in args.metrics or []],
    })
    if args.gamma is not None:
        settings['D_loss_args']['gamma'] = args.gamma
    if args.tick_kimg is not None:
        settings['sched_args']['tick_kimg_dict'] = {}
    for name, (*_, places) in OWN_FLAGS.items():
        value = getattr(args, name.replace('-', '_'))
        for place in places if value is not None else []:
            group, _, key = place.partition('.')
            settings = merged(settings, {group: {key: value} if key else value})
    sched = settings['sched_args']
    size, per_round = sched['minibatch_size_base'], sched['minibatch_gpu_base'] * args.num_gpus
    if size % per_round != 0:
        raise UserError(f'--minibatch-size={size} must be a multiple of {per_round}, which is '
                        '--minibatch-gpu times --num-gpus')
    return settings


def main(argv=None):
    """Parse, check, submit."""
    args = make_parser().parse_args(argv)
    validate(args)
    settings = run_settings(args)
    if args.metrics is None:
        print('The default metric, fid50k, is not part of this version: training goes on without it.')
    sc = dnnlib.SubmitConfig()
    sc.num_gpus = args.num_gpus
    sc.submit_target = dnnlib.SubmitTarget.LOCAL
    sc.local.do_not_copy_source_files = True
    sc.run_dir_root = args.result_dir
    sc.run_desc = f'stylegan2-{args.dataset}-{args.num_gpus}gpu-{args.config}'
    settings = {key: EasyDict(value) if isinstance(value, dict) else value for key, value in settings.items()}
    dnnlib.submit_run(sc, 'training.training_loop.training_loop', **settings)


if __name__ == '__main__':
    cli.run_script(main)

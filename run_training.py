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
    --gamma=0.1 --fmap-base=1024 --fmap-max=64 --minibatch-size=16 --minibatch-gpu=16 --total-kimg=40

valid configs:
"""

# Flag of an own setting -> where its value goes in the arguments of the training loop.
OWN_SETTINGS = {
    'fmap_base':       [('G_args', 'fmap_base'), ('D_args', 'fmap_base')],
    'fmap_max':        [('G_args', 'fmap_max'), ('D_args', 'fmap_max')],
    'mapping_layers':  [('G_args', 'mapping_layers')],
    'minibatch_size':  [('sched_args', 'minibatch_size_base')],
    'minibatch_gpu':   [('sched_args', 'minibatch_gpu_base')],
    'lrate':           [('sched_args', 'G_lrate_base'), ('sched_args', 'D_lrate_base')],
    'tick_kimg':       [('sched_args', 'tick_kimg_base')],
    'smoothing_kimg':  [('G_smoothing_kimg',)],
    'snapshot_ticks':  [('image_snapshot_ticks',), ('network_snapshot_ticks',)],
    'grid_size':       [('grid_args', 'size')],
    'seed':            [('tf_config', 'rnd.np_random_seed')],
    'resume_pkl':      [('resume_pkl',)],
    'resume_kimg':     [('resume_kimg',)],
    'gamma':           [('D_loss_args', 'gamma')],
}


def make_parser():
    """Command line; the flags of the second group are our own, and their defaults are the published settings."""
    epilog = EXAMPLES + ''.join(f'  {name}\n' for name in CONFIGS) + '\nvalid metrics:\n' + \
        ''.join(f'  {name}\n' for name in sorted(metric_defaults)) + '  none\n'
    parser = argparse.ArgumentParser(description='Train StyleGAN2.', epilog=epilog,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('--result-dir', help='folder of the run directories (default: %(default)s)', default='results', metavar='DIR')
    add('--data-dir', help='folder that holds the data sets', required=True, metavar='DIR')
    add('--dataset', help='name of the data set, a folder in --data-dir', required=True)
    add('--config', help='training configuration (default: config-f)', required=True, metavar='CONFIG')
    add('--num-gpus', help='number of GPUs: 1, 2, 4 or 8 (default: %(default)s)', default=1, type=int, metavar='N')
    add('--total-kimg', help='length in thousands of real images shown (default: %(default)s)', default=25000,
        type=cli.int_at_least(0), metavar='KIMG')
    add('--gamma', help="weight of R1 (default: the config's)", type=cli.float_at_least(0))
    add('--mirror-augment', help='mirror real images at random (default: %(default)s)', default=False,
        type=cli.boolean, metavar='BOOL')
    add('--metrics', help="metrics to evaluate at network snapshots, separated by commas, or 'none' "
                          '(default: %(default)s)', default='fid50k', type=cli.comma_list, metavar='LIST')

    add = parser.add_argument_group('settings beyond the published ones').add_argument
    whole = cli.int_at_least(1)
    add('--fmap-base', help="multiplier of the feature maps of G and D (default: the config's)", type=whole, metavar='N')
    add('--fmap-max', help='most feature maps of any layer of G and D (default: 512)', type=whole, metavar='N')
    add('--mapping-layers', help='layers of the mapping network (default: 8)', type=whole, metavar='N')
    add('--minibatch-size', help='images per update, over all GPUs (default: 32)', type=whole, metavar='N')
    add('--minibatch-gpu', help='images that a GPU processes at a time (default: 4)', type=whole, metavar='N')
    add('--lrate', help='learning rate of G and D (default: 0.002)', type=cli.float_at_least(0))
    add('--tick-kimg', help='thousands of images per tick (default: 4 to 28, by resolution)',
        type=cli.float_at_least(0.001), metavar='KIMG')
    add('--smoothing-kimg', help='half-life of the average of the generator (default: 10)',
        type=cli.float_at_least(0), metavar='KIMG')
    add('--snapshot-ticks', help='ticks between snapshots of images and networks (default: 10)', type=whole, metavar='N')
    add('--grid-size', help="size of the snapshot images: '1080p', '4k' or '8k' (default: 8k)",
        choices=['1080p', '4k', '8k'])
    add('--seed', help='seed of all random numbers (default: 1000)', type=cli.int_at_least(0), metavar='N')
    add('--resume-pkl', help='network pickle (G, D, Gs) to go on from', metavar='FILE')
    add('--resume-kimg', help='progress to start from (default: 0)', type=cli.float_at_least(0), metavar='KIMG')
    return parser


def validate(args):
    """Raise UserError for what the parser cannot see."""
    if not os.path.exists(args.data_dir):
        raise UserError(f'--data-dir={args.data_dir}: dataset root directory does not exist.')
    if args.config not in CONFIGS:
        raise UserError(f'--config value must be one of:  {", ".join(CONFIGS)}')
    for metric in args.metrics:
        if metric not in metric_defaults:
            raise UserError(f"unknown metric '{metric}'; this version has {', '.join(sorted(metric_defaults)) or 'none'}: "
                            'use --metrics=none')
    if args.num_gpus not in (1, 2, 4, 8):
        raise UserError(f'--num-gpus must be 1, 2, 4 or 8, not {args.num_gpus}')
    if not os.path.isdir(os.path.join(args.data_dir, args.dataset)):
        raise UserError(f'--dataset={args.dataset}: there is no such folder in {args.data_dir}; '
                        'create it with dataset_tool.py')
    if args.resume_pkl is not None and not os.path.isfile(args.resume_pkl) and '://' not in args.resume_pkl:
        raise UserError(f'--resume-pkl={args.resume_pkl}: no such file')


def run_settings(args):
    """Arguments of the training loop that the command line stands for."""
    settings = config_settings(args.config)
    for name, places in OWN_SETTINGS.items():
        value = getattr(args, name)
        for place in places if value is not None else []:
            *groups, key = place
            settings = merged(settings, {groups[0]: {key: value}} if groups else {key: value})
    if args.tick_kimg is not None:
        settings = merged(settings, {'sched_args': {'tick_kimg_dict': {}}})
    sched = settings['sched_args']
    per_round = sched['minibatch_gpu_base'] * args.num_gpus
    if sched['minibatch_size_base'] % per_round != 0:
        raise UserError(f'a minibatch of {sched["minibatch_size_base"]} cannot be split into rounds of {per_round}; '
                        'choose --minibatch-size as a multiple of --minibatch-gpu times --num-gpus')
    return dict(settings, data_dir=args.data_dir, dataset_args={'tfrecord_dir': args.dataset},
                total_kimg=args.total_kimg, mirror_augment=args.mirror_augment,
                metric_arg_list=[metric_defaults[name] for name in args.metrics])


def main():
    """Parse, check, submit."""
    args = make_parser().parse_args()
    validate(args)
    settings = run_settings(args)
    sc = dnnlib.SubmitConfig()
    sc.num_gpus = args.num_gpus
    sc.submit_target = dnnlib.SubmitTarget.LOCAL
    sc.local.do_not_copy_source_files = True
    sc.run_dir_root = args.result_dir
    sc.run_desc = f'stylegan2-{args.dataset}-{args.num_gpus}gpu-{args.config}'
    dnnlib.submit_run(sc, 'training.training_loop.training_loop', **{key: EasyDict(value) if isinstance(value, dict)
                                                                    else value for key, value in settings.items()})


if __name__ == '__main__':
    cli.run_script(main)

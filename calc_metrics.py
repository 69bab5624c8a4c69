"""Evaluate metrics of a trained network, as StyleGAN2-ADA's script of this name does."""

import script_start  # noqa: F401  (before all that takes time to load)

# isort: split
import json
import os

import pretrained_networks
import run_metrics
from dnnlib import cli, faults
from dnnlib.util import UserError
from metrics import fit
from metrics.metric_defaults import metric_defaults
from training.data import folders
from training.data.official_files import OFFICIAL_URLS

OPTIONS = 'training_options.json'
DATA_EXPECTED = '--metricdata must point to a directory containing *.tfrecords'


@faults.described()
def calc_metrics(network_pkl, metrics, dataset_args, mirror_augment=False, num_gpus=1, run_dir=None,
                 trust_source=False):
    """List the layers of Gs and evaluate metrics, given by name.

    dataset_args: arguments of dataset.load_dataset(), unless there are no metrics. run_dir: folder with the
    files `metric-<name>.txt` to which results are added. None = they are only printed.
    """
    from metrics import sessions  # this and the next load TensorFlow
    from metrics.features import feature_networks
    from training import misc
    group = run_metrics.make_group(metrics, None)
    path = OFFICIAL_URLS.get(network_pkl, network_pkl)
    if trust_source:
        feature_networks.give_trust([name for each in group.metrics for name in each.network_names], [path])
        group.require()
    print(f'Loading networks from "{network_pkl}"...')
    with sessions.fresh_session({}):
        misc.load_generator(path, trust_source, outline=False).print_layers()
    for metric in group.metrics:
        print(f'\nEvaluating {metric.name}...')
        metric.run(path, run_dir=run_dir, dataset_args=dataset_args, mirror_augment=mirror_augment,
                   num_gpus=num_gpus)


def make_parser():
    """Return the parser of the command line."""
    parser = cli.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add('--network', dest='network_pkl', required=True, metavar='PKL',
        help='network file: a path, a URL or the key of a published one')
    add('--metrics', default='fid50k_full', type=cli.comma_list, metavar='LIST',
        help='metrics to evaluate, separated by commas, or none (default: fid50k_full)')
    add('--metricdata', metavar='PATH',
        help='data set of the real images (default: that of the training run, if the network is in its '
             'directory)')
    add('--mirror', type=cli.boolean, metavar='BOOL',
        help='mirror real images at random (default: as in the training run, or else false)')
    add('--gpus', dest='num_gpus', default=1, type=cli.int_at_least(1), metavar='INT',
        help='number of GPUs or, on a machine without any, of CPU devices (default: 1)')
    own = parser.add_argument_group('flags beyond the published ones')
    cli.add_cache_dir(own)
    own.add_argument('--trust-source', action='store_true',
                     help='run the source text in files of feature networks and of unknown networks')
    return parser


def training_options(network_pkl):
    """Return the options of the training run in whose directory a network is, `{}` if they cannot be looked
    up. Raises UserError for a damaged file."""
    path = os.path.join(os.path.dirname(network_pkl), OPTIONS)
    if not os.path.isfile(network_pkl) or not os.path.isfile(path):
        print('Could not look up training options; will rely on --metricdata and --mirror')
        return {}
    try:
        with open(path, encoding='utf-8') as file:
            options = json.load(file)
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f'{path}: cannot be read ({error}); expected the options of a training run'
                        ) from error
    data = options.get('metric_dataset_args') if isinstance(options, dict) else None
    kinds = {'path': str, 'mirror_augment': bool}
    if not isinstance(data, dict) or not all(isinstance(data.get(key, kind()), kind)
                                             for key, kind in kinds.items()):
        raise UserError(f'{path}: expected metric_dataset_args, the options of a data set; move the network '
                        'to another folder and give --metricdata and --mirror')
    return {'run_dir': os.path.dirname(path) or '.', **data}


def validate(args):
    """Raise UserError for what is wrong before TensorFlow is loaded. -> Gs, an inspection.Blueprint.

    Completes the arguments from the training run: `metricdata`, `mirror` and `run_dir`.
    """
    unknown = [name for name in args.metrics if name not in metric_defaults]
    if unknown:
        known = ', '.join(['none', *metric_defaults])
        raise UserError(f'--metrics can only contain the following values: {known}; not {unknown[0]}')
    try:
        pretrained_networks.check_path(args.network_pkl)
    except UserError as error:
        raise UserError(f'--network must point to a file or URL; {error}') from error
    options = training_options(args.network_pkl)
    args.run_dir = options.get('run_dir')
    if args.metricdata is None:
        args.metricdata = options.get('path')
    if args.mirror is None:
        args.mirror = bool(options.get('mirror_augment', False))
    if args.metrics:
        _check_data(args.metricdata)
    return pretrained_networks.check_generator(args.network_pkl, args.trust_source)


def _check_data(path):
    if path is None:
        raise UserError('--metricdata must be specified explicitly')
    if not os.path.exists(path):
        raise UserError(f'{DATA_EXPECTED}; {path} does not exist')
    data_dir, name = os.path.split(os.path.abspath(path))
    try:
        folders.require(data_dir, metricdata=name)
    except UserError as error:
        raise UserError(f'{DATA_EXPECTED}; {error}') from error


def main(argv=None):
    """Parse, check, evaluate."""
    args = make_parser().parse_args(argv)
    cli.use_cache_dir(args)
    Gs, dataset_args = validate(args), None
    if args.metrics:
        dataset_args = dict(tfrecord_dir=os.path.abspath(args.metricdata), shuffle_mb=0,
                            max_label_size=Gs.label_size)
        fit.check_network(args.network_pkl, Gs, dataset_args['tfrecord_dir'], Gs.label_size)
        if not args.trust_source:  # otherwise trust is given first
            run_metrics.make_group(args.metrics, None).require()
        shown = dict(path=args.metricdata, resolution=Gs.resolution, max_label_size=Gs.label_size,
                     mirror_augment=args.mirror)
        print(f'Dataset options:\n{json.dumps(shown, indent=2)}')
    calc_metrics(args.network_pkl, args.metrics, dataset_args, args.mirror, args.num_gpus, args.run_dir,
                 args.trust_source)


if __name__ == '__main__':
    cli.run_script(main)

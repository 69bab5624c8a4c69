"""Evaluate metrics of trained networks on a data set of TFRecords or images."""

import script_start  # noqa: F401  (before all that takes time to load)

# isort: split
import argparse
import collections
import itertools
import os

import dnnlib
import pretrained_networks
from dnnlib import cli, faults
from dnnlib.submission import submit
from dnnlib.util import UserError
from metrics import fit
from metrics.metric_defaults import check_num_samples, metric_defaults, require_known, with_num_samples
from training.data import data_flags, folders
from training.data.official_files import OFFICIAL_URLS

EXAMPLES = """examples:

  # Metrics of the published generator of FFHQ
  python run_metrics.py --data-dir=datasets --dataset=ffhq --mirror-augment=true --metrics=fid50k,ppl_wend \\
    --network=gdrive:networks/stylegan2-ffhq-config-f.pkl

  # A quick look at two networks, and at held-out images, which no network can be expected to beat
  python run_metrics.py --data-dir=datasets --dataset=ffhq --metrics=fid50k --num-samples=5000 \\
    --network=00000-run/network-final.pkl,00001-run/network-final.pkl --images=ffhq-held-out

valid metrics:"""


@faults.described()
def run(network_pkls, metrics, dataset, data_dir, mirror_augment, images=(), num_samples=None, repeats=1,
        trust_source=False):
    """Evaluate metrics, given by name, of networks and data sets; the parameters are those of the command
    line. Results are printed and written, as JSON lines, to `metrics.jsonl` in the run directory."""
    from metrics import metric_records  # loads TensorFlow
    from metrics.features import feature_networks
    group = make_group(metrics, num_samples)
    paths = [OFFICIAL_URLS.get(pkl, pkl) for pkl in network_pkls]
    if trust_source:
        feature_networks.give_trust([name for each in group.metrics for name in each.network_names], paths)
    group.require()
    data = dict(data_dir=data_dir, dataset_args=dict(tfrecord_dir=dataset, shuffle_mb=0),
                mirror_augment=mirror_augment, num_gpus=dnnlib.submit_config.num_gpus)
    values = collections.defaultdict(list)  # by title and name of the result
    measured = [(path, path, 'run') for path in paths]
    measured += [(f'images of {name}', name, 'run_on_images') for name in images]
    for title, source, method in measured:
        print('Evaluating metrics "%s" for "%s"...' % (','.join(metrics), title))
        for metric in group.metrics * repeats:
            getattr(metric, method)(source, **data)
            metric_records.append(dnnlib.make_run_dir_path('metrics.jsonl'), metric.get_record())
            for name, value in metric.results():
                values[title, name].append(value)
    if len(measured) > 1 or repeats > 1:
        metric_records.print_table([(*key, numbers) for key, numbers in values.items()])


def make_group(names, num_samples):
    """Return the metrics of these names. num_samples: samples to take; None = as each metric defines."""
    from metrics import metric_base  # loads TensorFlow
    return metric_base.MetricGroup([with_num_samples(metric_defaults[name], num_samples) for name in names])


def make_parser():
    """Return the parser of the command line."""
    parser = cli.ArgumentParser(
        description=__doc__, epilog='\n  '.join([EXAMPLES, *sorted(metric_defaults)]),
        formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('--result-dir', default='results', type=cli.folder, metavar='DIR',
        help='folder of the run directories (default: results)')
    add('--network', dest='network_pkls', default=[], type=cli.comma_list, metavar='PKL',
        help='network pickles, separated by commas: paths, URLs or keys of official networks')
    add('--metrics', default='fid50k', type=cli.comma_list, metavar='LIST',
        help='metrics to evaluate, separated by commas (default: fid50k)')
    data_flags.add_flags(parser, 'required')
    add('--mirror-augment', default=False, type=cli.boolean, metavar='BOOL',
        help='mirror real images at random, as in training (default: false)')
    add('--num-gpus', default=1, type=cli.int_at_least(1), metavar='N',
        help='number of GPUs or, on a machine without any, of CPU devices (default: 1)')
    own = parser.add_argument_group('flags beyond the published ones')
    add = own.add_argument
    add('--images', default=[], type=data_flags.data_sets, metavar='LIST',
        help='data sets, as for --dataset, separated by commas, to measure as if networks generated them')
    add('--num-samples', type=cli.int_at_least(20), metavar='N',
        help='number of samples for a quick look; the names of results say so (default: all)')
    add('--repeats', default=1, type=cli.int_at_least(1), metavar='N',
        help='number of evaluations, for mean and standard deviation (default: 1)')
    cli.add_cache_dir(own)
    add('--trust-source', action='store_true',
        help='run the source text in files of feature networks and of unknown networks, now and later')
    return parser


def validate(args):
    """Complete the names of the data sets, and raise UserError for what the parser cannot check."""
    submit.check_root(args.result_dir)
    args.data_dir, args.dataset, args.images = data_flags.place(args.data_dir, args.dataset, args.images)
    folders.require(args.data_dir, dataset=args.dataset, images=args.images)
    require_known(args.metrics)
    check_num_samples(args.metrics, args.num_samples or 0)
    if not args.metrics or not args.network_pkls + args.images:
        raise UserError('--metrics and --network (or --images): expected at least one of each')
    for network_pkl in args.network_pkls:
        pretrained_networks.check_path(network_pkl)


def check_files(args):
    """Raise UserError for unreadable or unsuitable data sets and networks, and for unavailable metrics."""
    networks = [(name, pretrained_networks.check_generator(name, args.trust_source))
                for name in args.network_pkls]
    from training import dataset  # loads TensorFlow
    folder = os.path.join(args.data_dir, args.dataset)
    real_shape, _ = dataset.shapes_in(folder)
    group = make_group(args.metrics, args.num_samples)
    for metric in group.metrics if args.images else []:
        metric.require_images_only()
    for name, metric in itertools.product(args.images, group.metrics):
        path = os.path.join(args.data_dir, name)
        fit.check_images(name, dataset.shapes_in(path)[0], dataset.num_images_in(path), real_shape, metric)
    for name, Gs in networks:
        fit.check_network(name, Gs, folder)
    if not args.trust_source:  # otherwise trust is given first, in the run
        group.require()


def main(argv=None):
    """Parse, validate, submit."""
    args = data_flags.parsed(make_parser(), argv)
    cli.use_cache_dir(args)
    validate(args)
    check_files(args)
    kwargs = vars(args)
    sc = dnnlib.SubmitConfig()
    sc.run_dir_root, sc.run_desc = kwargs.pop('result_dir'), 'run-metrics'
    sc.num_gpus = kwargs.pop('num_gpus')
    sc.local.do_not_copy_source_files = True
    dnnlib.submit_run(sc, 'run_metrics.run', **kwargs)


if __name__ == '__main__':
    cli.run_script(main)

"""Evaluate metrics of trained networks on a data set of TFRecords."""

import script_start  # noqa: F401  (before all that takes time to load)

# isort: split
import argparse
import os

import dnnlib
import pretrained_networks
from dnnlib import cli, faults
from dnnlib.submission import submit
from dnnlib.util import UserError
from metrics import fit
from metrics.metric_defaults import metric_defaults, most_samples, require_known, with_num_samples
from training.data import folders
from training.data.official_files import OFFICIAL_URLS

EXAMPLES = """examples:

  # Frechet inception distance of the published generator of FFHQ
  python run_metrics.py --data-dir=datasets --network=gdrive:networks/stylegan2-ffhq-config-f.pkl \\
    --metrics=fid50k,ppl_wend --dataset=ffhq --mirror-augment=true

  # Several snapshots of your own, at a glance
  python run_metrics.py --data-dir=datasets --dataset=ffhq --metrics=fid50k --num-samples=5000 \\
    --network=results/00000-run/network-snapshot-000100.pkl,results/00000-run/network-snapshot-000200.pkl

  # A network next to held-out images, the floor that no network can be expected to get below
  python run_metrics.py --data-dir=datasets --dataset=ffhq --metrics=fid50k --num-samples=5000 \\
    --network=results/00000-run/network-final.pkl --images=ffhq-held-out

valid metrics:
  {metrics}
"""
RECORDS = 'metrics.jsonl'


@faults.described(remedy='give')
def run(network_pkls, metrics, dataset, data_dir, mirror_augment, images=(), num_samples=None, repeats=1,
        trust_source=False):
    """Evaluate metrics, given by name, of networks. Results go to the log and, as JSON lines, to
    `metrics.jsonl` in the run directory.

    `images`: data sets to measure as well, as if networks had made them. `num_samples`: a quick look at so
    few. `repeats`: evaluations of each. `trust_source`: trust the files of the feature networks and of the
    networks.
    """
    from metrics import metric_base, metric_records  # loads TensorFlow
    from metrics.features import feature_networks
    group = metric_base.MetricGroup(definitions(metrics, num_samples))
    paths = [OFFICIAL_URLS.get(pkl, pkl) for pkl in network_pkls]
    if trust_source:
        needed = [name for metric in group.metrics for name in metric.network_names]
        feature_networks.give_trust(needed, other_files=paths)
    for metric in group.metrics:
        metric.require()
    data = dict(data_dir=data_dir, dataset_args=dict(tfrecord_dir=dataset, shuffle_mb=0),
                mirror_augment=mirror_augment)
    measured = [(path, dict(network_pkl=path)) for path in paths]
    measured += [(f'images of {name}', dict(images=name)) for name in images]
    table = []
    for title, source in measured:
        print('Evaluating metrics "%s" for "%s"...' % (','.join(metrics), title))
        values = [evaluate(group, **source, **data) for _ in range(repeats)]
        table += [(title, name, [results[name] for results in values]) for name in values[0]]
    if len(measured) > 1 or repeats > 1:
        metric_records.print_table(table)


def definitions(metrics, num_samples):
    """Of metrics given by name, with so many samples; None = as they are."""
    found = [metric_defaults[name] for name in metrics]
    return found if num_samples is None else [with_num_samples(each, num_samples) for each in found]


def evaluate(group, **kwargs):
    """-> {result: value} of one network or data set. `kwargs`: of the metrics' `run` or `run_on_images`."""
    from metrics import metric_records  # loads TensorFlow
    num_gpus = dnnlib.submit_config.num_gpus
    results = {}
    for metric in group.metrics:
        run_metric = metric.run_on_images if 'images' in kwargs else metric.run
        run_metric(num_gpus=num_gpus, **kwargs)
        metric_records.append(dnnlib.make_run_dir_path(RECORDS), metric.get_record(num_gpus))
        results.update(metric.results())
    return results


def make_parser():
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES.format(metrics='\n  '.join(sorted(metric_defaults))),
        formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('--result-dir', default='results', type=cli.folder, metavar='DIR',
        help='folder of the run directories (default: results)')
    add('--network', dest='network_pkls', default=[], type=cli.comma_list, metavar='PKL',
        help='network pickle: a path, a URL or a gdrive: key; several are separated by commas')
    add('--metrics', default='fid50k', type=cli.comma_list, metavar='LIST',
        help='metrics to evaluate, separated by commas (default: fid50k)')
    add('--dataset', required=True, type=cli.folder_name, help='name of the data set, a folder in --data-dir')
    add('--data-dir', required=True, metavar='DIR', help='folder that holds the data sets')
    add('--mirror-augment', default=False, type=cli.boolean, metavar='BOOL',
        help='mirror real images at random, as in training (default: false)')
    add('--num-gpus', default=1, type=cli.int_at_least(1), metavar='N',
        help='number of GPUs or, on a machine without, of CPU devices (default: 1)')
    own = parser.add_argument_group('flags beyond the published ones')
    own.add_argument('--images', default=[], type=cli.folder_names, metavar='LIST',
                     help='data sets in --data-dir whose images are measured as if a network had made them, '
                          'separated by commas; metrics that look at images alone')
    own.add_argument('--num-samples', type=cli.int_at_least(20), metavar='N',
                     help='a quick look at so few samples; the names of the results say so (default: all)')
    own.add_argument('--repeats', default=1, type=cli.int_at_least(1), metavar='N',
                     help='evaluate so often and report mean and standard deviation (default: 1)')
    cli.add_cache_dir(own)
    own.add_argument('--trust-source', action='store_true',
                     help='run the source text in the files of the feature networks, and in those of '
                          '--network for networks that are not known here, now and later')
    return parser


def validate(args):
    """Raise UserError for what the parser cannot see. What needs TensorFlow comes last."""
    submit.check_root(args.result_dir)
    folders.require(args.data_dir, dataset=args.dataset, images=args.images)
    require_known(args.metrics)
    for metric in args.metrics:
        most = most_samples(metric_defaults[metric])
        if args.num_samples and most and args.num_samples > most:
            raise UserError(f'--num-samples={args.num_samples}: {metric} takes {most} samples; ask for '
                            'fewer, or leave the flag out')
    if not args.metrics or not args.network_pkls + args.images:
        raise UserError('--metrics and --network (or --images): expected at least one of each')
    for network_pkl in args.network_pkls:
        pretrained_networks.check_path(network_pkl)
    check_files(args)


def check_files(args):
    """Raise UserError for data sets and networks that cannot be read, and for metrics that cannot be had."""
    networks = {name: pretrained_networks.check_generator(name, args.trust_source)
                for name in args.network_pkls}
    from metrics.features import availability  # loads TensorFlow
    from training import dataset
    if args.images:
        availability.require_images_only(args.metrics)
    folder = os.path.join(args.data_dir, args.dataset)
    real_shape, _ = dataset.shapes_in(folder)
    for name in args.images:
        shape, _ = dataset.shapes_in(os.path.join(args.data_dir, name))
        fit.check_images(name, shape, real_shape)
        num_images = dataset.num_images_in(os.path.join(args.data_dir, name))
        availability.require_number(definitions(args.metrics, args.num_samples), name, num_images)
    for name, Gs in networks.items():
        if Gs.is_generator and Gs.resolution and Gs.num_channels:  # not built by its own source text
            check_fit(name, Gs, folder, real_shape)
    if not args.trust_source:  # else trust has to be given first, and is in the run
        availability.require(args.metrics)


def check_fit(name, Gs, folder, real_shape):
    """Raise UserError if a generator draws other images than those of the data set, or takes other labels."""
    from training import dataset  # loads TensorFlow
    smaller = {'resolution': Gs.resolution} if Gs.resolution < real_shape[1] else {}
    shape, [label_size] = dataset.shapes_in(folder, max_label_size='full' if Gs.label_size else 0, **smaller)
    fit.check_generator(name, ([Gs.num_channels, Gs.resolution, Gs.resolution], Gs.label_size),
                        (shape, label_size))


def main(argv=None):
    """Parse, check, submit."""
    args = make_parser().parse_args(argv)
    cli.use_cache_dir(args)
    validate(args)
    kwargs = vars(args)
    sc = dnnlib.SubmitConfig()
    sc.num_gpus = kwargs.pop('num_gpus')
    sc.local.do_not_copy_source_files = True
    sc.run_dir_root = kwargs.pop('result_dir')
    sc.run_desc = 'run-metrics'
    dnnlib.submit_run(sc, 'run_metrics.run', **kwargs)


if __name__ == '__main__':
    cli.run_script(main)

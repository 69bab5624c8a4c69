"""Evaluate metrics of trained networks on a data set of TFRecords."""

import script_start  # noqa: F401  (before all that takes time to load)

# isort: split
import argparse
import collections
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

  # A quick look at two snapshots, and at held-out images, which no network can be expected to beat
  python run_metrics.py --data-dir=datasets --dataset=ffhq --metrics=fid50k --num-samples=5000 \\
    --network=results/00000-run/network-snapshot-000100.pkl,results/00000-run/network-snapshot-000200.pkl \\
    --images=ffhq-held-out

valid metrics:
  {metrics}
"""
RECORDS = 'metrics.jsonl'


@faults.described(remedy='give')
def run(network_pkls, metrics, dataset, data_dir, mirror_augment, images=(), num_samples=None, repeats=1,
        trust_source=False):
    """Evaluate metrics, given by name, of networks. Results are printed and written, as JSON lines, to
    `metrics.jsonl` in the run directory.

    images:       data sets to measure as well, as if networks had generated them.
    num_samples:  number of samples, for a quick look. None = the metrics' own.
    repeats:      number of evaluations of each.
    trust_source: trust the files of the feature networks and of the networks?
    """
    from metrics import metric_records  # loads TensorFlow
    from metrics.features import feature_networks
    evaluated = build_metrics(metrics, num_samples)
    paths = [OFFICIAL_URLS.get(pkl, pkl) for pkl in network_pkls]
    if trust_source:
        feature_networks.give_trust([name for metric in evaluated for name in metric.network_names], paths)
    for metric in evaluated:
        metric.require()
    data = dict(data_dir=data_dir, dataset_args=dict(tfrecord_dir=dataset, shuffle_mb=0),
                mirror_augment=mirror_augment, num_gpus=dnnlib.submit_config.num_gpus)
    values = collections.defaultdict(list)  # by title and name of the result
    for title, source in [(path, dict(network_pkl=path)) for path in paths] + [
            (f'images of {name}', dict(images=name)) for name in images]:
        print('Evaluating metrics "%s" for "%s"...' % (','.join(metrics), title))
        for metric in evaluated * repeats:
            (metric.run_on_images if 'images' in source else metric.run)(**source, **data)
            metric_records.append(dnnlib.make_run_dir_path(RECORDS), metric.get_record())
            for name, value in metric.results():
                values[title, name].append(value)
    if len(paths) + len(images) > 1 or repeats > 1:
        metric_records.print_table([(*key, numbers) for key, numbers in values.items()])


def build_metrics(names, num_samples):
    """Return the metrics of these names, with so many samples; None = with their own."""
    from metrics import metric_base  # loads TensorFlow
    definitions = [metric_defaults[name] for name in names]
    if num_samples is not None:
        definitions = [with_num_samples(each, num_samples) for each in definitions]
    return metric_base.MetricGroup(definitions).metrics


def make_parser():
    """Return the parser of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLES.format(metrics='\n  '.join(sorted(metric_defaults))),
        formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('--result-dir', default='results', type=cli.folder, metavar='DIR',
        help='folder of the run directories (default: results)')
    add('--network', dest='network_pkls', default=[], type=cli.comma_list, metavar='PKL',
        help='network pickles, separated by commas: paths, URLs or gdrive: keys')
    add('--metrics', default='fid50k', type=cli.comma_list, metavar='LIST',
        help='metrics to evaluate, separated by commas (default: fid50k)')
    add('--dataset', required=True, type=cli.folder_name, help='name of the data set, a folder in --data-dir')
    add('--data-dir', required=True, metavar='DIR', help='folder that holds the data sets')
    add('--mirror-augment', default=False, type=cli.boolean, metavar='BOOL',
        help='mirror real images at random, as in training (default: false)')
    add('--num-gpus', default=1, type=cli.int_at_least(1), metavar='N',
        help='number of GPUs or, on a machine without any, of CPU devices (default: 1)')
    own = parser.add_argument_group('flags beyond the published ones')
    own.add_argument('--images', default=[], type=cli.folder_names, metavar='LIST',
                     help='data sets in --data-dir, separated by commas, whose images are measured as if a '
                          'network had generated them; not for metrics that need a generator')
    own.add_argument('--num-samples', type=cli.int_at_least(20), metavar='N',
                     help='number of samples for a quick look; the names of results say so (default: all)')
    own.add_argument('--repeats', default=1, type=cli.int_at_least(1), metavar='N',
                     help='number of evaluations, for mean and standard deviation (default: 1)')
    cli.add_cache_dir(own)
    own.add_argument('--trust-source', action='store_true',
                     help='run the source text in the files of the feature networks and, for unknown networks, '
                          'in those of --network, now and later')
    return parser


def validate(args):
    """Raise UserError for what the parser cannot check. What needs TensorFlow comes last."""
    submit.check_root(args.result_dir)
    folders.require(args.data_dir, dataset=args.dataset, images=args.images)
    require_known(args.metrics)
    for metric in args.metrics:
        most = most_samples(metric_defaults[metric])
        if args.num_samples and most and args.num_samples > most:
            raise UserError(f'--num-samples={args.num_samples}: {metric} takes {most} samples; choose fewer, or '
                            'omit the flag')
    if not args.metrics or not args.network_pkls + args.images:
        raise UserError('--metrics and --network (or --images): expected at least one of each')
    for network_pkl in args.network_pkls:
        pretrained_networks.check_path(network_pkl)
    networks = {name: pretrained_networks.check_generator(name, args.trust_source)
                for name in args.network_pkls}
    check_files(args, networks)


def check_files(args, networks):
    """Raise UserError for unreadable or unsuitable data sets and networks, and for unavailable metrics."""
    from training import dataset  # loads TensorFlow
    folder = os.path.join(args.data_dir, args.dataset)
    real_shape, _ = dataset.shapes_in(folder)
    metrics = build_metrics(args.metrics, args.num_samples)
    for name in args.images:
        images = os.path.join(args.data_dir, name)
        for metric in metrics:
            metric.require_images_only()
            fit.check_images(name, dataset.shapes_in(images)[0], real_shape)
            fit.check_number(name, dataset.num_images_in(images), metric)
    for name, Gs in networks.items():
        if Gs.is_generator and Gs.resolution and Gs.num_channels:  # not built by its own source text
            smaller = {'resolution': Gs.resolution} if Gs.resolution < real_shape[1] else {}
            shape, [label_size] = dataset.shapes_in(folder, max_label_size='full' if Gs.label_size else 0, **smaller)
            fit.check_generator(
                name, ([Gs.num_channels, Gs.resolution, Gs.resolution], Gs.label_size), (shape, label_size))
    if not args.trust_source:  # otherwise trust is given first, in the run
        for metric in metrics:
            metric.require()


def main(argv=None):
    """Parse, validate, submit."""
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

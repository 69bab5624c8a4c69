"""Train StyleGAN2-ADA, for small data sets, on TFRecords or images."""

import script_start  # noqa: F401  (must come first)

# isort: split
import json
import os

import dnnlib
from dnnlib import cli
from dnnlib.parallel import workers
from dnnlib.pickles import trust
from dnnlib.submission import run_dirs, submit
from metrics import requested
from metrics.metric_defaults import metric_defaults, require_known
from training.resuming import found_runs
from training.settings import ada_loop, submission, train_flags, train_options
from training.settings.from_flags import REPORT

DEFAULT_METRIC = 'fid50k_full'


def setup_training_options(**options):
    """Return the description of a run and the options of StyleGAN2-ADA's training loop, an EasyDict.

    options: values of `train_flags.Flags`, which are the published flags and more; None = not given. Raises
    UserError for the first one that cannot be used.
    """
    return train_options.setup(train_flags.Flags(**options), metric_args)


def metric_args(names):
    """Return the arguments of metrics. None = the default one. Raises UserError for an unknown one."""
    names = [DEFAULT_METRIC] if names is None else names
    require_known(names, others=['none'])
    return [metric_defaults[name] for name in names]


def main(argv=None):
    """Parse the arguments, check them and train."""
    parser = train_flags.make_parser(__doc__, metric_defaults)
    args, group = submission.parsed(parser, argv)
    run = train_flags.run_to_resume(parser, args)
    if run is not None:
        resume_run(run, parser, argv, group)
        return
    train_flags.require(parser, args)
    submit.check_root(args.outdir)
    num_gpus = 1 if args.gpus is None else args.gpus
    desc, options = setup_training_options(**{**train_flags.values(args), 'gpus': num_gpus * group.count})
    reason = None if args.dry_run else check_files(args, options, group)
    sc = submission.config(num_gpus, args.outdir, desc)
    print_options(sc, options)
    settings = ada_loop.loop_settings(options, train_options.has_labels(options), args.seed)
    if args.dry_run:
        submission.show_memory(settings, num_gpus, 'part of --batch for each GPU')
        print('Dry run; exiting.')
        return
    if reason is not None:
        print(f'Training continues without the default metric, {DEFAULT_METRIC}: {reason}.')
    if args.trust_source:
        trust.remember_file(options.resume_pkl)
    if args.report:
        settings['after_snapshot'] = REPORT
    if args.xla is not None:
        settings['xla'] = args.xla
    print('Creating output directory...')
    (dnnlib.submit_run if group.is_first else workers.follow)(sc, submission.RUN_FUNC, **settings)


def check_files(args, options, group):
    """Raise UserError for a --resume pickle or metrics that cannot be used.

    Without the feature network of the default metric, the options lose it. -> why it is missing, or None.
    """
    train_options.check_source(args.resume)
    if 'resume_pkl' in options:
        from training.loop import starting_networks  # loads TensorFlow
        starting_networks.check_file(options.resume_pkl, None, resume_with_new_nets=True,
                                     trust_source=args.trust_source)
    names, reason = requested.choose(args.metrics, DEFAULT_METRIC) if group.is_first else ([], None)
    if not names:
        options.metric_arg_list = []
    return reason


def print_options(sc, options):
    """Print the options of a run, as published."""
    run_id = run_dirs.next_run_id(sc.run_dir_root) if os.path.isdir(sc.run_dir_root) else 0
    run_dir = os.path.join(sc.run_dir_root, f'{run_id:05d}-{sc.run_desc}')
    print()
    print('Training options:')
    print(json.dumps({**options, 'run_dir': run_dir}, indent=2))
    print()
    print(f'Output directory:  {run_dir}')
    print(f'Training data:     {options.train_dataset_args.path}')
    print(f'Training length:   {options.total_kimg} kimg')
    print(f'Resolution:        {options.train_dataset_args.resolution}')
    print(f'Number of GPUs:    {options.num_gpus}')
    print()


def resume_run(run, parser, argv, group):
    """Resume a run with the changes on the command line."""
    args = parser.parse_args(argv)
    require_known(args.metrics or [], others=['none'])
    flags = train_flags.those_given(parser, argv)
    found_runs.check_precision(run, flags)
    from training.resuming import command  # loads TensorFlow
    metrics = []
    if 'metrics' in flags and group.is_first:
        metrics, _ = requested.choose(args.metrics, DEFAULT_METRIC, args.dry_run)
    place = {} if args.metricdata is None else {'tfrecord_dir': os.path.abspath(args.metricdata)}
    sc = command.settings_with(run, flags, ada_loop.on_data(metric_args(metrics), place), train_flags.has_cfg,
                               train_flags.NAMES)
    data = sc.run_func_kwargs
    train_options.check_changes(train_flags.Flags(**train_flags.values(args)),
                                os.path.join(data['data_dir'], data['dataset_args']['tfrecord_dir']))
    submission.resume(run, sc, args.dry_run, group.is_first)


if __name__ == '__main__':
    cli.run_script(main)

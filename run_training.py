"""Train StyleGAN2, StyleGAN or Progressive GAN on a data set of TFRecords or images."""

import script_start  # noqa: F401  (must come first)

# isort: split
import os

import dnnlib
from dnnlib import cli
from dnnlib.parallel import workers
from dnnlib.pickles import trust
from dnnlib.submission import submit
from dnnlib.submission.slurm import flags as slurm_flags
from dnnlib.submission.slurm import target
from dnnlib.util import EasyDict, UserError
from metrics import requested
from metrics.metric_defaults import metric_defaults, require_known
from training.data import data_flags
from training.resuming import found_runs
from training.settings import flags as run_flags
from training.settings import submission
from training.settings.from_flags import MAY_CHANGE, resume_settings, run_settings
from training.settings.submission import RUN_FUNC

RUN_DESC = {'stylegan': 'sgan-{dataset}-{num_gpus}gpu', 'progan': 'pgan-{dataset}-{num_gpus}gpu'}


def check_files(args, settings):
    """Raise UserError for a data set that cannot be read, or a --resume pickle that does not fit it."""
    from training import dataset
    from training.loop import starting_networks  # loads TensorFlow
    wanted = {key: value for key, value in settings['dataset_args'].items()
              if key not in ('tfrecord_dir', 'max_images')}
    shapes = dataset.shapes_in(os.path.join(args.data_dir, args.dataset), **wanted)
    if 'resume_pkl' in settings:
        starting_networks.check_file(settings['resume_pkl'], shapes, settings.get('resume_with_new_nets'),
                                     args.trust_source)


def main(argv=None):
    """Parse the arguments, check them and submit the run."""
    parser = run_flags.make_parser(__doc__, metric_defaults)
    args, group = submission.parsed(parser, argv)
    if args.resume is not None:
        run = found_runs.find_run(args.resume, args.result_dir)
        if run is not None:
            resume_run(run, parser, argv, group)
            return
        resume_settings(args.resume)  # what is wrong with --resume is named before missing flags
    data_flags.require(parser, args, 'data-dir', 'dataset', 'config')
    run_flags.validate(args)
    require_known(args.metrics or [], others=['none'])
    sc = submission.config(args.num_gpus, args.result_dir, run_desc(args.config, args.dataset, args.num_gpus))
    sc.submit_target = dnnlib.SubmitTarget[args.submit.upper()]
    sc.slurm = slurm_options(args, group)
    num_processes = group.count if sc.slurm is None else sc.slurm.tasks
    settings = run_settings(args, num_processes)
    check_files(args, settings)
    metrics, reason = (requested.choose(args.metrics, 'fid50k', args.dry_run) if group.is_first
                       else ([], None))
    settings['metric_arg_list'] = [metric_defaults[name] for name in metrics]
    if args.dry_run:
        print_settings(sc, settings)
        return
    if 'resume_pkl' in settings:
        print(f'Only the weights of the networks come from {settings["resume_pkl"]}: optimizers, data order, '
              'random numbers and running means start anew.')
    if reason is not None:
        print(f'Training continues without the default metric, fid50k: {reason}.')
    if args.trust_source:
        trust.remember_file(settings['resume_pkl'])
    settings = {key: EasyDict(value) if isinstance(value, dict) else value for key, value in settings.items()}
    (dnnlib.submit_run if group.is_first else workers.follow)(sc, RUN_FUNC, **settings)


def slurm_options(args, group, changes=()):
    """Return the options of the Slurm target, None for another target. changes: flags of a resumed run."""
    if args.submit == 'slurm' and group.count > 1:
        raise UserError('--submit=slurm: the tasks of the job are the workers; omit --workers and '
                        'unset TF_CONFIG')
    return slurm_flags.target_options(args, resume_script=os.path.abspath(__file__),
                                      resume_flags=list(changes), state_files='training-state-*',
                                      straggler_seconds=120)  # workers exit together


def run_desc(config, dataset, num_gpus):
    """Return the description of a run."""
    desc = RUN_DESC.get(config, 'stylegan2-{dataset}-{num_gpus}gpu-{config}')
    return submission.valid_desc(
        desc.format(config=config, dataset=dataset.removesuffix('.zip'), num_gpus=num_gpus))


def has_config(sc, config):
    """Return whether a run may have been started with a configuration."""
    return sc.run_desc == run_desc(config, sc.run_func_kwargs['dataset_args']['tfrecord_dir'], sc.num_gpus)


def resume_run(run, parser, argv, group):
    """Resume a run with the changes on the command line."""
    args = parser.parse_args(argv)
    require_known(args.metrics or [], others=['none'])
    flags = run_flags.those_given(parser, argv)
    found_runs.check_precision(run, flags)
    from training.resuming import command  # loads TensorFlow
    metrics = []
    if 'metrics' in flags and group.is_first:
        metrics, _ = requested.choose(args.metrics, 'fid50k', args.dry_run)
    sc = command.settings_with(run, flags, [metric_defaults[name] for name in metrics], has_config)
    sc.submit_target = dnnlib.SubmitTarget[args.submit.upper()]
    changes = [f'--{name}={(",".join(value) or "none") if isinstance(value, list) else value}'
               for name, value in flags.items() if name in MAY_CHANGE]
    sc.slurm = slurm_options(args, group, changes)
    if sc.slurm is not None:
        target.resume(sc, run.state_path, args.dry_run)
    else:
        submission.resume(run, sc, args.dry_run, group.is_first)


def print_settings(sc, settings):
    """Print the script for Slurm or, as JSON, all settings with their defaults, and the memory plan."""
    if sc.submit_target == dnnlib.SubmitTarget.SLURM:
        print(submit.slurm_script(sc, RUN_FUNC), end='')
    else:
        submission.print_resolved(sc, settings)
        submission.show_memory(settings, sc.num_gpus)


if __name__ == '__main__':
    cli.run_script(main)

"""Resumes the run that --resume of run_training.py names."""

import glob
import os
import shutil

import dnnlib
from dnnlib.files import TEMPORARY
from dnnlib.util import EasyDict, UserError, get_obj_by_name
from training import misc
from training.resuming import found_runs, state_folder
from training.resuming.state_keeper import cut_logs
from training.settings import ada_flags, precision
from training.settings.from_flags import MAY_CHANGE, OWN_FLAGS, REPORT
from training.settings.resolved import resolved

# Flags that are not in OWN_FLAGS and the settings that they change.
_OTHER_FLAGS = {
    'data-dir': ['data_dir'], 'dataset': ['dataset_args.tfrecord_dir'], 'total-kimg': ['total_kimg'],
    'gamma': ['D_loss_args.gamma', 'D_loss_args.r1_gamma', 'loss_args.r1_gamma'],
    'mirror-augment': ['mirror_augment'], 'metrics': ['metric_arg_list'], 'report': ['after_snapshot'],
    'xla': ['xla']}


def settings_with(run, flags, metric_arg_list, check_config, own_names={}):
    """Return the SubmitConfig of a run with the changes of some flags.

    flags: {name: value} of those that were given. check_config: function of SubmitConfig and value of
    --config that returns whether they agree. own_names: {name: that of the script, if it differs}. Raises
    UserError for a flag that contradicts the run.
    """
    sc = stored_config(run.run_dir)
    settings = sc.run_func_kwargs
    all_settings = resolved(get_obj_by_name(sc.run_func_name), settings)

    def contradiction(name, there):
        return found_runs.contradiction(run, f'--{own_names.get(name, name)}={flags[name]}', there)

    for name, value in flags.items():
        if name == 'num-gpus' and value != sc.num_gpus:
            raise contradiction(name, f'which has {sc.num_gpus}')
        if name == 'config' and not check_config(sc, value):
            raise contradiction(name, f'which is {sc.run_desc}')
        if name in ada_flags.IN_RUN and (there := ada_flags.in_run(name, value, all_settings)) != value:
            raise contradiction(name, f'which has {there}')
        places = _OTHER_FLAGS.get(name) or (OWN_FLAGS[name][-1] if name in OWN_FLAGS else [])
        value = {'metrics': metric_arg_list, 'report': REPORT if value else None}.get(name, value)
        for place in places:
            there = _at(all_settings, place)
            if name in MAY_CHANGE:
                settings[place] = value
            elif there != value and not (name == 'gamma' and there is None):
                raise contradiction(name, f'which has {there}')
    return sc


def stored_config(run_dir):
    """Return the SubmitConfig that a run directory holds."""
    path = os.path.join(run_dir, 'submit_config.pkl')
    stored = misc.load_pkl(path)
    sc = dnnlib.SubmitConfig()
    for name in sc:
        if name in stored and name not in ('local', 'submit_target', 'platform_extras'):
            sc[name] = stored[name]
    sc.local.do_not_copy_source_files = True
    sc.run_dir = run_dir
    sc.run_func_kwargs = {key: EasyDict(value) if isinstance(value, dict) else value
                          for key, value in stored['run_func_kwargs'].items()}
    if sc.run_func_kwargs.pop('fp16_on_cpu', False):  # as earlier versions called it
        sc.run_func_kwargs['precision'] = precision.MIXED
    return sc


def _at(settings, place):
    """Return the value at 'key' or 'group.key'; None without one."""
    group, _, key = place.partition('.')
    return settings.get(group, {}).get(key) if key else settings.get(group)


def resume(run, sc):
    """Resume a run in its directory. Raises UserError if it is running or has no intact state."""
    abort = os.path.join(run.run_dir, 'abort.txt')
    if os.path.exists(abort):
        raise UserError(f'{abort}: this file ended the run; remove it to resume')
    with dnnlib.submission.submit.alone_in(run.run_dir):
        path = _roll_back(run)
        dnnlib.submission.submit.continue_run(sc, resume_state=path)


def _roll_back(run):
    """Reset a run directory to the time of the state from which the run resumes. -> path of that state."""
    state = state_folder.read(run.state_path) if run.state_path else state_folder.newest(run.run_dir)
    if state is None:
        raise UserError(f'{run.run_dir}: none of the training states is intact; start a new run from one of '
                        'the network pickles there')
    for later in [path for path in state_folder.paths(run.run_dir) if path > state.path]:
        print(f'Removing {later}, which is damaged or later than the state that is used.')
        state_folder.remove(later)
    for left_over in glob.glob(os.path.join(glob.escape(run.run_dir), TEMPORARY + '*')):
        shutil.rmtree(left_over) if os.path.isdir(left_over) else os.remove(left_over)
    cut = cut_logs(run.run_dir, state.content['logs'])
    kimg = state.content['trainer']['cur_nimg'] / 1000
    print(f'Resuming {run.run_dir} at {kimg:.1f} kimg. Logs cut back to that: {", ".join(cut) or "none"}.')
    return state.path

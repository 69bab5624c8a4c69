"""The settings of a run, what differs from its configuration, and the flags that do so."""

import json
import os
import re
from dataclasses import dataclass, field

from dnnlib.pickles import arrays, contents
from dnnlib.util import UserError
from training.settings.configs import CONFIGS, PRESETS, config_settings
from training.settings.from_flags import OWN_FLAGS

_PRESETS = {'sgan': 'stylegan', 'pgan': 'progan'}  # by the beginning of the description of a run
_PUBLISHED = {'total_kimg': 'total-kimg', 'D_loss_args.gamma': 'gamma', 'D_loss_args.r1_gamma': 'gamma',
              'mirror_augment': 'mirror-augment', 'metric_arg_list': 'metrics'}
_FLAGS = {place: name for name, (*_, places) in OWN_FLAGS.items() for place in places} | _PUBLISHED
_USUAL = {'mirror_augment': 'False'}  # defaults of published flags that no configuration sets
_UNREMARKABLE = ('data_dir', 'dataset_args.tfrecord_dir', 'after_snapshot', 'cpu_grid_seconds')


@dataclass
class Settings:
    """Arguments of the training loop, flat: {'group.name': text}."""
    values: dict = field(default_factory=dict)
    changes: list = field(default_factory=list)  # (flag or '', name, value, value of the configuration)
    config: str | None = None                    # Name of the configuration, if it is known here.
    facts: dict = field(default_factory=dict)    # Of the run: {title: text}.


class _Finisher(contents.Finisher):
    def network(self, obj):
        raise UserError('refused: a network among settings')


def read(folder, notes):
    """Return the Settings in a run directory; empty ones, and a line in `notes`, if they cannot be read."""
    for name, load in (('submit_config.pkl', _of_pickle), ('training_options.json', _of_json)):
        path = os.path.join(folder, name)
        if os.path.isfile(path):
            try:
                return load(path)
            except (UserError, OSError, ValueError, RecursionError) as error:
                notes.append(f'{name} cannot be used: {error}.')
    return Settings()


def _of_pickle(path):
    with arrays.errors_named('it', 'settings of a run'), open(path, 'rb') as file:
        stored = _Finisher()(contents.unpickled(file))
    arguments = stored.get('run_func_kwargs') if isinstance(stored, dict) else None
    if not isinstance(arguments, dict):
        raise ValueError('it holds no settings of a run')
    num_gpus = stored.get('num_gpus')
    titles = {'description': 'run_desc', 'function': 'run_func_name', 'devices': 'num_gpus',
              'host': 'host_name', 'user': 'user_name'}
    facts = {title: str(stored[key]) for title, key in titles.items() if stored.get(key)}
    values, config = _flat(arguments), config_of(str(stored.get('run_desc')))
    base = _flat(config_settings(config, num_gpus if type(num_gpus) is int else 1)) if config else {}
    return Settings(values, _changes(values, base) if config else [], config, facts)


def _of_json(path):
    with open(path, encoding='utf-8') as file:
        arguments = json.load(file)
    if not isinstance(arguments, dict):
        raise ValueError('it holds no settings of a run')
    return Settings(_flat(arguments))


def config_of(run_desc):
    """Return the name of the configuration in the description of a run, or None."""
    match = re.match(r'(stylegan2|sgan|pgan)-.*\dgpu(?:-(.*))?$', run_desc)
    name = match and _PRESETS.get(match[1], match[2])
    return name if name in CONFIGS or name in PRESETS else None


def _flat(settings, prefix=''):
    """Return {'group.name': text} of nested settings. Tables by resolution stay whole."""
    flat = {}
    for key, value in settings.items():
        if isinstance(value, dict) and value and all(isinstance(name, str) for name in value):
            flat |= _flat(value, f'{prefix}{key}.')
        else:
            flat[f'{prefix}{key}'] = str(value)
    return flat


def _changes(values, base):
    """Return what differs from a configuration. A setting that the configuration lacks has its default."""
    rows = []
    for name in [*values, *(name for name in base if name not in values)]:
        value, usual = values.get(name, 'removed'), base.get(name, _USUAL.get(name))
        if value == usual or name in _UNREMARKABLE or (usual is None and value in ('{}', '[]')):
            continue
        flag = _FLAGS.get(name, '')
        if usual is None:
            usual = OWN_FLAGS[flag][1] if flag in OWN_FLAGS else 'default'
            usual = 'default' if usual.startswith('the config') else usual
        if value != usual:
            rows.append((f'--{flag}' if flag else '', name, value, usual))
    return rows


def differences(all_settings):
    """Return [name, text in each run] of the settings that are not the same in all runs."""
    names = dict.fromkeys(name for settings in all_settings for name in settings.values)
    rows = [[name, *(settings.values.get(name, '') for settings in all_settings)] for name in names]
    return [row for row in rows if len(set(row[1:])) > 1]

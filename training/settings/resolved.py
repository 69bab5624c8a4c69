"""All arguments of a training run, defaults included."""

import inspect
import sys

import dnnlib.tflib as tflib
from dnnlib.util import get_obj_by_name
from training import dataset, misc
from training.loop.schedule import training_schedule

# Arguments that the training loop sets, or that change within a run.
INTERNAL = {
    'is_training', 'is_validation', 'is_template_graph', 'force_clean_graph', 'return_dlatents', 'components',
    'dlatent_broadcast', 'num_channels', 'label_size', 'name', 'learning_rate', 'minibatch_multiplier',
    'share', 'report_mem_usage', 'cluster'}


def resolved(training_loop, settings):
    """Return the arguments of the training loop with the defaults of it and of what it calls."""
    result = {**_defaults(training_loop), **settings}
    callees = {'dataset_args': dataset.TFRecordDataset, 'sched_args': training_schedule,
               'grid_args': misc.setup_snapshot_image_grid, 'G_opt_args': tflib.Optimizer,
               'D_opt_args': tflib.Optimizer}
    for group, function in callees.items():
        result[group] = {**_defaults(function), **result[group]}
    for group in ('G_args', 'D_args', 'G_loss_args', 'D_loss_args', 'loss_args', 'augment_args'):
        if result[group]:  # of the losses, either those of two functions or that of one
            result[group] = _with_function_defaults(result[group])
    return result


def _defaults(function):
    """Return {argument: default} of a function, without INTERNAL ones."""
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty and p.name not in INTERNAL}


def _with_function_defaults(args):
    """Return the arguments of the function `func_name` (or class `class_name`) and of the parts of a
    generator, with defaults."""
    name = 'func_name' if 'func_name' in args else 'class_name'
    function = get_obj_by_name(args[name])
    functions = [function]
    if 'components' in inspect.signature(function).parameters:
        module = sys.modules[function.__module__]
        own = {**_defaults(function), **args}
        functions += [getattr(module, own.get('mapping_func', 'G_mapping')),
                      getattr(module, own.get('synthesis_func', 'G_synthesis'))]
    defaults = {}
    for part in reversed(functions):
        defaults.update(_defaults(part))
    for key in ('resolution', 'base_shape'):  # come from the data set
        defaults.pop(key, None)
    return {name: args[name], **defaults, **args}

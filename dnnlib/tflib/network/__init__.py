"""Network: a build function, its variables, and the graphs built from them.

`tflib.Network` is the way in; its methods call the modules of this folder. `network_pickle` makes networks of
files.
"""

import inspect
import re
from collections import OrderedDict

import numpy as np
import tensorflow.compat.v1 as tf

from dnnlib import util
from dnnlib.pickles import fork_sizes, origin, stored_state
from dnnlib.pickles.arrays import reason, shown
from dnnlib.tflib import tfutil
from dnnlib.tflib.inference import is_outline
from dnnlib.tflib.legacy import execution
from dnnlib.tflib.network import arguments, copying, running
from dnnlib.tflib.network import report as network_report
from dnnlib.tflib.network import state as network_state


def import_handler(handler_func):
    """Register a function that gets the state of every network that is read and returns the state to use; use
    as a decorator. Handlers are called in the order of their registration, before anything is checked.

    A handler can convert a state of an unknown form, and change its `build_func_name` to a function that is
    known here or to the dotted name of one that can be imported.
    """
    stored_state.import_handlers.append(handler_func)
    return handler_func


class Network:
    """A parameterized function from tensors to tensors, defined by a build function.

    The build function takes its inputs as positional parameters without default; they have no shape yet, and
    it calls `set_shape` on each. It creates variables with `tf.get_variable`, keeps sub-networks in
    `components`, and returns a tensor or a tuple. It is called once for the template graph, which creates the
    variables, and again for every `get_output_for`, which uses them.
    """

    def __init__(self, name: str | None = None, func_name=None, **static_kwargs):
        """Build the template graph and initialize the variables.

        func_name: top-level function or its dotted name.
        static_kwargs: keyword arguments of all its calls, picklable.

        `name` defaults to that of the function. Raises RuntimeError before `tflib.init_tf()`, ValueError if
        the build function leaves shapes undefined, and TypeError for a keyword that no network function has.
        """
        tfutil.assert_tf_initialized()
        assert name is None or isinstance(name, str)
        assert func_name is not None
        assert isinstance(func_name, str) or util.is_top_level_function(func_name)
        assert util.is_pickleable(static_kwargs)
        if not isinstance(func_name, str):
            func_name = util.get_top_level_function_name(func_name)
        module, self._build_func_name = util.get_module_from_obj_name(func_name)
        self._build_func = util.get_obj_from_module(module, self._build_func_name)
        assert callable(self._build_func)
        arguments.check_keywords(self._build_func, {}, static_kwargs)
        own = inspect.getmodule(self._build_func)  # Another module may offer the function, too.
        is_there = getattr(own, self._build_func_name, None) is self._build_func
        self._build_module_src = execution.source_of(own if is_there else module)
        self.name = name
        self.static_kwargs = util.EasyDict(static_kwargs)
        self.components = util.EasyDict()
        self._init_graph()
        self.reset_own_vars()

    # Template graph.

    @util.paused_gc()
    def _init_graph(self) -> None:
        self._run_cache = {}
        self.input_names = [
            p.name for p in inspect.signature(self._build_func).parameters.values()
            if p.kind == p.POSITIONAL_OR_KEYWORD and p.default is p.empty]
        self.num_inputs = len(self.input_names)
        assert self.num_inputs >= 1
        self.name = self.name or self._build_func_name
        assert re.fullmatch(r'[A-Za-z0-9_.\-]*', self.name), f'network name {self.name!r}'
        with tf.name_scope(None):
            self.scope = tf.get_default_graph().unique_name(self.name)

        with tfutil.absolute_variable_scope(self.scope, reuse=False), \
                tfutil.absolute_name_scope(self.scope), tf.control_dependencies(None):
            self.input_templates = [tf.placeholder(tf.float32, name=name) for name in self.input_names]
            with arguments.passed_on():
                out_expr = self._build_func(*self.input_templates, **self.static_kwargs,
                                            is_template_graph=True, components=self.components)
        assert tfutil.is_tf_expression(out_expr) or isinstance(out_expr, tuple)
        self.output_templates = list(out_expr) if isinstance(out_expr, tuple) else [out_expr]
        self.num_outputs = len(self.output_templates)
        assert self.num_outputs >= 1
        self.output_names = [t.name.split('/')[-1].split(':')[0] for t in self.output_templates]
        self._check_template()
        self.input_shapes = [tfutil.shape_to_list(t.shape) for t in self.input_templates]
        self.output_shapes = [tfutil.shape_to_list(t.shape) for t in self.output_templates]
        self.input_shape, self.output_shape = self.input_shapes[0], self.output_shapes[0]
        self._list_variables()

    def _check_template(self) -> None:
        if any(t.shape.rank is None for t in self.input_templates):
            raise ValueError('Network input shapes not defined. Please call x.set_shape() for each input.')
        if any(t.shape.rank is None for t in self.output_templates):
            raise ValueError('Network output shapes not defined. Please call x.set_shape() where applicable.')
        if any(not isinstance(component, Network) for component in self.components.values()):
            raise ValueError('Components of a Network must be Networks themselves.')
        if len({component.name for component in self.components.values()}) != len(self.components):
            raise ValueError('Components of a Network must have unique names.')

    def _list_variables(self) -> None:
        prefix = self.scope + '/'
        own_vars = [var for var in tf.global_variables() if var.name.startswith(prefix)]
        self.own_vars = OrderedDict((var.name[len(prefix):].split(':')[0], var) for var in own_vars)
        self.vars = OrderedDict(self.own_vars)
        for component in self.components.values():
            self.vars.update((f'{component.name}/{name}', var) for name, var in component.vars.items())
        self.trainables = OrderedDict((name, var) for name, var in self.vars.items() if var.trainable)
        self.var_global_to_local = OrderedDict(
            (var.name.split(':')[0], name) for name, var in self.vars.items())

    # Evaluation.

    def get_output_for(self, *in_expr, return_as_list: bool = False, **dynamic_kwargs):
        """Build the network on these input tensors; None stands for zeros. -> tensor, tuple, or list.

        `dynamic_kwargs` override the static ones. Devices and control dependencies of the caller apply.
        Raises ValueError for a wrong number of inputs and TypeError for a keyword that no network function
        has.
        """
        arguments.check_count(self, in_expr)
        arguments.check_keywords(self._build_func, self.components, dynamic_kwargs)
        if is_outline():
            out_expr = self._outline(in_expr)
            return out_expr if return_as_list else tuple(out_expr) if self.num_outputs > 1 else out_expr[0]
        build_kwargs = {**self.static_kwargs, **dynamic_kwargs, 'is_template_graph': False,
                        'components': self.components}
        with tfutil.absolute_variable_scope(self.scope, reuse=True), tf.name_scope(self.name):
            final_inputs = [
                self._zeros_like(in_expr, i) if expr is None else tf.identity(expr, name=self.input_names[i])
                for i, expr in enumerate(in_expr)]
            with arguments.passed_on():
                out_expr = self._build_func(*final_inputs, **build_kwargs)
        for expr, final in zip(in_expr, final_inputs, strict=True):
            if isinstance(expr, tf.Tensor):
                expr.set_shape(final.shape)
        assert tfutil.is_tf_expression(out_expr) or isinstance(out_expr, tuple)
        if return_as_list:
            return list(out_expr) if isinstance(out_expr, tuple) else [out_expr]
        return out_expr

    def _outline(self, in_expr):
        """Return placeholders for the outputs, and set the shapes of the inputs."""
        for expr, shape in zip(in_expr, self.input_shapes, strict=True):
            if isinstance(expr, tf.Tensor):
                expr.set_shape(shape)
        return [tf.placeholder(t.dtype, t.shape, name=name)
                for t, name in zip(self.output_templates, self.output_names, strict=True)]

    def _zeros_like(self, in_expr, index):
        """Return zeros for one input, with as many rows as the first input that is given."""
        batch = tf.shape(next(expr for expr in in_expr if expr is not None))[0]
        return tf.zeros([batch, *self.input_shapes[index][1:]], name=self.input_names[index])

    def run(self, *in_arrays, input_transform: dict | None = None, output_transform: dict | None = None,
            return_as_list: bool = False, print_progress: bool = False, minibatch_size: int | None = None,
            num_gpus: int = 1, assume_frozen: bool = False, custom_inputs: list | None = None,
            **dynamic_kwargs):
        """Evaluate on NumPy arrays, `minibatch_size` items per session call. -> array, or several of them,
        such as (images, dlatents) of a generator with return_dlatents=True.

        in_arrays: one per input, None = zeros, but not for all.
        input_transform, output_transform: steps before and after the network, a top-level function and its
            arguments, such as dict(func=tflib.convert_images_to_uint8, nchw_to_nhwc=True). Outputs that only
            a keyword adds, such as dlatents, are not transformed.
        num_gpus: number of devices that share each minibatch in equal parts.
        assume_frozen: keep the weights of the first call with these arguments for all later ones.
        custom_inputs: for each input None or function(batch_size, shape), as forks of StyleGAN have it. The
            tensor or variable that it returns, of this shape such as [4,18,512], takes the place of the
            array, which then only sets the number of rows. Functions are called once for each batch size,
            that of a minibatch. Variables are initialized; outputs, `<scope>/_Run/concat:0` and so on, have
            gradients.
        dynamic_kwargs: as for `get_output_for`. Without a GPU, layers that are configured for half precision
            run in float32, unless num_fp16_res is given.

        Raises ValueError for wrong shapes and TypeError for a keyword that no network function has.
        """
        return running.run(
            self, in_arrays, input_transform=input_transform, output_transform=output_transform,
            return_as_list=return_as_list, print_progress=print_progress, minibatch_size=minibatch_size,
            num_gpus=num_gpus, assume_frozen=assume_frozen, custom_inputs=custom_inputs,
            dynamic_kwargs=dynamic_kwargs)

    # Variables.

    def reset_own_vars(self) -> None:
        """Initialize the network's own variables, but not those of its components."""
        tfutil.run([var.initializer for var in self.own_vars.values()])

    def reset_vars(self) -> None:
        """Initialize all variables."""
        tfutil.run([var.initializer for var in self.vars.values()])

    def reset_trainables(self) -> None:
        """Initialize all trainable variables."""
        tfutil.run([var.initializer for var in self.trainables.values()])

    def get_var_local_name(self, var_or_global_name) -> str:
        """Return the local name of a variable, given the variable or its global name. Raises KeyError for a
        variable of another network."""
        name = var_or_global_name if isinstance(var_or_global_name, str) else var_or_global_name.name
        return self.var_global_to_local[name.split(':')[0]]

    def find_var(self, var_or_local_name):
        """Return the variable of this local name (KeyError if there is none), or a variable itself."""
        return self.vars[var_or_local_name] if isinstance(var_or_local_name, str) else var_or_local_name

    def get_var(self, var_or_local_name) -> np.ndarray:
        """Return the value of a variable."""
        return tfutil.run(self.find_var(var_or_local_name))

    def set_var(self, var_or_local_name, new_value) -> None:
        """Assign a value to a variable. Raises ValueError if its shape differs."""
        tfutil.set_vars({self.find_var(var_or_local_name): new_value})

    def clone(self, name: str | None = None, **new_static_kwargs) -> 'Network':
        """Return a new network of the same kind with its own variables, of the same values. Raises TypeError
        for a keyword that no network function has."""
        arguments.check_keywords(self._build_func, self.components, new_static_kwargs)
        net = self._clone_graph(name or self.name, new_static_kwargs)
        net.copy_vars_from(self)
        return net

    def _clone_graph(self, name, new_static_kwargs):
        """Return a clone whose variables are initialized only where there may be no values to copy: in a
        large graph, each call of a session takes time."""
        net = object.__new__(Network)
        net._build_func = self._build_func
        net._build_func_name = self._build_func_name
        net._build_module_src = self._build_module_src
        net.name = name
        net.static_kwargs = util.EasyDict({**self.static_kwargs, **new_static_kwargs})
        net.components = util.EasyDict()
        if new_static_kwargs:
            net._init_graph()
            net.reset_own_vars()
            return net
        for key, component in self.components.items():
            net.components[key] = component._clone_graph(component.name, {})
        net._init_graph()
        return net

    def convert(self, new_func_name, new_name: str | None = None, **new_static_kwargs) -> 'Network':
        """Return a network of another build function with the same static kwargs, updated by
        `new_static_kwargs`, and the same values where names agree."""
        static_kwargs = {**self.static_kwargs, **new_static_kwargs}
        with arguments.passed_on():  # The new function may not know keywords of the old one.
            net = Network(new_name or self.name, new_func_name, **static_kwargs)
        arguments.check_keywords(net._build_func, net.components, new_static_kwargs)
        net.copy_vars_from(self)
        return net

    def copy_own_vars_from(self, src_net: 'Network') -> copying.CopyReport:
        """Copy own variables whose local names agree. Returns and prints as `copy_vars_from` does."""
        return self._copy(self.own_vars, src_net, src_net.own_vars)

    def copy_vars_from(self, src_net: 'Network', skip_other_shapes=False) -> copying.CopyReport:
        """Copy all variables whose local names agree.

        -> report of what was copied and what was not, which is printed unless everything was. Raises
        ValueError before copying if shapes differ; with `skip_other_shapes`, such variables keep their
        values.
        """
        return self._copy(self.vars, src_net, src_net.vars, skip_other_shapes)

    def copy_trainables_from(self, src_net: 'Network') -> copying.CopyReport:
        """Copy trainable variables whose local names agree. Returns and prints as `copy_vars_from` does."""
        return self._copy(self.trainables, src_net, src_net.trainables)

    def _copy(self, own, src_net, theirs, skip_other_shapes=False):
        report = copying.compare(src_net.name, theirs, self.name, own)
        if report.other_shapes and not skip_other_shapes:
            raise ValueError(f'variables of another shape:\n{report}')
        if not report.complete:
            print(report)
        copying.copy(report, theirs, own)
        return report

    def setup_as_moving_average_of(self, src_net: 'Network', beta=0.99, beta_nontrainable=0.0):
        """Return an op that averages the weights of a network in training (Progressive GAN, Appendix A.1).

        Each run moves this network: average <- beta * average + (1 - beta) * source. `beta` is the decay of
        trainables, `beta_nontrainable` that of all else; either may be a tensor, and 0 copies.
        Variables are paired by local name; those that `src_net` does not have keep their values.
        """
        decay = dict.fromkeys(self.vars, beta_nontrainable) | dict.fromkeys(self.trainables, beta)
        with tfutil.absolute_name_scope(f'{self.scope}/_MovingAvg'):
            return tf.group(*[
                tf.assign(average, _running_average(average, src_net.vars[name], decay[name]))
                for name, average in self.vars.items() if name in src_net.vars])

    # Reporting.

    def list_ops(self) -> list:
        """Return the operations of the template graph, except helpers whose scope starts with an
        underscore."""
        return network_report.list_ops(self)

    def list_layers(self) -> list:
        """Return [(layer name, output tensor or variable, [trainable variables])] of the template graph."""
        return network_report.list_layers(self)

    def print_layers(self, title: str | None = None, hide_layers_with_no_params: bool = False) -> None:
        """Print a table of the layers with their parameter counts and shapes."""
        network_report.print_layers(self, title, hide_layers_with_no_params)

    def setup_weight_histograms(self, title: str | None = None) -> None:
        """Add a TensorBoard histogram for every trainable variable."""
        network_report.setup_weight_histograms(self, title)

    # Pickling.

    def __getstate__(self) -> dict:
        return network_state.get_state(self)

    def __setstate__(self, state: dict) -> None:
        tfutil.assert_tf_initialized()
        state = stored_state.imported(state)
        found = origin.find(state)
        state = fork_sizes.own_form(state, found)
        tfutil.set_initial_values(self.build_from_state(state, util.get_obj_by_name(found.func)))

    def build_from_state(self, state: dict, build_func) -> dict:
        """Build this network from a state that `stored_state.imported` returned. -> {variable: value}, which
        the caller assigns.

        Raises UserError if the state does not fit, and RuntimeError before `tflib.init_tf()`.
        """
        tfutil.assert_tf_initialized()
        self._build_func = build_func
        self._build_func_name = state['build_func_name']
        self._build_module_src = state['build_module_src']
        if state['from_tfutil']:  # Its text expects weights with transposed axes.
            self._build_module_src = execution.source_of(inspect.getmodule(build_func))
        self.name = state['name']
        self.static_kwargs = util.EasyDict(state['static_kwargs'])
        self.components = util.EasyDict(state['components'])
        try:
            self._init_graph()
        except Exception as error:  # Whatever a build function raises for arguments that make no sense.
            raise util.UserError(f'network {self.name!r}: {self._build_func_name} does not accept the stored '
                                 f'arguments {shown(dict(self.static_kwargs))} or components '
                                 f'({reason(error)})') from error
        return network_state.checked_values(self, state)


def _running_average(average, value, decay):
    """Return the new running average, on its device; with a decay of 0, the value itself."""
    with tf.device(average.device):
        return value if isinstance(decay, (int, float)) and decay == 0 else tfutil.lerp(value, average, decay)

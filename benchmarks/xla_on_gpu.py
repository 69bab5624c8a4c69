"""Run compiled steps of StyleGAN2 with jaxlib's XLA, where TensorFlow cannot be had.

    python -m benchmarks.xla_on_gpu export FOLDER     # here: writes the steps as files
    python xla_on_gpu.py run FOLDER/*                 # there: needs this file, jaxlib and NumPy, nothing else

Weights are random numbers of a seed, the same at export and here.
"""

import argparse
import contextlib
import glob
import hashlib
import importlib.util
import json
import os
import platform
import statistics
import sys
import time
import zlib

import numpy as np

FORMAT = 1
FIELDS = ('step', 'resolution', 'minibatch', 'precision', 'fmap_base', 'fmap_max', 'runs_per_minibatch')
NUM_VALUES = 16     # of an output that its digest contains
WARM_UP_CALLS, MIN_CALLS = 2, 5  # after the first call; that are timed


class Trouble(Exception):
    """Something that the user can change, in one line."""


def filled(shape, dtype, fill, seed, index):
    """Return the array for an input. fill: {'value'}, or {'mean', 'std'} of a normal distribution."""
    if 'value' in fill:
        return np.full(tuple(shape), fill['value'], dtype)
    normal = np.random.RandomState([seed, index]).standard_normal(tuple(shape))
    return np.asarray(normal * fill['std'] + fill['mean'], dtype)


def digest(array) -> dict:
    """Return figures that tell whether another array is nearly equal."""
    x = np.asarray(array, np.float64).ravel()
    if not x.size:
        return {'mean': 0.0, 'std': 0.0, 'norm': 0.0, 'max': 0.0, 'values': []}
    places = np.linspace(0, x.size - 1, min(NUM_VALUES, x.size)).astype(int)
    return {'mean': float(x.mean()), 'std': float(x.std()), 'norm': float(np.linalg.norm(x)),
            'max': float(np.abs(x).max()), 'values': x[places].tolist()}


def difference(ours, expected) -> float:
    """Return the largest difference of two digests, relative to the largest element and to the norm."""
    if expected['max'] == 0:
        return ours['max']
    values = np.abs(np.subtract(ours['values'], expected['values'])).max() / expected['max']
    largest = max(values, abs(ours['norm'] - expected['norm']) / expected['norm'])
    return float(largest) if np.isfinite(largest) else float('inf')


class Step:
    """A folder that `export` wrote."""

    def __init__(self, folder):
        """Read the folder. Raises Trouble."""
        self.name = os.path.basename(os.path.normpath(folder))
        try:
            with open(os.path.join(folder, 'step.json'), encoding='utf-8') as file:
                self.about = json.load(file)
            version, checksum = self.about['format'], self.about['sha256']
            if version != FORMAT:
                raise Trouble(f'{folder}/step.json has format {version!r}, and this file reads {FORMAT}: '
                              'copy both from the same version')
            with open(os.path.join(folder, 'step.hlo'), 'rb') as file:
                data = file.read()
            self.sources = [output['input'] for output in self.about['outputs']]
            self._fills = [(item['shape'], item['dtype'], item['fill']) for item in self.about['inputs']]
            self.fields = {name: self.about[name] for name in FIELDS}
            self.expected, self._seed = self.about['expected'], self.about['seed']
            if self.expected and len(self.expected) != len(self.sources):
                raise ValueError
        except OSError as error:
            raise Trouble(
                f'{error.filename}: {error.strerror}; expected a folder that `export` wrote') from None
        except (ValueError, TypeError, KeyError):
            raise Trouble(f'{folder}/step.json is damaged; copy the folder again') from None
        if hashlib.sha256(data).hexdigest() != checksum:
            raise Trouble(f'{folder}/step.hlo is damaged: its checksum differs; copy the folder again')
        self.hlo = zlib.decompress(data)

    def arrays(self):
        """Return the arrays for all inputs."""
        return [filled(*fill, self._seed, index) for index, fill in enumerate(self._fills)]


class Xla:
    """The XLA of this jaxlib and one device, by whatever names its version has for them. The package jax is
    not needed; if it is installed, it finds GPUs."""

    def __init__(self, wanted):
        """Find a device: `wanted` is 'gpu', 'cpu' or 'auto', a GPU if there is one. Raises Trouble."""
        os.environ.setdefault('XLA_PYTHON_CLIENT_PREALLOCATE', 'false')
        try:
            import jaxlib
            from jaxlib import xla_client
        except ImportError as error:
            raise Trouble(f'jaxlib cannot be imported ({error}); try: pip install jaxlib') from None
        self._names = [xla_client, *map(_module, ('jaxlib._jax', 'jaxlib.xla_extension'))]
        self._jax = _module('jax')
        self.versions = {'jaxlib': jaxlib.__version__, 'jax': getattr(self._jax, '__version__', None),
                         'numpy': np.__version__, 'Python': platform.python_version()}
        self._allow_64_bits()
        self.device = self._find_device(wanted)
        self.client = self.device.client
        self.card = f'{self.device.device_kind} ({self.client.platform}, {self.client.platform_version})'

    def get(self, name):
        """Return what this version calls so, or None."""
        return next((getattr(module, name) for module in self._names if hasattr(module, name)), None)

    def _allow_64_bits(self):
        if self._jax:
            self._jax.config.update('jax_enable_x64', True)
            return
        jit = self.get('jax_jit')
        if hasattr(jit, 'set_enable_x64_state'):  # jaxlib 0.5 and newer
            config = self.get('config').Config
            self._states = config('enable_x64', True), config('disable_jit', False)
            jit.set_enable_x64_state(self._states[0])
            jit.set_disable_jit_state(self._states[1])
        elif hasattr(jit, 'global_state'):
            jit.set_thread_local_state_initialization_callback(lambda: None)
            state = jit.global_state()
            state.enable_x64, state.enable_memories, state.disable_jit = True, False, False

    def _find_device(self, wanted):
        tried = []
        for kind in ('gpu', 'cpu') if wanted == 'auto' else (wanted,):
            if kind == 'cpu' and tried:
                print(f"No GPU: {'; '.join(tried)}", file=sys.stderr)
            ways = self._ways_to_devices(kind)
            if not ways:
                tried.append('this jaxlib has no plugin for a GPU; install jax[cuda12]')
            for find in ways:
                try:
                    return find()[0]
                except Exception as error:  # whatever this version raises
                    tried.append(f'{kind}: {_line(error)}')
        raise Trouble(f"no {wanted} device: {'; '.join(tried)}")

    def _ways_to_devices(self, kind):
        """Return functions that return devices, to be tried one after the other."""
        if self._jax:
            return [lambda: self._jax.local_devices(backend=kind)]
        if kind == 'cpu':
            return [lambda: self.get('make_cpu_client')().local_devices()]
        own = [lambda: self.get('make_gpu_client')().local_devices()] if self.get('make_gpu_client') else []
        return own + [lambda path=path: self._plugin_client(path).local_devices() for path in _cuda_plugins()]

    def _plugin_client(self, path):
        """Load a plugin for CUDA GPUs, a package of its own."""
        self.get('load_pjrt_plugin_dynamically')('cuda', path)
        is_initialized = self.get('pjrt_plugin_initialized')
        if not (is_initialized and is_initialized('cuda')):
            self.get('initialize_pjrt_plugin')('cuda')
        return self.get('make_c_api_client')('cuda', self.get('generate_pjrt_gpu_plugin_options')())

    def compile(self, hlo):
        """Compile a serialized HloModuleProto for the device. Raises Trouble."""
        try:
            mlir = self.get('mlir')
            if hasattr(mlir, 'xla_computation_to_mlir_module'):
                code = mlir.xla_computation_to_mlir_module(self.get('XlaComputation')(hlo))
            else:
                code = mlir.hlo_to_stablehlo(hlo)
            options = self.get('CompileOptions')()
            if hasattr(self.client, 'compile_and_load'):  # jaxlib 0.6 and newer
                return self.client.compile_and_load(code, self.get('DeviceList')((self.device,)), options)
            return self.client.compile(code, options)
        except (RuntimeError, TypeError, AttributeError, ValueError) as error:
            raise Trouble(f"jaxlib {self.versions['jaxlib']} cannot compile it: {_line(error)}") from None

    def put(self, array):
        """Copy an array to the device."""
        if self._jax:
            return self._jax.device_put(array, self.device)
        if hasattr(self.client, 'buffer_from_pyval'):
            return self.client.buffer_from_pyval(array, self.device)
        sharding = _one_device(self.get('SingleDeviceSharding'), self.get('HloSharding'))(self.device)
        return self.get('batched_device_put')(_Abstract(array), sharding, [array], [self.device], True)

    @staticmethod
    def take(buffer):
        """Copy an array from the device."""
        if hasattr(buffer, '_single_device_array_to_np_array'):
            return buffer._single_device_array_to_np_array()
        return np.asarray(buffer._single_device_array_to_np_array_did_copy()[0])

    @staticmethod
    def call(executable, buffers):
        """Run on the device, and wait. -> buffers."""
        results = executable.execute_sharded(buffers).disassemble_into_single_device_arrays()
        results = [shards[0] for shards in results]
        for buffer in results:
            buffer.block_until_ready()
        return results

    def peak_bytes(self):
        """Return the most memory that was in use on the device so far; None = unknown."""
        with contextlib.suppress(AttributeError, RuntimeError, NotImplementedError):
            return (self.device.memory_stats() or {}).get('peak_bytes_in_use')


def _cuda_plugins():
    """Return the files of the plugins for CUDA GPUs that are installed, the newest CUDA first."""
    spec = importlib.util.find_spec('jax_plugins')
    folders = list(spec.submodule_search_locations) if spec else []
    files = [path for folder in folders for path in glob.glob(f'{folder}/xla_cuda*/xla_cuda_plugin.so')]
    return sorted(files, reverse=True)


class _Abstract:
    """What jaxlib wants to know of an array."""
    weak_type = False

    def __init__(self, array):
        self.shape, self.dtype, self.ndim = array.shape, array.dtype, array.ndim


def _one_device(base, hlo_sharding):
    """Return a class of shardings with what jax would add to that of jaxlib."""
    class OneDevice(base):
        memory_kind = None

        def _to_xla_hlo_sharding(self, ndim):
            return hlo_sharding.replicate()
    return OneDevice


def _module(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


def _line(error):
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def planned_bytes(executable):
    """Return the memory that XLA plans for a call, None if it does not say."""
    with contextlib.suppress(AttributeError, RuntimeError):
        stats = executable.get_compiled_memory_stats()
        total = stats.argument_size_in_bytes + stats.output_size_in_bytes + stats.temp_size_in_bytes
        return (total - stats.alias_size_in_bytes) or None


def measure(xla, step, seconds):
    """Compile and time a step. -> dict for JSON, digests of the first results."""
    start = time.perf_counter()
    executable = xla.compile(step.hlo)
    compiled = time.perf_counter() - start
    try:
        buffers = [xla.put(array) for array in step.arrays()]
        results = xla.call(executable, buffers)
        digests = [digest(xla.take(buffer)) for buffer in results]
        times = _times(xla, executable, buffers, results, step.sources, seconds)
    except Exception as error:  # whatever this version raises must not end the other steps
        raise Trouble(f'{step.name}: {_line(error)}') from None
    return {'compile_seconds': compiled, 'calls': len(times), 'planned_bytes': planned_bytes(executable),
            'peak_bytes': xla.peak_bytes(),
            'seconds': {'median': statistics.median(times), 'min': min(times), 'max': max(times)}}, digests


def _times(xla, executable, buffers, results, sources, seconds):
    """Repeat a step with the variables that it returned. -> seconds of each call."""
    times = []
    begin = time.perf_counter()
    least = MIN_CALLS + WARM_UP_CALLS if seconds > 0 else 1
    while len(times) < least or time.perf_counter() - begin < seconds:
        for source, result in zip(sources, results, strict=True):
            if source is not None:  # the memory of the old value belongs to the new one
                buffers[source] = result
        start = time.perf_counter()
        results = xla.call(executable, buffers)
        times.append(time.perf_counter() - start)
    return times[WARM_UP_CALLS:] or times


def compared(digests, expected):
    """Return the largest difference of all outputs; None if there is nothing to compare with."""
    return max(map(difference, digests, expected), default=0.0) if expected else None


def run(args, results):
    """Run all folders, and fill `results` as far as they have run, for a table and JSON."""
    steps = [Step(folder) for folder in args.folders]
    xla = Xla(args.device)
    print(f'{xla.card};', *(f'{name} {text}' for name, text in xla.versions.items() if text), flush=True)
    cpu = Xla('cpu') if args.compare_cpu else None
    results.update(card=xla.card, versions=xla.versions, steps=[])
    for number, step in enumerate(steps, 1):
        print(f'[{number}/{len(steps)}] {step.name} ...', flush=True)
        try:
            result, digests = measure(xla, step, args.seconds)
            expected = measure(cpu, step, 0)[1] if cpu else step.expected
            results['steps'].append({**step.fields, **result, 'difference': compared(digests, expected)})
        except Trouble as trouble:
            print(f'Error: {trouble}', file=sys.stderr)
            results['steps'].append({**step.fields, 'error': str(trouble)})


def table(results) -> str:
    """Return the results as Markdown."""
    lines = ['| step | resolution | minibatch | precision | compile | ms per call (min-max) | images/s | '
             'memory | difference from the CPU |', '|---|---|---|---|---|---|---|---|---|']
    for row in results['steps']:
        start = f"| {row['step']} | {row['resolution']} | {row['minibatch']} | {row['precision']} |"
        if 'error' in row:
            lines.append(f"{start} {row['error'].replace('|', '/')} | | | | |")
            continue
        times = row['seconds']
        low, median, high = (1000 * times[key] for key in ('min', 'median', 'max'))
        differs = '' if row['difference'] is None else f"{row['difference']:.1e}"
        memory = '' if row['planned_bytes'] is None else f"{row['planned_bytes'] / 2 ** 20:,.0f} MiB"
        lines.append(f"{start} {row['compile_seconds']:.0f} s | {median:.4g} ({low:.4g}-{high:.4g}) | "
                     f"{row['minibatch'] / times['median']:.4g} | {memory} | {differs} |")
    return '\n'.join([*lines, *_totals(results['steps'])])


def _totals(rows):
    """Return a line for every complete set of training steps: seconds per 1000 images."""
    sets = {}
    for row in rows:
        if row.get('runs_per_minibatch') and 'error' not in row:
            key = row['resolution'], row['minibatch'], row['precision'], row['fmap_base'], row['fmap_max']
            sets.setdefault(key, {})[row['step']] = row['runs_per_minibatch'] * row['seconds']['median']
    lines = [f'{res}x{res}, minibatch {size}, {precision}: {1000 / size * sum(times.values()):.4g} sec/kimg '
             'in these steps' for (res, size, precision, *_), times in sets.items() if len(times) == 4]
    return ['', *lines] if lines else []


def _seconds(text):
    if not text.replace('.', '', 1).isdecimal():
        raise argparse.ArgumentTypeError(f"expected a number of at least 0, not '{text}'")
    return float(text)


def make_parser():
    """Build the command-line parser."""
    class Parser(argparse.ArgumentParser):
        def error(self, message):
            self.exit(2, f'Error: {message}\n')

    parser = Parser(prog='xla_on_gpu.py', description=__doc__,
                    formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest='command', required=True, metavar='export|run')
    commands.add_parser('export', add_help=False, help='write steps as files; needs this project')
    run = commands.add_parser('run', help='run such folders',
                              description='Run steps that were exported, and time them.')
    add = run.add_argument
    add('folders', nargs='+', metavar='FOLDER', help='a folder of one step')
    add('--device', choices=('auto', 'gpu', 'cpu'), default='auto', help='default: a GPU if there is one')
    add('--seconds', type=_seconds, default=3.0, help='how long a step is timed, 0 = one call (default: 3)')
    add('--compare-cpu', action='store_true',
        help='compare with the CPU of this machine, not with that of export')
    add('--json', metavar='FILE', help='write the results there, too')
    return parser


def main(argv=None):
    """Run the command line."""
    argv = argv or sys.argv[1:]
    if argv[:1] == ['export']:
        sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
        from benchmarks.hlo import commands
        commands.export(argv[1:])
        return
    args, results, status = make_parser().parse_args(argv), {}, 0
    try:
        if args.json and not os.access(os.path.dirname(os.path.abspath(args.json)), os.W_OK):
            raise Trouble(f'--json={args.json}: its folder is missing or cannot be written to')
        run(args, results)
        status = int(any('error' in result for result in results['steps']))
    except KeyboardInterrupt:
        status = 130
    except (Trouble, OSError) as trouble:
        print(f'Error: {trouble}', file=sys.stderr)
        sys.exit(2)
    if results.get('steps'):
        print('\n' + table(results))
        if args.json:
            with open(args.json, 'w', encoding='utf-8') as file:
                json.dump(results, file, indent=1)
    sys.exit(status)


if __name__ == '__main__':
    main()

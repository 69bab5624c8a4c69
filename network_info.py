"""Print what a network file holds and which commands can use it. Nothing inside it is built or run."""

import script_start  # noqa: F401  (before all that takes time to load)

# isort: split
import argparse
import os
import re
import shlex
import textwrap

import pretrained_networks
from dnnlib import cli
from dnnlib.pickles import inspection
from dnnlib.util import UserError, printable
from training.data import class_names

EXAMPLES = """examples:

  python network_info.py results/00000-run/network-final.pkl
  python network_info.py gdrive:networks/stylegan2-ffhq-config-f.pkl   # downloaded once
"""
WIDTH = 110
ROLES = ('generator', 'discriminator', "average of the generator's weights")
# Published networks that metrics take features from: ends of names of graphs, beginnings of names of pickles.
GRAPHS = ('inception-2015-12-05.tgz', 'classify_image_graph_def.pb')
FEATURE_NETWORKS = ('inception_v3_', 'vgg16', 'celebahq-classifier-')
_USE_OF_FEATURES = ('run_metrics.py, as a feature network: in the folder of $STYLEGAN_METRIC_NETWORKS, or '
                    'downloaded')


def describe(name, path, report):
    """Yield lines that describe a file, each of its networks, and the commands that can use them."""
    yield f'{name}: {_holds(report)}'
    yield from _row('size', f'{report.size / 1e6:,.1f} MB')
    yield from _row('SHA-256', report.digest)
    for index, network in enumerate(report.networks):
        yield ''
        yield from _network_lines(network, ROLES[index] if report.is_triple else None, path,
                                  report.networks[:index])
    yield ''
    yield 'Can be used by'
    yield from (f'  {line}' for line in _uses(name, report))


def _row(title, text, indent=2):
    lines = textwrap.wrap(text, WIDTH - 16 - indent, break_long_words=False, break_on_hyphens=False) or ['']
    yield f'{" " * indent}{title:14s}{lines[0]}'
    yield from (' ' * (14 + indent) + line for line in lines[1:])


def _holds(report):
    if report.is_triple:
        return 'three networks (G, D, Gs), as training writes them'
    names = ', '.join(network.state['name'] for network in report.networks)
    number = f'{len(report.networks)} network{"s" * (len(report.networks) != 1)} ({names})'
    if report.other is None:
        return 'one network' if isinstance(report.found, inspection.Blueprint) else number
    return f'{number} and {report.other}' if names else f'no networks; {report.other}'


def _network_lines(network, role, path, earlier):
    state = network.state
    yield f'{state["name"]}{f", {role}" if role else ""}'
    yield from _row('code base', _code_base(network))
    yield from _row('state', f'version {state["version"]}')
    built_by = f'built by {network.func}' if network.func else 'unknown here'
    yield from _row('function', f'{state["build_func_name"]} ({built_by})')
    if network.problem:
        yield from _row('problem', network.problem)
    for note in network.notes:
        yield from _row('note', note)
    yield from _row('parameters', f'{network.num_parameters:,}')
    for key, component in network.components.items():
        own_source = '' if component.source_digest == network.source_digest else '; its own source text'
        yield from _row(f'  {key}', f'{component.state["build_func_name"]}, {component.num_parameters:,} '
                                    f'parameters{own_source}')
    if network.image_shape:
        height, width = network.image_shape
        channels = f'{network.num_channels or "?"} channel{"s" * (network.num_channels != 1)}'
        yield from _row('images', f'{width} x {height}, {channels}')
    yield from _row('labels', _classes(network, path))
    yield from _row('arguments', _arguments(state['static_kwargs']))
    same = [other for other in earlier if other.source_digest == network.source_digest]
    yield from _row('source text', f'the same as of {same[0].state["name"]}' if same else _source(network))


def _classes(network, path):
    if not network.label_size:
        return 'none'
    try:
        names = class_names.beside(path, network.label_size)
    except UserError as error:
        return f'{network.label_size} classes ({error})'
    return f'{network.label_size} classes{f": {class_names.listed(names)}" if names else ""}'


def _code_base(network):
    if network.writer:
        return f'{network.writer}, for PyTorch; read as {network.code} in TensorFlow'
    is_ours = network.source in (inspection.CURRENT, inspection.SELF_CONTAINED, inspection.OTHER)
    known = network.code or ('your own function' if network.func else 'unknown')
    return known + (', written by this project' if is_ours else '')


def _arguments(kwargs):
    return ', '.join(f'{key}={_value(value)}' for key, value in kwargs.items()) or 'none'


def _value(value):
    """Return the value of a keyword argument as one line."""
    return ' '.join(repr(value.tolist() if hasattr(value, 'tolist') else value).split())


def _source(network):
    """Describe the source text."""
    if network.writer:
        return "not kept; networks that are saved again get this project's"
    digest = f'SHA-256 {network.source_digest}'
    return {
        inspection.CURRENT: f'identical to what this version stores; {digest}',
        inspection.SELF_CONTAINED: f'written by this project, according to its heading, for TensorFlow 1.14; '
                                   f'{digest}',
        inspection.OTHER: f'written by another version of this project, according to its heading; {digest}',
        inspection.MARKED: f'has functions of {network.code}, but was not compared with any text; {digest}',
        inspection.UNKNOWN: f'unknown; {digest}',
        inspection.NONE: 'none',
    }[network.source]


def _uses(name, report):
    """Yield commands, or one line that says why there is none."""
    flag = f' --network={shlex.quote(name)}'
    trust = ' --trust-source' if report.needs_trust else ''
    if report.needs_trust and not report.is_trusted and not report.is_damaged:
        yield '(--trust-source runs the source text in the file: use it only if you trust its origin)'
    networks = report.networks
    generator = networks[-1] if report.is_triple or len(networks) == 1 else None
    if report.is_damaged:
        yield 'no command; see the problem above'
    elif report.other is not None or generator is None:
        yield _use_of_others(report)
    elif len(networks) == 1 and not generator.is_generator:
        yield _use_of_one(name, report)
    else:
        label = ' --class=0' if generator.label_size else ''
        yield f'python run_generator.py generate-images{flag} --seeds=0-15{label}{trust}'
        if 'mapping' in generator.components:
            yield (f'python run_generator.py style-mixing-example{flag} --row-seeds=1-3 --col-seeds=4-6'
                   f'{label}{trust}')
        yield f'python run_metrics.py{flag} --metrics=fid50k --data-dir=DIR --dataset=NAME{trust}'
        if report.is_triple:
            yield (f'python run_training.py --resume={shlex.quote(name)} --config=CONFIG --data-dir=DIR '
                   f'--dataset=NAME{trust}')


def _use_of_others(report):
    if report.other is not None and report.other.startswith('the settings of a run'):
        return 'python run_training.py --resume=RUN_DIR, if the run directory holds training states'
    if report.other == 'statistics of real images':
        return 'python run_metrics.py, from the cache directory'
    return 'no command; expected (G, D, Gs) or one generator'


def _use_of_one(name, report):
    # Names of downloads begin with a hash.
    if re.match(f'([0-9a-f]{{32}}_)?({"|".join(FEATURE_NETWORKS)})', os.path.basename(name)):
        return f'{_USE_OF_FEATURES}, with --trust-source'
    if report.needs_trust:
        return ('run_generator.py --trust-source if it draws images, run_metrics.py --trust-source if it is '
                'one of the published feature networks')
    return 'no command; it is not a generator'


def make_parser():
    """Return the parser of the command line."""
    parser = cli.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('network', metavar='FILE', help='network file: a path, a URL or an official key')
    cli.add_cache_dir(parser)
    return parser


def main(argv=None):
    """Parse, inspect, print."""
    args = make_parser().parse_args(argv)
    cli.use_cache_dir(args)
    path = pretrained_networks.find_file(args.network)
    if os.path.basename(path).endswith(GRAPHS):
        print(f"{args.network}: Google's Inception network, by its name; its contents were not inspected")
        print(f'\nCan be used by\n  {_USE_OF_FEATURES}')
        return
    try:
        report = inspection.inspect(path)
    except UserError as error:
        raise UserError(f'{args.network}: {error}') from error
    for line in describe(args.network, path, report):
        print(printable(line))  # names can be anything


if __name__ == '__main__':
    cli.run_script(main)

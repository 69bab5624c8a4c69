"""Explore the latents of generators in the browser: pictures are drawn while one moves."""

import script_start  # noqa: F401  (must come first)

# isort: split
import argparse
import importlib.util
import socket
import webbrowser

import pretrained_networks
from dnnlib import cli
from dnnlib.util import UserError, is_url
from training.data import class_names
from training.misc import pickles

EXAMPLES = """examples:

  python explorer.py --network=results/00000-run/network-final.pkl

  # Two snapshots side by side
  python explorer.py --network=results/00000-run/network-snapshot-000100.pkl \\
    --network=results/00000-run/network-final.pkl
"""
EXTRAS = {'starlette': 'starlette>=0.45', 'uvicorn': 'uvicorn>=0.34'}


def make_parser():
    """Return the parser of the command line."""
    parser = cli.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--network', dest='network_pkls', action='append', required=True, metavar='PKL',
                        help='network file: a path, a URL or the key of a published one; repeat the flag '
                             'to compare networks')
    parser.add_argument('--port', type=cli.int_between(0, 65535), default=0,
                        help='port on 127.0.0.1 (default: 0 = any that is free)')
    parser.add_argument('--no-browser', action='store_true', help='only print the address of the page')
    cli.add_trust_source(parser)
    cli.add_cache_dir(parser)
    return parser


def check_extras():
    """Raise UserError unless the packages of the server are installed."""
    missing = [f"'{wanted}'" for name, wanted in EXTRAS.items() if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f'the explorer needs other packages: pip install {" ".join(missing)}')


def listening_socket(port):
    """Return a socket that listens on a port of this machine only; 0 = any. Raises UserError if taken."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(('127.0.0.1', port))
    except OSError as error:
        listener.close()
        raise UserError(f'--port={port}: cannot be used ({error.strerror}); choose another or leave it out'
                        ) from error
    listener.listen()
    return listener


def names_of_classes(network_pkl, label_size):
    """Return the names in classes.json beside a network file; None without them."""
    if not label_size or is_url(pickles.get_path_or_url(network_pkl)):
        return None
    return class_names.beside(pretrained_networks.find_file(network_pkl), label_size)


def load(network_pkls, trust_source, files):
    """Return a studio for each network."""
    import tensorflow.compat.v1 as tf

    from latents.explorer import studio
    studios = []
    for network_pkl in network_pkls:
        print(f'Loading networks from "{network_pkl}"...')
        Gs = pretrained_networks.load_generator(network_pkl, trust_source)
        names = names_of_classes(network_pkl, Gs.input_shapes[1][1])
        studios.append(studio.Studio(network_pkl, Gs, names, files, trust_source))
    return studios, tf.get_default_session()


def serve(explorer, listener, opens_browser):
    """Answer requests until Ctrl-C."""
    try:
        print(f'The page is at {explorer.url}')
        print('Ctrl-C ends the explorer.', flush=True)
        if opens_browser:
            webbrowser.open(explorer.url)
        explorer.server().run(sockets=[listener])
    finally:
        explorer.close()


def main(argv=None):
    """Parse the arguments, check them, load the networks and serve the page."""
    args = make_parser().parse_args(argv)
    cli.use_cache_dir(args)
    check_extras()
    args.network_pkls = list(dict.fromkeys(args.network_pkls))
    for network_pkl in args.network_pkls:
        pretrained_networks.check_path(network_pkl)
    for network_pkl in args.network_pkls:
        Gs = pretrained_networks.check_generator(network_pkl, args.trust_source)
        names_of_classes(network_pkl, Gs.label_size)
    with listening_socket(args.port) as listener:
        from latents.explorer import server, uploads
        files = uploads.Files()
        studios, session = load(args.network_pkls, args.trust_source, files)
        serve(server.Explorer(studios, session, files, listener.getsockname()[1]), listener,
              not args.no_browser)


if __name__ == '__main__':
    cli.run_script(main)

"""From a path, a URL or the key of a published file to what the pickle holds: networks or anything else.

Finding and checking files is possible without TensorFlow, which is imported where networks are built.
"""

import difflib
import glob
import os
import weakref

from dnnlib.files import atomic_write
from dnnlib.pickles import contents, inspection
from dnnlib.util import UserError, is_url
from training.data import official_files
from training.data.official_files import KEY_PREFIXES, OFFICIAL_URLS

_loaded = weakref.WeakKeyDictionary()  # {session: {(kind, path or URL): networks}}


def get_path_or_url(path_or_gdrive_path: str) -> str:
    """Return the URL of a published file for its key, such as `gdrive:networks/...` or `stylegan2-ada:...`.

    Anything else is returned as it is.
    """
    return OFFICIAL_URLS.get(path_or_gdrive_path, path_or_gdrive_path)


def _local_path(path):
    """Return the path itself or, for file:///..., the path in it."""
    if not is_url(path, allow_file_urls=True):
        return path
    path = path.removeprefix('file:///')
    return path if os.path.exists(path) else f'/{path}'


def check_path(path_or_gdrive_path: str) -> None:
    """Raise UserError for a missing file or an unknown key. Nothing is downloaded."""
    path = get_path_or_url(path_or_gdrive_path)
    if is_url(path) or os.path.isfile(_local_path(path)):
        return
    if path.startswith(KEY_PREFIXES):
        near = difflib.get_close_matches(path, OFFICIAL_URLS, n=3, cutoff=0.0)
        raise UserError(f'{path}: not a published file; the closest keys are {", ".join(near)}')
    problem = 'is a folder' if os.path.isdir(path) else 'no such file'
    raise UserError(f"{path or '--network='}: {problem}; expected a network pickle: a path, a URL or a key "
                    'such as gdrive:networks/stylegan2-ffhq-config-f.pkl')


def open_file_or_url(file_or_url: str):
    """Open a file or, through the download cache, a URL or key as a binary stream.

    Raises UserError if a file cannot be opened.
    """
    path = get_path_or_url(file_or_url)
    if is_url(path):
        return official_files.open_url(path)
    try:
        return open(_local_path(path), 'rb')
    except OSError as error:
        raise UserError(f'{path}: cannot be opened ({error.strerror}); expected the path of a file or a URL'
                        ) from error


def find_file(path_or_gdrive_path: str) -> str:
    """Return the local path of a file, URL or key, after downloading it if necessary."""
    check_path(path_or_gdrive_path)
    with open_file_or_url(path_or_gdrive_path) as file:
        return file.name


def check_generator(network_pkl: str, trust_source: bool = False) -> inspection.Blueprint:
    """Return what a file says about the generator that `load_generator` builds from it.

    Raises UserError where loading would, except for what only building reveals. Little is known about a
    generator that its own source text builds.
    """
    path = find_file(network_pkl)
    try:
        report = inspection.inspect(path, choose=contents.last_of_triple)
    except UserError as error:
        raise UserError(f'{network_pkl}: {error}') from error
    if report.other is not None or len(report.networks) != 1:
        raise _not_a_triple(network_pkl, report.other or f'{len(report.networks)} networks')
    if report.is_damaged or (report.needs_trust and not (trust_source or report.is_trusted)):
        raise UserError(f'{network_pkl}: {report.problems[0]}')
    Gs = report.networks[0]
    if Gs.func is not None and not Gs.is_generator:
        raise UserError(f'{network_pkl}: expected a generator, found a network of '
                        f'{Gs.state["build_func_name"]}')
    if Gs.is_generator and Gs.num_channels not in (None, 1, 3):
        raise UserError(f'{network_pkl}: expected images of 1 or 3 channels, not {Gs.num_channels}')
    return Gs


def load_pkl(file_or_url: str, trust_source: bool = False, **options):
    """Return the object in a pickle: a network, several, arrays or settings. Keys and URLs are downloaded.

    trust_source: run the source text in the file for networks whose build function is unknown here. Use it
    only for files from people whom you trust; files of the same contents are trusted from then on.
    options: as for `network_pickle.load`.
    """
    from dnnlib.tflib import network_pickle
    with open_file_or_url(file_or_url) as file:
        return network_pickle.load(file, trust_source=trust_source, **options)


def save_pkl(obj, filename) -> None:
    """Write an object to a pickle file. An existing file is only replaced by a complete one."""
    from dnnlib.tflib import network_pickle
    with atomic_write(filename) as file:
        network_pickle.dump(obj, file)


def load_networks(path_or_gdrive_path: str, trust_source: bool = False):
    """Return the networks (G, D, Gs) of a training snapshot or published file, loaded once per session.

    Creates a session if there is none. `trust_source`: as for `load_pkl`. Raises UserError if the file is
    missing or damaged, or holds anything else.
    """
    cache, key = _cache(path_or_gdrive_path)
    if ('triple', key) not in cache:
        cache['triple', key] = as_triple(load_pkl(path_or_gdrive_path, trust_source), path_or_gdrive_path)
    return cache['triple', key]


def load_generator(network_pkl: str, trust_source: bool = False, outline: bool = True):
    """Return Gs of the networks (G, D, Gs), or the only network in the file, loaded once per session.

    G and D are not built unless `load_networks` has loaded the file, and the layers of Gs are built for
    evaluation only; with outline=False, they can be listed, too. `trust_source`: as for `load_pkl`. Raises
    UserError unless Gs returns images.
    """
    cache, key = _cache(network_pkl)
    kind = 'Gs' if outline else 'whole Gs'
    if ('triple', key) in cache:
        Gs = cache['triple', key][2]
    elif (kind, key) in cache:
        Gs = cache[kind, key]
    else:
        Gs = load_pkl(network_pkl, trust_source, choose=contents.last_of_triple, outline=outline)
        if isinstance(Gs, (tuple, list)) and len(Gs) == 1:
            Gs = Gs[0]
        Gs = cache[kind, key] = Gs if _is_network(Gs) else as_triple(Gs, network_pkl)[2]
    if len(Gs.output_shape) != 4 or Gs.output_shape[1] not in (1, 3):
        raise UserError(f'{network_pkl}: Gs returns {Gs.output_shape}, expected images of 1 or 3 channels')
    return Gs


def _cache(path_or_gdrive_path):
    """Return what the session has loaded, as a dictionary, and the key of this file in it."""
    check_path(path_or_gdrive_path)
    import tensorflow.compat.v1 as tf

    from dnnlib import tflib
    tflib.init_tf()
    return _loaded.setdefault(tf.get_default_session(), {}), get_path_or_url(path_or_gdrive_path)


def as_triple(loaded, name):
    """Return the object from a file of this name as (G, D, Gs). Raises UserError if it is anything else."""
    if not isinstance(loaded, (tuple, list)) or len(loaded) != 3 or not all(map(_is_network, loaded)):
        raise _not_a_triple(name, _described(loaded))
    return tuple(loaded)


def _not_a_triple(name, found):
    return UserError(f'{name}: expected three networks (G, D, Gs), as in training snapshots; found {found}')


def _is_network(obj):
    from dnnlib.tflib import Network
    return isinstance(obj, Network)


def _described(loaded):
    if _is_network(loaded):
        return f'a single network, {loaded.name!r}'
    if not isinstance(loaded, (tuple, list)):
        return f'an object of type {type(loaded).__name__}'
    if not loaded:
        return f'an empty {type(loaded).__name__}'
    kinds = [repr(item.name) if _is_network(item) else type(item).__name__ for item in loaded]
    return f'a {type(loaded).__name__} of {len(loaded)}: {", ".join(kinds[:5])}{", ..." * (len(kinds) > 5)}'


def network_snapshots(run_dir):
    """Return the paths of the network snapshots in a run directory, the newest last."""
    return sorted(glob.glob(os.path.join(glob.escape(run_dir), 'network-snapshot-*.pkl')))


def parse_config_for_previous_run(run_dir):
    """Return the arguments of the training run in a directory as {'train': all of them, 'dataset': those of
    the data set}. Raises UserError without a readable `submit_config.pkl`."""
    arguments = load_pkl(os.path.join(run_dir, 'submit_config.pkl'))['run_func_kwargs']
    return {'train': arguments, 'dataset': arguments['dataset_args']}

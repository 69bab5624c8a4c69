"""Loading networks from files, URLs and the keys of published ones."""

import difflib
import os
import weakref

from dnnlib.pickles import contents, inspection
from dnnlib.util import UserError, is_url
from training.data import official_files
from training.data.official_files import KEY_PREFIXES, OFFICIAL_URLS

# TensorFlow takes seconds to load: what needs it is imported where a network is loaded.

gdrive_urls = {key: url for key, url in OFFICIAL_URLS.items() if key.startswith('gdrive:')}

_loaded = weakref.WeakKeyDictionary()  # {session: {path or URL: see _found}}: networks live in one session


def get_path_or_url(path_or_gdrive_path: str) -> str:
    """URL of a published file given by its key (`gdrive:networks/...`, `stylegan:...`, `stylegan2:...`,
    `stylegan2-ada:...`); anything else is returned as it is."""
    return OFFICIAL_URLS.get(path_or_gdrive_path, path_or_gdrive_path)


def check_path(path_or_gdrive_path: str) -> None:
    """Raise UserError for a file that does not exist or an unknown key; URLs pass, but for those of files."""
    path = get_path_or_url(path_or_gdrive_path)
    if is_url(path) or os.path.isfile(_without_scheme(path)):
        return
    if path.startswith(KEY_PREFIXES):
        near = difflib.get_close_matches(path, OFFICIAL_URLS, n=3, cutoff=0.0)
        raise UserError(f'{path}: not among the published files, such as {", ".join(near)}')
    problem = 'is a folder' if os.path.isdir(path) else 'no such file'
    raise UserError(f"{path or '--network='}: {problem}; expected a network pickle: a path, a URL or a key "
                    f'such as {next(iter(gdrive_urls))}')


def _without_scheme(path):
    """Path of a file that may be given as file:///..., as `dnnlib.util.open_url` takes it."""
    if not is_url(path, allow_file_urls=True):
        return path
    path = path.removeprefix('file:///')
    return path if os.path.exists(path) else f'/{path}'


def find_file(path_or_gdrive_path: str) -> str:
    """Path of the file that a path, a URL or the key of a published file stands for, downloaded if need be.
    Raises UserError if there is none."""
    check_path(path_or_gdrive_path)
    path_or_url = get_path_or_url(path_or_gdrive_path)
    if not is_url(path_or_url):
        return _without_scheme(path_or_url)
    with official_files.open_url(path_or_url) as file:
        return file.name


def check_generator(network_pkl: str, trust_source: bool = False) -> inspection.Blueprint:
    """What the file says of the generator that `load_generator` would return, told without TensorFlow.

    Raises UserError where that would, except for what only building finds out. Of a generator that its own
    source text builds nothing more is known.
    """
    path = find_file(network_pkl)
    try:
        report = inspection.inspect(path, choose=contents.last_of_triple)
    except UserError as error:
        raise UserError(f'{network_pkl}: {error}') from error
    if report.other is not None or len(report.networks) != 1:
        found = report.other or f'{len(report.networks)} networks'
        raise UserError(f'{network_pkl}: expected three networks (G, D, Gs), as training snapshots hold; '
                        f'found {found}')
    if report.is_damaged or (report.needs_trust and not (trust_source or report.is_trusted)):
        raise UserError(f'{network_pkl}: {report.problems[0]}')
    Gs = report.networks[0]
    if Gs.func is not None and not Gs.is_generator:
        raise UserError(f'{network_pkl}: holds a network of {Gs.state["build_func_name"]}, which draws no '
                        'images; expected a generator')
    if Gs.is_generator and Gs.num_channels not in (None, 1, 3):
        raise UserError(f'{network_pkl}: draws images of {Gs.num_channels} channels, expected 1 or 3')
    return Gs


def _found(path_or_gdrive_path):
    """-> path or URL of an existing file, {'networks' and 'generator': what was loaded from it before}"""
    check_path(path_or_gdrive_path)
    path_or_url = get_path_or_url(path_or_gdrive_path)
    from dnnlib import tflib
    tflib.init_tf()
    files = _loaded.setdefault(tflib.tfutil.default_session(), {})
    return path_or_url, files.setdefault(path_or_url, {})


def load_networks(path_or_gdrive_path: str, trust_source: bool = False):
    """(G, D, Gs) of a training snapshot or of a published network, loaded once per session.

    Installs a session if there is none. `trust_source`: run the source text inside for networks that are not
    known here. Raises UserError if the file is missing, damaged or another one.
    """
    path_or_url, found = _found(path_or_gdrive_path)
    if 'networks' not in found:
        from training import misc
        found['networks'] = misc.load_networks(path_or_url, trust_source=trust_source)
    return found['networks']


def load_generator(network_pkl, trust_source=False):
    """Gs of a network pickle, which may hold nothing else: that of `load_networks` where it has loaded the
    file, otherwise alone and once per session. Raises UserError if what it draws are not images.

    `trust_source`: as for `load_networks`.
    """
    print(f'Loading networks from "{network_pkl}"...')
    path_or_url, found = _found(network_pkl)
    if 'networks' in found:
        found['generator'] = found['networks'][2]
    elif 'generator' not in found:
        from training import misc
        found['generator'] = misc.load_generator(path_or_url, trust_source=trust_source)
    Gs = found['generator']
    if len(Gs.output_shape) != 4 or Gs.output_shape[1] not in (1, 3):
        raise UserError(f'{network_pkl}: Gs returns {Gs.output_shape}, expected images of 1 or 3 channels')
    return Gs

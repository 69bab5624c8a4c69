"""The feature networks of the metrics: where their files come from, and whether the files are trusted."""

import functools
import hashlib
import operator
import os
from dataclasses import dataclass

import dnnlib
from dnnlib.downloading import downloads
from dnnlib.files import sha256
from dnnlib.pickles import trust
from dnnlib.util import UserError
from metrics.features import efficientnet_lite0, inception_graph
from training import misc
from training.data.official_files import OFFICIAL_URLS

FOLDER_VARIABLE = 'STYLEGAN_METRIC_NETWORKS'  # environment variable: folder with files of feature networks
_PREFIX = 'stylegan2:metrics/'


class _Source:
    """Where a feature network can come from: subclasses have `origin`, its name in records, and the methods

    require():  download a missing file. Raises UserError unless the network can be loaded afterwards.
    checksum(): SHA-256 of the file.
    load():     the network, in the default session.
    """

    def missing(self):
        """Return why the network cannot be loaded without a download or a question; None if it can."""
        try:
            self.require()
        except UserError as error:
            return str(error)
        return None

    def give_trust(self):
        """Trust the file from now on; unless overridden, it executes nothing and needs no trust."""
        self.require()


class _PublishedFile(_Source):
    """A file that has a `url` and one of `file_names`."""

    def find(self):
        """Return the path of the file in $STYLEGAN_METRIC_NETWORKS or in the download cache, or None."""
        folder = os.environ.get(FOLDER_VARIABLE)
        paths = [os.path.join(folder, name) for name in self.file_names] if folder else []
        found = [path for path in paths if os.path.isfile(path)]
        return found[0] if found else downloads.cached(self.url, dnnlib.util.cache_dir())

    def fetch(self):
        """Return the path of the file, after a download if necessary. Raises UserError if that fails."""
        cache_dir = dnnlib.util.cache_dir()
        if self.find() is None:
            try:
                dnnlib.util.open_url(self.url, cache_dir=cache_dir).close()
            except OSError as error:
                reason = getattr(error, 'reason', '') or type(error).__name__
                place = downloads.place(self.url, cache_dir, self.file_names[0])
                raise UserError(f'{self.url}: cannot be downloaded ({reason}); put a copy at {place}, or as '
                                f'{self.file_names[0]} into the folder of the environment variable '
                                f'{FOLDER_VARIABLE}') from error
        return self.find()

    def checksum(self):
        return _sha256(self.fetch())


@dataclass(frozen=True)
class PublishedPickle(_PublishedFile):
    """A network in a pickle of NVIDIA's, whose build function is source text inside the file."""
    key: str  # of training.data.official_files
    safer: str | None = None  # what can replace it without running anything, in words
    origin = 'pickle'

    @property
    def url(self):
        """Where the file was published."""
        return OFFICIAL_URLS[self.key]

    @property
    def file_names(self):
        """Names that the file may have."""
        return (os.path.basename(self.url),)

    def missing(self):
        path = self.find()
        if path is None:
            return f'{os.path.basename(self.url)} is neither in ${FOLDER_VARIABLE} nor in the download cache'
        return None if trust.is_trusted(_sha256(path)) else (
            f'{path} is not trusted (run_metrics.py --trust-source)')

    def require(self):
        self._trusted_path(ask=trust.ask)  # asks a user at a terminal

    def _trusted_path(self, ask):
        path = self.fetch()
        digest = _sha256(path)
        place = f'; {self.safer} needs no trust' if self.safer else ''
        facts = (f'{path}: this feature network ({self.url}, SHA-256 {digest}) is built by source text in '
                 f'the file, which would be run{place}')
        if not (trust.is_trusted(digest) or ask(facts, digest, path)):
            raise UserError(f'{facts}; if you trust the file, run run_metrics.py --trust-source once')
        return path

    def give_trust(self):
        """Trust the file from now on."""
        path = self.fetch()
        trust.remember(_sha256(path), path)

    def load(self):
        path = self._trusted_path(ask=lambda *_: False)  # nobody may be there: training may be running
        net = misc.load_pkl(path)
        if not isinstance(net, dnnlib.tflib.Network):
            raise UserError(f'{path}: expected a single network, found {type(net).__name__}')
        return net


@dataclass(frozen=True)
class FrozenInception(_PublishedFile):
    """Google's file of the Inception network. It executes nothing."""
    output: str  # of inception_graph.Inception
    origin = 'graph'
    url = inception_graph.URL
    file_names = (inception_graph.ARCHIVE, inception_graph.GRAPH)

    def missing(self):
        if self.find() is None:
            return f'{inception_graph.ARCHIVE} ({inception_graph.URL}) is missing as well'
        return super().missing()

    def require(self):
        inception_graph.read(self.fetch())

    def load(self):
        return inception_graph.Inception(self.fetch(), self.output)


@dataclass(frozen=True)
class PackagedLite0(_Source):
    """EfficientNet-Lite0, whose weights are in a Python package. It executes nothing."""
    output: str  # of EfficientNetLite0
    origin = 'package'

    def require(self):
        efficientnet_lite0.weights_path()

    def checksum(self):
        return efficientnet_lite0.WEIGHTS_SHA256

    def load(self):
        return efficientnet_lite0.EfficientNetLite0(self.output)


CLASSIFIERS = [os.path.basename(key).removesuffix('.pkl') for key in OFFICIAL_URLS
               if key.startswith(_PREFIX + 'celebahq-classifier-')]

_SAFER_INCEPTION = f'{inception_graph.ARCHIVE} ({inception_graph.URL}) in the folder of ${FOLDER_VARIABLE}'

# Name of a network: where it can come from, best first.
SOURCES = {name: (PublishedPickle(f'{_PREFIX}{name}.pkl'),)
           for name in ('vgg16', 'vgg16_zhang_perceptual', *CLASSIFIERS)}
SOURCES.update({
    f'inception_v3_{output}': (PublishedPickle(f'{_PREFIX}inception_v3_{output}.pkl', _SAFER_INCEPTION),
                               FrozenInception(output))
    for output in ('features', 'softmax')})
SOURCES.update({f'efficientnet_lite0_{output}': (PackagedLite0(output),)
                for output in efficientnet_lite0.OUTPUT_SIZES})


def _source(name):
    """Return the first source that has the network ready; the first of all if none has."""
    sources = SOURCES[name]
    return next((source for source in sources if source.missing() is None), sources[0])


def _why_missing(name):
    """Return why no source has the network ready; None if one has."""
    reasons = [source.missing() for source in SOURCES[name]]
    return None if None in reasons else '; '.join(reasons)


def _settle(name, settle):
    """Call `settle(source)` until it succeeds: for the first source alone if its file is present or there is
    no other; otherwise for those that need no trust, and the first one last. Raises UserError with all
    messages."""
    first, *others = SOURCES[name]
    if others and first.find() is not None:
        others = []
    reasons = []
    for source in [*others, first]:
        try:
            settle(source)
            return
        except UserError as error:
            reasons.append(str(error))
    raise UserError('; '.join(reasons))


def missing(names):
    """Return why one of these networks cannot be loaded without a download or a question; None if all can."""
    return next((why for why in map(_why_missing, names) if why is not None), None)


def require(names):
    """Download missing files, and ask a user at a terminal whether they are trusted.

    Raises UserError unless all these networks can be loaded afterwards.
    """
    for name in names:
        if _why_missing(name) is not None:
            _settle(name, operator.methodcaller('require'))


def give_trust(names, other_files=()):
    """Trust the files of these networks, and other files or URLs, from now on. Downloads missing ones."""
    for name in names:
        _settle(name, operator.methodcaller('give_trust'))
    for file_or_url in other_files:
        with misc.open_file_or_url(file_or_url) as file:
            trust.remember(hashlib.file_digest(file, 'sha256').hexdigest(), file_or_url)


def origin(name):
    """Return what the network comes from: a 'pickle' of NVIDIA's, Google's 'graph' or a Python 'package'."""
    return _source(name).origin


def checksum(name):
    """Return the SHA-256 of the file that the network comes from."""
    return _source(name).checksum()


def load(name):
    """Return a network by name, in the default session: a tflib.Network, or an object with its `run`,
    `clone`, `get_output_for`, `input_shape` and `output_shape`. Raises UserError if it cannot be loaded."""
    return _source(name).load()


def _sha256(path):
    status = os.stat(path)
    return _sha256_of(path, status.st_size, status.st_mtime_ns)


@functools.cache
def _sha256_of(path, size, mtime_ns):
    """Return the SHA-256 of a file, cached until its size or time changes."""
    return sha256(path)

"""The networks that metrics look at images with: which, from where, and whether their files are trusted."""

import functools
import hashlib
import operator
import os
from dataclasses import dataclass

import dnnlib
from dnnlib.downloading import downloads
from dnnlib.pickles import trust
from dnnlib.util import UserError
from metrics.features import efficientnet_lite0, inception_graph
from training import misc
from training.data.official_files import OFFICIAL_URLS

FOLDER_VARIABLE = 'STYLEGAN_METRIC_NETWORKS'  # environment variable: folder with files that are there already
_PREFIX = 'stylegan2:metrics/'


def _find(url, *file_names):
    """Path of the file if it is in the folder of $STYLEGAN_METRIC_NETWORKS or was downloaded before."""
    folder = os.environ.get(FOLDER_VARIABLE)
    for name in file_names if folder else ():
        if os.path.isfile(os.path.join(folder, name)):
            return os.path.join(folder, name)
    return downloads.cached(url, dnnlib.util.cache_dir())


def _download(url, file_name):
    """Get a file into the download cache. Raises UserError if it cannot be had."""
    cache_dir = dnnlib.util.cache_dir()
    try:
        dnnlib.util.open_url(url, cache_dir=cache_dir).close()
    except OSError as error:
        reason = getattr(error, 'reason', '') or type(error).__name__
        place = downloads.place(url, cache_dir, file_name)
        raise UserError(f'{url}: cannot be downloaded ({reason}); a copy from elsewhere is found as {place}, '
                        f'or as {file_name} in the folder of the environment variable {FOLDER_VARIABLE}'
                        ) from error


class _PublishedFile:
    """A file with a `url` and the `file_names` that it may have."""

    def find(self):
        """Path of the file if it is there already."""
        return _find(self.url, *self.file_names)

    def fetch(self):
        """Path of the file, which is downloaded if need be. Raises UserError if it cannot be had."""
        if self.find() is None:
            _download(self.url, self.file_names[0])
        return self.find()

    def checksum(self):
        """SHA-256 of the file."""
        return _sha256(self.fetch())


@dataclass(frozen=True)
class PublishedPickle(_PublishedFile):
    """A network in a pickle that NVIDIA has published. Its build function is source text inside the file."""
    key: str  # of training.data.official_files
    safer: str | None = None  # what can take its place without running anything, in words
    origin = 'pickle'

    @property
    def url(self):
        """Where it was published."""
        return OFFICIAL_URLS[self.key]

    @property
    def file_names(self):
        """What it may be called."""
        return (os.path.basename(self.url),)

    def missing(self):
        """Why the network cannot be had at once, in words; None if it can."""
        path = self.find()
        if path is None:
            return f'{os.path.basename(self.url)} is neither in ${FOLDER_VARIABLE} nor downloaded'
        if trust.is_trusted(_sha256(path)):
            return None
        return f'{path} is not trusted (run_metrics.py --trust-source)'

    def require(self):
        """Raise UserError unless the file can be had and is trusted. A user at a terminal is asked."""
        path = self.fetch()
        digest = _sha256(path)
        if not (trust.is_trusted(digest) or trust.ask(self._facts(path), digest, path)):
            raise UserError(self._refusal(path))

    def _facts(self, path):
        place = f'; {self.safer} would do without' if self.safer else ''
        return (f'{path}: this feature network ({self.url}, SHA-256 {_sha256(path)}) is built by source text '
                f'inside the file, which would be run{place}')

    def _refusal(self, path):
        return f'{self._facts(path)}; if you trust the file, run run_metrics.py --trust-source once'

    def give_trust(self):
        """Trust the file from now on."""
        path = self.fetch()
        trust.remember(_sha256(path), path)

    def load(self):
        """The network, in the default session. Nobody is asked for trust: this may be in training."""
        path = self.fetch()
        if not trust.is_trusted(_sha256(path)):
            raise UserError(self._refusal(path))
        net = misc.load_pkl(path)
        if not isinstance(net, dnnlib.tflib.Network):
            raise UserError(f'{path}: expected a single network, found {type(net).__name__}')
        return net


@dataclass(frozen=True)
class FrozenInception(_PublishedFile):
    """Google's file of the Inception network. Nothing inside would be run, so that it needs no trust."""
    output: str  # of inception_graph.Inception
    origin = 'graph'
    url = inception_graph.URL
    file_names = (inception_graph.ARCHIVE, inception_graph.GRAPH)

    def missing(self):
        """Why the network cannot be had at once, in words; None if it can."""
        path = self.find()
        if path is None:
            return f'{inception_graph.ARCHIVE} ({inception_graph.URL}) is not there either'
        try:
            inception_graph.read(path)
        except UserError as error:
            return str(error)
        return None

    def require(self):
        """Raise UserError unless the file can be had, and holds that network."""
        inception_graph.read(self.fetch())

    give_trust = require

    def load(self):
        """The network, for the graph of the default session."""
        return inception_graph.Inception(self.fetch(), self.output)


@dataclass(frozen=True)
class PackagedLite0:
    """EfficientNet-Lite0, whose weights are in a Python package. There is nothing in it to be trusted."""
    output: str  # of EfficientNetLite0
    origin = 'package'

    def missing(self):
        """Why the network cannot be had, in words; None if it can."""
        try:
            self.require()
        except UserError as error:
            return str(error)
        return None

    def require(self):
        """Raise UserError unless the package is installed."""
        efficientnet_lite0.weights_path()

    give_trust = require

    def checksum(self):
        """SHA-256 of the weights."""
        return efficientnet_lite0.WEIGHTS_SHA256

    def load(self):
        """The network, for the graph of the default session."""
        return efficientnet_lite0.EfficientNetLite0(self.output)


CLASSIFIERS = [os.path.basename(key).removesuffix('.pkl') for key in OFFICIAL_URLS
               if key.startswith(_PREFIX + 'celebahq-classifier-')]

_SAFER_INCEPTION = f'{inception_graph.ARCHIVE} ({inception_graph.URL}) in the folder of ${FOLDER_VARIABLE}'

# Name of a network: where it can come from, best first. A source has the methods of PublishedPickle.
SOURCES = {name: (PublishedPickle(f'{_PREFIX}{name}.pkl'),)
           for name in ('vgg16', 'vgg16_zhang_perceptual', *CLASSIFIERS)}
SOURCES.update({
    f'inception_v3_{output}': (PublishedPickle(f'{_PREFIX}inception_v3_{output}.pkl', _SAFER_INCEPTION),
                               FrozenInception(output))
    for output in ('features', 'softmax')})
SOURCES.update({f'efficientnet_lite0_{output}': (PackagedLite0(output),)
                for output in efficientnet_lite0.OUTPUT_SIZES})


def _source(name):
    """The first source that has the network at once or, where none has, the first of all."""
    sources = SOURCES[name]
    return next((source for source in sources if source.missing() is None), sources[0])


def _why_missing(name):
    """Why no source has the network at once, in words; None if one has."""
    reasons = [source.missing() for source in SOURCES[name]]
    return None if None in reasons else '; '.join(reasons)


def _settle(name, settle):
    """Have a network: `settle(source)` for the first source if its file is there or there is no other one.
    Else others come first, which need no trust. Raises UserError with what every source has to say."""
    first, *others = SOURCES[name]
    if not others or first.find() is not None:
        settle(first)
        return
    reasons = []
    for source in [*others, first]:
        try:
            settle(source)
            return
        except UserError as error:
            reasons.append(str(error))
    raise UserError('; '.join(reasons))


def missing(names):
    """Why one of these networks cannot be had without a download or a question, in words; None if all can."""
    return next((why for why in map(_why_missing, names) if why is not None), None)


def require(names):
    """Download what is not there, and ask a user at a terminal whether files are trusted.

    Raises UserError unless all these networks can be had and are trusted.
    """
    for name in names:
        if _why_missing(name) is not None:
            _settle(name, operator.methodcaller('require'))


def give_trust(names, other_files=()):
    """Trust the files of these networks and other files or URLs from now on. Downloads what is not there."""
    for name in names:
        _settle(name, operator.methodcaller('give_trust'))
    for file_or_url in other_files:
        with misc.open_file_or_url(file_or_url) as file:
            trust.remember(hashlib.file_digest(file, 'sha256').hexdigest(), file_or_url)


def origin(name):
    """What the network comes from: a 'pickle' of NVIDIA's, Google's 'graph' or a Python 'package'."""
    return _source(name).origin


def checksum(name):
    """SHA-256 of the file that the network comes from."""
    return _source(name).checksum()


def load(name):
    """The network of this name, in the default session: a tflib.Network or what behaves like one (`run`,
    `clone`, `get_output_for`, `input_shape`, `output_shape`). Raises UserError if it cannot be had."""
    return _source(name).load()


def _sha256(path):
    status = os.stat(path)
    return _sha256_of(path, status.st_size, status.st_mtime_ns)


@functools.cache
def _sha256_of(path, size, mtime_ns):
    """Computed once for as long as the file seems to be the same."""
    with open(path, 'rb') as file:
        return hashlib.file_digest(file, 'sha256').hexdigest()

"""Test the sources of feature networks, whose files run code only after the user has trusted them."""

import hashlib
import io
import os
import pty
import subprocess
import sys

import pytest

import dnnlib
import dnnlib.tflib as tflib
from dnnlib.pickles import trust
from dnnlib.util import UserError
from metrics import metric_base, metric_records
from metrics.evaluation import Evaluation, RealData
from metrics.features import feature_networks, inception_graph
from tests import small_inception, small_networks
from training import misc

NAME = 'inception_v3_features'
URL = 'https://nvlabs-fi-cdn.nvidia.com/stylegan/networks/metrics/inception_v3_features.pkl'
VARIABLE = feature_networks.FOLDER_VARIABLE


@pytest.fixture(autouse=True)
def folders(monkeypatch, tmp_path):
    """Set up empty caches and a folder for the files of feature networks."""
    monkeypatch.setenv('DNNLIB_CACHE_DIR', str(tmp_path / 'cache'))
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    monkeypatch.setattr(inception_graph, 'CLASSIFIER_SHAPE', small_inception.CLASSIFIER_SHAPE)


@pytest.fixture
def path(tmp_path, session):
    """Write a network file to the folder."""
    path = tmp_path / 'inception_v3_features.pkl'
    misc.save_pkl(tflib.Network('net', func_name=small_networks.twice), str(path))
    return path


@pytest.fixture
def graph_path(tmp_path):
    """Write the file of the graph to the folder."""
    return small_inception.write_archive(tmp_path / inception_graph.ARCHIVE, small_inception.small_graph())


@pytest.fixture
def downloads(monkeypatch):
    """Return a table {URL: contents} of the downloads that succeed. All others fail."""
    table = {}

    def open_url(url, cache_dir):
        if url not in table:
            raise OSError('no route')
        os.makedirs(cache_dir, exist_ok=True)
        with open(os.path.join(cache_dir, f'{_md5(url)}_{os.path.basename(url)}'), 'wb') as file:
            file.write(table[url])
        return io.BytesIO(table[url])

    monkeypatch.setattr(dnnlib.util, 'open_url', open_url)
    return table


def _md5(url):
    return hashlib.md5(url.encode()).hexdigest()


def _sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_is_refused_until_it_is_trusted(path):
    digest = _sha256(path)
    reason = f'{path} is not trusted (run_metrics.py --trust-source); '
    assert feature_networks.missing([NAME]).startswith(reason)
    with pytest.raises(UserError, match=rf'^{path}: .*{URL}, SHA-256 {digest}.*--trust-source'):
        feature_networks.load(NAME)
    feature_networks.give_trust([NAME])
    assert feature_networks.missing([NAME]) is None
    assert feature_networks.checksum(NAME) == digest
    assert feature_networks.load(NAME).input_shape == [None, 2]
    misc.save_pkl(tflib.Network('other', func_name=small_networks.twice), str(path))
    assert feature_networks.missing([NAME]) is not None, 'another file under that name'


def test_a_refusal_names_what_needs_no_trust_where_there_is_such_a_file(path, tmp_path):
    with pytest.raises(UserError) as caught:
        feature_networks.require([NAME])
    for text in (inception_graph.URL, inception_graph.ARCHIVE, f'folder of ${VARIABLE}', '--trust-source'):
        assert text in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    path.rename(tmp_path / 'vgg16.pkl')
    with pytest.raises(UserError, match=r'vgg16\.pkl: .* which would be run; if you trust the file, run'):
        feature_networks.require(['vgg16'])


def test_a_download_of_before_is_found(path, tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE)
    assert feature_networks.missing([NAME]).startswith('inception_v3_features.pkl is neither in ')
    (tmp_path / 'cache').mkdir()
    cached = tmp_path / 'cache' / f'{_md5(URL)}_inception_v3_features.pkl'
    path.rename(cached)
    feature_networks.give_trust([NAME])
    assert feature_networks.missing([NAME]) is None
    with open(cached, 'rb') as file:
        assert misc.open_file_or_url(URL).read() == file.read()


def test_a_trusted_pickle_comes_before_the_graph_and_that_before_a_question(path, graph_path):
    assert feature_networks.missing([NAME]) is None
    feature_networks.require([NAME])
    assert feature_networks.origin(NAME) == 'graph'
    assert feature_networks.checksum(NAME) == _sha256(graph_path)
    assert isinstance(feature_networks.load(NAME), inception_graph.Inception)
    assert feature_networks.load('inception_v3_softmax').output_shape == [None, 7]
    feature_networks.give_trust([NAME])
    assert feature_networks.origin(NAME) == 'pickle'
    assert feature_networks.checksum(NAME) == _sha256(path)
    assert isinstance(feature_networks.load(NAME), tflib.Network)


def test_the_graph_out_of_its_archive_and_the_download_of_before_are_found(graph_path, tmp_path):
    alone = tmp_path / inception_graph.GRAPH
    alone.write_bytes(small_inception.small_graph().SerializeToString())
    (tmp_path / 'cache').mkdir()
    graph_path.rename(tmp_path / 'cache' / f'{_md5(inception_graph.URL)}_inception.tgz')
    assert feature_networks.checksum(NAME) == _sha256(alone)
    alone.unlink()
    assert feature_networks.missing([NAME]) is None


def test_without_both_the_reason_names_both(graph_path):
    graph_path.write_bytes(b'damaged')
    reason = feature_networks.missing(['efficientnet_lite0_features', NAME])
    assert reason.startswith('inception_v3_features.pkl is neither in ')
    assert f'; {graph_path}: not a readable file' in reason
    graph_path.unlink()
    reason = feature_networks.missing([NAME])
    assert f'; {inception_graph.ARCHIVE} ({inception_graph.URL}) is missing' in reason


def test_without_a_connection_the_error_names_the_folder(downloads):
    cannot = f'cannot be downloaded .* {VARIABLE}'
    with pytest.raises(UserError, match=f'^{inception_graph.URL}: {cannot}; {URL}: {cannot}$'):
        feature_networks.require([NAME])
    with pytest.raises(UserError, match=f'^http[^ ]*/vgg16.pkl: {cannot}$'):
        feature_networks.require(['vgg16'])


def test_what_runs_nothing_is_downloaded_first(downloads, graph_path, path):
    downloads[inception_graph.URL] = graph_path.read_bytes()
    downloads[URL] = path.read_bytes()
    graph_path.unlink()
    path.unlink()
    for obtain in (feature_networks.give_trust, feature_networks.require):
        obtain([NAME])
        [name] = os.listdir(dnnlib.util.cache_dir())
        assert name == f'{_md5(inception_graph.URL)}_{inception_graph.ARCHIVE}'
    assert feature_networks.origin(NAME) == 'graph'


def test_a_pickle_is_downloaded_where_nothing_else_can_be_had(downloads, path):
    downloads[URL] = path.read_bytes()
    path.unlink()
    with pytest.raises(UserError, match='cannot be downloaded .*; .*SHA-256 .*--trust-source once$'):
        feature_networks.require([NAME])
    feature_networks.give_trust([NAME])
    feature_networks.require([NAME])
    assert feature_networks.load(NAME).input_shape == [None, 2]


@pytest.mark.parametrize('answer, trusted', [
    ('y\n', True), ('YES\n', True), ('\n', False), ('n\n', False), ('', False)])
def test_a_user_at_a_terminal_is_asked_once(path, monkeypatch, capfd, answer, trusted):
    monkeypatch.setattr(os, 'isatty', lambda fd: fd in (0, 2))
    monkeypatch.setattr(sys, 'stdin', io.StringIO(answer))
    monkeypatch.setattr(sys, '__stderr__', sys.stderr)
    if trusted:
        feature_networks.require([NAME])
        feature_networks.require([NAME])
    else:
        with pytest.raises(UserError, match='--trust-source once$'):
            feature_networks.require([NAME])
    question = capfd.readouterr().err
    assert question.count('Run it, now and later? [y/N] ') == 1
    for text in (str(path), URL, _sha256(path), inception_graph.URL):
        assert text in question
    assert trust.is_trusted(_sha256(path)) == trusted


def test_nobody_is_asked_when_a_network_is_loaded(path, monkeypatch):
    monkeypatch.setattr(os, 'isatty', lambda fd: fd in (0, 2))
    monkeypatch.setattr(sys, 'stdin', None)
    with pytest.raises(UserError, match='--trust-source once$'):
        feature_networks.load(NAME)
    assert feature_networks.missing([NAME]) is not None


@pytest.mark.parametrize('streams, answer', [
    (['stdin', 'stderr'], 'True'), (['stdin'], 'False'), (['stderr'], 'False')])
def test_only_a_terminal_on_both_sides_is_asked(streams, answer):
    terminal, far_end = pty.openpty()
    os.write(terminal, b'y\n')
    ends = {'stdin': subprocess.DEVNULL, 'stderr': subprocess.DEVNULL, **dict.fromkeys(streams, far_end)}
    code = 'from dnnlib.pickles import trust; print(trust.ask("x", "0" * 64, "x"))'
    done = subprocess.run([sys.executable, '-c', code], stdout=subprocess.PIPE, text=True, check=True, **ends)
    os.close(far_end)
    os.close(terminal)
    assert done.stdout.split() == [answer]


def test_statistics_of_reals_are_computed_again_for_another_source(path, graph_path, tmp_path):
    evaluation = Evaluation('fid', 'fid', source='', Gs=None, Gs_kwargs={}, image_set=None, real_set=None,
                            data=RealData(None, {}, False), num_gpus=1, progress=None)

    def cached(value):
        return evaluation.cached(lambda: value, NAME, metric_class='FID')

    assert [cached(1), cached(2)] == [1, 1]
    feature_networks.give_trust([NAME])
    assert [cached(3), cached(4)] == [3, 3]
    path.unlink()
    assert cached(5) == 5


def test_records_name_source_and_file(path, graph_path):
    metric = metric_base.DummyMetric(name='dummy')
    metric.network_names = (NAME,)
    metric._facts = metric_records.Facts(str(path), data=RealData(None, {}, False))

    def recorded():
        record = metric.get_record()
        return record['feature_network_origins'], record['feature_networks']

    assert recorded() == ({NAME: 'graph'}, {NAME: _sha256(graph_path)})
    feature_networks.give_trust([NAME])
    assert recorded() == ({NAME: 'pickle'}, {NAME: _sha256(path)})


def test_there_is_a_classifier_for_every_attribute():
    assert len(feature_networks.CLASSIFIERS) == 40
    assert feature_networks.CLASSIFIERS[19] == 'celebahq-classifier-19-eyeglasses'

"""Test whole metrics with stand-in feature networks: golden figures, real images, errors and results."""

import gc
import hashlib
import json
import os
import pickle
import sys

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib
import dnnlib.tflib as tflib
from dnnlib.util import UserError
from metrics import linear_separability, metric_base, metric_records, real_cache
from metrics.evaluation import Evaluation, RealData
from metrics.features import availability, feature_networks
from metrics.metric_defaults import metric_defaults, with_num_samples
from tests import metric_stand_ins
from tests.golden_figures import (
    QUICK,
    figures,
    fresh_session,
    one_hot,
    replaced_randomness,
    set_golden_values,
)
from tests.golden_recipe import golden_input
from tests.seeded_randomness import seeded_by_order
from training import misc
from training.data.export import TFRecordExporter

GOLDEN = figures('metrics')
DATA = dict(tfrecord_dir='tiny', shuffle_mb=0)
FID = dict(func_name='metrics.frechet_inception_distance.FID', name='fid')
SMALL = dict(num_images=30, minibatch_per_gpu=10)


def _export(path, images):
    with TFRecordExporter(str(path), len(images), print_progress=False) as exporter:
        for image in images:
            exporter.add_image(image)
        exporter.add_labels(one_hot(len(images), 3))


@pytest.fixture(scope='module')
def data_dir(tmp_path_factory):
    """Write the images of the golden runs: in color, grey, and enlarged."""
    path = tmp_path_factory.mktemp('data')
    images = np.clip(golden_input('dataset/images', [24, 3, 16, 16]) * 40 + 128, 0, 255).astype(np.uint8)
    _export(path / 'tiny', images)
    _export(path / 'grey', images[:, :1])
    _export(path / 'large', images.repeat(2, axis=2).repeat(2, axis=3))
    return str(path)


def _save_generator(path, **kwargs):
    with fresh_session(QUICK):
        Gs = tflib.Network('Gs', **{**GOLDEN['generator'], **kwargs})
        set_golden_values(Gs)
        tflib.set_vars({var: 0 for name, var in Gs.vars.items() if name.endswith('noise_strength')})
        misc.save_pkl(Gs, str(path))
    return str(path)


@pytest.fixture(scope='module')
def network_pkl(tmp_path_factory):
    """Write the generator of the golden figures."""
    return _save_generator(tmp_path_factory.mktemp('networks') / 'Gs.pkl')


@pytest.fixture(scope='module')
def labelled_pkl(tmp_path_factory):
    """Write a grey generator that takes labels."""
    return _save_generator(tmp_path_factory.mktemp('networks') / 'Gs.pkl', num_channels=1, label_size=3)


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch, tmp_path):
    """Use stand-ins for the feature networks and an empty cache."""
    monkeypatch.setattr(feature_networks, 'SOURCES', metric_stand_ins.sources(feature_networks.SOURCES))
    monkeypatch.setenv('DNNLIB_CACHE_DIR', str(tmp_path / 'cache'))


@pytest.fixture
def evaluate(data_dir, network_pkl):
    """Return a function that evaluates a metric given by its arguments. -> {suffix: value}."""
    def run(definition, pkl=network_pkl, dataset_args=DATA, **kwargs):
        metric = dnnlib.util.call_func_by_name(**{'name': 'metric', **definition})
        metric.run(pkl, data_dir=data_dir, dataset_args=dataset_args,
                   **{'mirror_augment': False, 'log_results': False, 'tf_config': QUICK, **kwargs})
        return {name.removeprefix(metric.name): value for name, value in metric.results()}
    return run


_answers = linear_separability._answers


def _answers_of_the_golden_run(logits):
    """Break a tie as the golden run did.

    The last sample kept and the first one dropped have the same certainty to six digits and opposite answers,
    so rounding decides which one is kept. The golden run kept the one with a positive logit.
    """
    return _answers(logits + 1e-4)


def _case_id(case):
    kwargs = case['kwargs']
    return '-'.join(str(part) for part in (case['metric'].split('.')[-1], kwargs.get('space', ''),
                                           kwargs.get('sampling', ''), kwargs.get('crop', '')))


@pytest.mark.parametrize('case', GOLDEN['results'], ids=_case_id)
def test_metric_has_its_golden_value(case, evaluate, monkeypatch):
    if case['metric'].endswith('.LS'):
        pytest.importorskip('sklearn')
        monkeypatch.setattr(linear_separability, '_answers', _answers_of_the_golden_run)
    with replaced_randomness():
        results = evaluate({'func_name': case['metric'], **case['kwargs']})
    expected = {'' if suffix == 'value' else suffix: value for suffix, value in case['result'].items()}
    # The solver stops before it has converged, at a point that depends on a random order.
    tolerance = 1e-2 if case['metric'].endswith('.LS') else 1e-3
    assert results == pytest.approx(expected, rel=tolerance)
    metric = dnnlib.util.call_func_by_name(func_name=case['metric'], name='metric', **case['kwargs'])
    assert list(metric.result_suffixes) == list(results)


def test_graphs_that_tensorflow_optimizes_give_the_golden_value_too(evaluate):
    case = GOLDEN['results'][0]
    with replaced_randomness():
        results = evaluate({'func_name': case['metric'], **case['kwargs']}, tf_config=None)
    assert results == pytest.approx({'': case['result']['value']}, rel=1e-3)


def test_a_quick_look_is_kept_apart_from_the_full_figure(evaluate):
    definition = with_num_samples(metric_defaults.fid50k_full, 20)
    assert definition.name == 'fid50k_full-only20'
    assert (definition.num_fakes, definition.max_reals) == (20, 20)
    assert metric_defaults.fid50k_full.num_fakes == 50000
    assert with_num_samples(metric_defaults.ls, 30).num_keep == 15
    evaluate(definition)
    [name] = os.listdir(dnnlib.util.cache_dir())
    assert name.split('-', 1)[1] == 'fid50k_full-only20-tiny.pkl'


def test_all_definitions_can_be_constructed():
    for name, definition in metric_defaults.items():
        metric = dnnlib.util.call_func_by_name(**definition)
        assert metric.name == name
        assert set(metric.network_names) <= set(feature_networks.SOURCES)
    assert {'fid50k', 'is50k', 'ppl_zfull', 'ppl_wfull', 'ppl_zend', 'ppl_wend', 'ppl2_wend', 'pr50k3', 'ls',
            'kid50k', 'fid50k_full', 'kid50k_full', 'pr50k3_full'} <= set(metric_defaults)
    assert metric_base.ppl_wend.num_samples == 100000
    assert metric_defaults.ppl_wend.num_samples == 50000


def test_linear_separability_asks_for_scikit_learn_before_it_samples(monkeypatch):
    monkeypatch.setitem(sys.modules, 'sklearn.svm', None)
    with pytest.raises(UserError, match='scikit-learn'):
        availability.require(['ls'])


# Real images

def _evaluation(data, name):
    return Evaluation(name, name, source='', Gs=None, Gs_kwargs={}, image_set=None, real_set=None, data=data,
                      num_gpus=1, progress=None)


def test_the_name_of_a_cache_file_is_the_published_one():
    data = RealData(None, dict(tfrecord_dir='ffhq', shuffle_mb=0), mirror_augment=True)
    path = _evaluation(data, 'fid50k').cache_file(num_images=50000)
    assert os.path.basename(path) == 'cbfdccf1313850bc70ca8fe5bd7c5dab-fid50k-ffhq.pkl'


@pytest.fixture
def summaries(monkeypatch):
    """Count how often statistics of real images are computed and written."""
    calls = []
    original = real_cache.write
    monkeypatch.setattr(real_cache, 'write',
                        lambda *args, **kwargs: calls.append(1) or original(*args, **kwargs))
    return calls


def test_statistics_of_reals_are_kept_until_what_they_come_from_changes(
        evaluate, summaries, monkeypatch, data_dir):
    fid = {**FID, **SMALL}
    with replaced_randomness():
        first = evaluate(fid)
        assert evaluate(fid) == first
        assert len(summaries) == 1
        record = os.path.join(data_dir, 'tiny', 'tiny-r04.tfrecords')
        status = os.stat(record)
        os.utime(record, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
        evaluate(fid)
        assert len(summaries) == 2, 'the data set is another one'
        other = metric_stand_ins.StandIn(metric_stand_ins.inception_features, digest='07he3')
        monkeypatch.setitem(feature_networks.SOURCES, 'inception_v3_features', (other,))
        evaluate(fid)
        assert len(summaries) == 3, 'the feature network is another one'
        [name] = os.listdir(dnnlib.util.cache_dir())
        with open(os.path.join(dnnlib.util.cache_dir(), name), 'r+b') as file:
            file.truncate(100)
        assert evaluate(fid) == first
        assert len(summaries) == 4, 'the file is damaged'


def test_a_data_set_that_does_not_repeat_is_read_once(evaluate, monkeypatch):
    from metrics.figures import statistics
    counts = []
    original = statistics.moments

    def note(batches, ddof=1):
        batches = list(batches)
        counts.append((sum(map(len, batches)), ddof))
        return original(batches, ddof=ddof)

    monkeypatch.setattr(statistics, 'moments', note)
    evaluate({**metric_defaults.fid50k_full, 'num_fakes': 20, 'minibatch_per_gpu': 10}, mirror_augment=True)
    assert counts == [(24, 0), (20, 1)]


def test_kernel_distance_takes_features_of_both(evaluate):
    with replaced_randomness():
        results = evaluate({**metric_defaults.kid50k, 'num_fakes': 20, 'max_reals': 30})
    assert np.isfinite(results['']) and results[''] > 0


# Several latents per image

def test_the_mixing_table_begins_with_the_plain_distance_and_shares_its_reals(evaluate, summaries):
    distances = []
    for name in ('fid50k', 'fid50k_mix1', 'fid50k_mix3'):
        with seeded_by_order():
            distances.append(evaluate(with_num_samples(metric_defaults[name], 20))[''])
    assert distances[0] == distances[1]
    assert distances[0] != distances[2]
    assert len(summaries) == 1
    [name] = os.listdir(dnnlib.util.cache_dir())
    assert name.split('-', 1)[1] == 'fid50k-only20-tiny.pkl'


@pytest.mark.long
def test_latents_are_mixed_on_two_devices_and_with_labels(evaluate, labelled_pkl):
    mixed = {**metric_defaults.fid50k_mix4, 'num_images': 100, 'minibatch_per_gpu': 15}
    data = dict(tfrecord_dir='grey', shuffle_mb=0)
    one, two = (evaluate(mixed, labelled_pkl, data, num_gpus=num_gpus)[''] for num_gpus in (1, 2))
    assert one == pytest.approx(two, rel=0.5), 'the same distance by other samples'


# Other networks and data

@pytest.mark.long
def test_grey_and_labelled_images_work_on_two_devices(evaluate, labelled_pkl):
    data = dict(tfrecord_dir='grey', shuffle_mb=0)
    fid = {**FID, 'num_images': 100, 'minibatch_per_gpu': 15}
    one, two = (evaluate(fid, labelled_pkl, data, num_gpus=num_gpus)[''] for num_gpus in (1, 2))
    assert one == pytest.approx(two, rel=0.5), 'the same distance by other samples'
    ppl = dict(metric_defaults.ppl_wend, num_samples=7, minibatch_per_gpu=2)
    assert np.isfinite(evaluate(ppl, labelled_pkl, data, num_gpus=2)[''])


def test_real_images_come_in_the_resolution_of_the_generator(evaluate, capsys):
    with replaced_randomness():
        same = evaluate({**FID, **SMALL})
        large = evaluate({**FID, **SMALL}, dataset_args=dict(tfrecord_dir='large', shuffle_mb=0))
    assert large == pytest.approx(same)
    assert 'generates 16x16' in capsys.readouterr().out


@pytest.mark.parametrize(('dataset', 'max_label_size', 'pkl', 'message'), [
    ('grey', 0, 'network_pkl', r'images \[3, 16, 16\], but those of the data set are \[1, 16, 16\]'),
    ('grey', 2, 'labelled_pkl', 'takes labels of 3 components, but those of the data set have 2'),
])
def test_networks_and_data_that_do_not_go_together_are_refused(
        dataset, max_label_size, pkl, message, evaluate, request):
    data = dict(tfrecord_dir=dataset, shuffle_mb=0, max_label_size=max_label_size)
    with pytest.raises(UserError, match=message):
        evaluate({**FID, **SMALL}, request.getfixturevalue(pkl), data)


@pytest.mark.parametrize('name', ['fid50k_mix1', 'ppl_wend', 'ls'])
def test_metrics_of_styles_refuse_a_generator_without(name, evaluate, tmp_path):
    with fresh_session(QUICK):
        Gs = tflib.Network('Gs', func_name='training.networks_progan.G_paper', num_channels=3, resolution=16,
                           fmap_base=32, fmap_max=4)
        misc.save_pkl(Gs, str(tmp_path / 'progan.pkl'))
    with pytest.raises(UserError, match=r'progan\.pkl: metric needs a generator with styles'):
        evaluate({**metric_defaults[name], 'name': 'metric'}, pkl=str(tmp_path / 'progan.pkl'))


def test_images_that_a_feature_network_does_not_take_are_refused(evaluate, monkeypatch):
    table = metric_stand_ins.sources(feature_networks.CLASSIFIERS, size=256)
    monkeypatch.setattr(feature_networks, 'SOURCES', table)
    ls = dict(metric_defaults.ls, num_samples=4, num_keep=2, attrib_indices=[0])
    with pytest.raises(UserError, match=r'ls needs images of shape \[3, 256, 256\], .* \[3, 16, 16\]'):
        evaluate(ls)


# Repeated evaluation and results

def _live_graphs():
    gc.collect()
    return sum(isinstance(item, tf.Graph) for item in gc.get_objects())


def test_many_evaluations_leave_no_graphs_behind(evaluate):
    fid = {**FID, 'num_images': 4, 'minibatch_per_gpu': 4}
    evaluate(fid)
    before = _live_graphs()
    for _ in range(3):
        evaluate(fid)
    assert _live_graphs() <= before


@pytest.fixture
def run_dir(tmp_path):
    """Create the directory of a training run."""
    run = tmp_path / 'run'
    run.mkdir()
    sc = dnnlib.SubmitConfig()
    sc.run_func_kwargs = dict(dataset_args=dict(tfrecord_dir='tiny', max_label_size=0), mirror_augment=True)
    with open(run / 'submit_config.pkl', 'wb') as file:
        pickle.dump(sc, file)
    return run


def test_a_run_directory_tells_the_data_and_gets_the_results(run_dir, data_dir, network_pkl, capsys):
    metric = dnnlib.util.call_func_by_name(**FID, **SMALL)
    metric.run(network_pkl, run_dir=str(run_dir), data_dir=data_dir, tf_config=QUICK)
    line = metric.get_result_str().strip()
    assert line.startswith('Gs' + ' ' * 29 + 'time ')
    assert line in capsys.readouterr().out
    assert (run_dir / 'metric-fid.txt').read_text() == line + '\n'
    record = json.loads((run_dir / 'metric-fid.jsonl').read_text())
    assert record['results'] == dict(metric.results())
    assert record['mirror_augment'] is True
    assert record['dataset_args'] == dict(tfrecord_dir='tiny', max_label_size=0, shuffle_mb=0)
    assert record['feature_networks'] == {'inception_v3_features': 'd1ge57'}
    assert record['settings'] == {'max_reals': 30, 'num_fakes': 30}
    with open(network_pkl, 'rb') as file:
        assert record['network_sha256'] == hashlib.sha256(file.read()).hexdigest()


def test_result_lines_have_the_published_form():
    metric = metric_base.DummyMetric(name='fid50k')
    metric._facts = metric_records.Facts('some/network-snapshot-000000.pkl', seconds=7.3)
    metric.restore([[5.76009, '', '%-10.4f']])
    expected = 'network-snapshot-000000        time 7s           fid50k 5.7601'
    assert metric.get_result_str().strip() == expected
    metric._facts = metric_records.Facts('a-name-of-30-characters-exactly.pkl')
    assert metric.get_result_str().startswith('...e-of-30-characters-exactly  time')


class Published(metric_base.MetricBase):
    """A metric that was written for the published code."""

    def __init__(self, num_images, **kwargs):
        super().__init__(**kwargs)
        self.num_images = num_images

    def _evaluate(self, Gs, Gs_kwargs, num_gpus):
        latents = tf.random_normal([self.num_images] + Gs.input_shape[1:])
        labels = self._get_random_labels_tf(self.num_images)
        images = tflib.run(Gs.get_output_for(latents, labels, **Gs_kwargs))
        self._report_progress(1, 2, status='images')
        reals = next(iter(self._iterate_reals(minibatch_size=self.num_images)))
        fakes = next(iter(self._iterate_fakes(Gs, self.num_images, num_gpus)))
        name = os.path.basename(self._get_cache_file_for_reals(num_images=self.num_images))
        self._report_result(len(name.split('-')[0]), suffix='_md5', fmt='%d')
        for suffix, array in (('_images', images), ('_reals', reals), ('_fakes', fakes)):
            self._report_result(array.size, suffix=suffix)
        self._report_result(self._get_dataset_obj().num_images, suffix='_set')


def test_a_metric_written_for_the_published_code_works(evaluate):
    pixels = 4 * 3 * 16 * 16
    results = evaluate(dict(func_name=f'{__name__}.Published', num_images=4))
    assert results == {'_md5': 32, '_images': pixels, '_reals': pixels, '_fakes': pixels, '_set': 24}


class Precision(metric_base.MetricBase):
    """Reports how many resolutions of a generator it is told to compute in float16."""

    def _evaluate(self, Gs, Gs_kwargs, num_gpus):
        self._report_result(Gs_kwargs.get('num_fp16_res', Gs.static_kwargs.num_fp16_res))


def test_generators_are_measured_in_float32_without_a_gpu_unless_told_otherwise(evaluate, tmp_path):
    pkl = str(tmp_path / 'net.pkl')
    with fresh_session(QUICK):
        misc.save_pkl(tflib.Network('Gs', func_name='training.networks_stylegan2_ada.G_main', num_channels=3,
                                    resolution=16, fmap_base=32, mapping_layers=1, num_fp16_res=2), pkl)
    definition = dict(func_name=f'{__name__}.Precision')
    assert evaluate(definition, pkl) == {'': 0}
    assert evaluate(definition, pkl, Gs_kwargs=dict(num_fp16_res=1)) == {'': 1}

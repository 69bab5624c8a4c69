"""Whole metrics: golden figures over stand-in feature networks, and what they need to work at all."""

import gc
import os

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib
import dnnlib.tflib as tflib
from dnnlib.util import UserError
from metrics import feature_networks, metric_base
from metrics.metric_defaults import metric_defaults, with_num_samples
from tests import metric_stand_ins
from tests.golden_figures import QUICK, figures, fresh_session, one_hot, replaced_randomness, set_golden_values
from tests.golden_recipe import golden_input
from training import misc
from training.tfrecord_export import TFRecordExporter

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
    """The images of the golden runs: in color, grey, and larger."""
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
    """The generator of the golden figures."""
    return _save_generator(tmp_path_factory.mktemp('networks') / 'Gs.pkl')


@pytest.fixture(scope='module')
def labelled_pkl(tmp_path_factory):
    """A grey generator that takes labels."""
    return _save_generator(tmp_path_factory.mktemp('networks') / 'Gs.pkl', num_channels=1, label_size=3)


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch, tmp_path):
    """Stand-ins for the feature networks and an empty cache."""
    monkeypatch.setattr(feature_networks, 'SOURCES', metric_stand_ins.sources(feature_networks.SOURCES))
    monkeypatch.setattr(misc, 'CACHE_DIR', str(tmp_path / 'cache'))


@pytest.fixture
def evaluate(data_dir, network_pkl):
    """Evaluates a metric given by its arguments. -> {suffix: value}"""
    def run(definition, pkl=network_pkl, dataset_args=DATA, **kwargs):
        metric = dnnlib.util.call_func_by_name(**{'name': 'metric', **definition})
        metric.run(pkl, data_dir=data_dir, dataset_args=dataset_args, tf_config=QUICK,
                   **{'mirror_augment': False, 'log_results': False, **kwargs})
        return {name.removeprefix(metric.name): value for name, value in metric.results()}
    return run


def _case_id(case):
    kwargs = case['kwargs']
    return '-'.join(str(part) for part in (case['metric'].split('.')[-1], kwargs.get('space', ''),
                                           kwargs.get('sampling', ''), kwargs.get('crop', '')))


@pytest.mark.parametrize('case', GOLDEN['results'], ids=_case_id)
def test_metric_has_its_golden_value(case, evaluate):
    with replaced_randomness():
        results = evaluate({'func_name': case['metric'], **case['kwargs']})
    expected = {'' if suffix == 'value' else suffix: value for suffix, value in case['result'].items()}
    assert results == pytest.approx(expected, rel=1e-3)

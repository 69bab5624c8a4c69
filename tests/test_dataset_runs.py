"""Test training on and metrics of folders and zip files of images, and of encoded records."""

import json
import shutil

import numpy as np
import pytest

import run_metrics
from dnnlib import cli
from metrics.features import feature_networks
from tests import image_sets, metric_stand_ins
from tests.resumed_runs import TINY_D, TINY_G, differences, resume, start
from tests.test_resume import stopped_after

GROWING = dict(
    D_args=dict(TINY_D, func_name='training.networks_stylegan2.D_stylegan', architecture=None),
    G_args=dict(TINY_G, synthesis_func='G_synthesis_stylegan_revised'),
    sched_args=dict(minibatch_size_base=4, minibatch_gpu_base=4, tick_kimg_base=0.008, tick_kimg_dict={},
                    lod_initial_resolution=4, lod_training_kimg=0.016, lod_transition_kimg=0.016))
images = image_sets.pixels(24)


@pytest.fixture
def script(tmp_path, monkeypatch):
    """Return a function that runs run_metrics.py in `tmp_path` with stand-ins for the feature networks."""
    table = metric_stand_ins.sources(feature_networks.SOURCES, size=8)
    monkeypatch.setattr(feature_networks, 'SOURCES', table)
    monkeypatch.setenv('DNNLIB_CACHE_DIR', str(tmp_path / 'cache'))
    monkeypatch.chdir(tmp_path)
    return lambda *flags: cli.run_script(lambda: run_metrics.main([
        '--network=none', '--metrics=fid50k', '--num-samples=20', f'--result-dir={tmp_path}', *flags]))


def test_metrics_compare_folders_and_zip_files_by_their_paths(script, tmp_path):
    folder = tmp_path / 'a' / 'my photos'
    image_sets.write_folder(folder, images)
    image_sets.zipped(folder, tmp_path / 'b.zip')
    script('--dataset=a/my photos', f'--images={tmp_path}/b.zip', '--mirror-augment=no')
    image_sets.save(255 - images[0], folder / '00000/img00000000.png')
    script(f'--data-dir={tmp_path}', '--dataset=b.zip', f'--images={folder}')
    found = [json.loads(path.read_text()) for path in sorted(tmp_path.glob('*/metrics.jsonl'))]
    assert [record['dataset_args']['tfrecord_dir'] for record in found] == ['my photos', 'b.zip']
    assert [record['data_dir'] for record in found] == [str(folder.parent), str(tmp_path)]
    assert found[0]['results']['fid50k-only20'] < 1e-6 < found[1]['results']['fid50k-only20']
    assert found[0]['dataset_fingerprint'] != found[1]['images_fingerprint']
    assert sorted(path.name[32:] for path in (tmp_path / 'cache').glob('*.pkl')) == [
        '-fid50k-only20-b.pkl', '-fid50k-only20-my photos.pkl']


@pytest.mark.long
@pytest.mark.parametrize('kind', ['png', 'zip', 'folder'])
def test_training_is_the_same_however_images_are_stored_and_continues_exactly(tmp_path, kind):
    labels = np.eye(3, dtype=np.float32)[np.arange(24) % 3]
    args = dict(dataset_args=dict(tfrecord_dir='set', max_label_size='full', shuffle_mb=1), **GROWING)
    image_sets.write_records(tmp_path / 'raw' / 'set', images, 'raw', labels)
    whole = start(tmp_path / 'raw', tmp_path / 'results', **args)
    folder = tmp_path / 'data' / 'set'
    if kind == 'png':
        image_sets.write_records(folder, images, 'png', labels)
    else:
        image_sets.write_folder(folder, images, [idx % 3 for idx in range(24)])
    if kind == 'zip':
        image_sets.zipped(folder, tmp_path / 'data' / 'set.zip', lambda name: name.endswith('3.png'))
        shutil.rmtree(folder)
        args['dataset_args'] = {**args['dataset_args'], 'tfrecord_dir': 'set.zip'}
    with stopped_after(5):
        stopped = start(tmp_path / 'data', tmp_path / 'others', **args)
        while not (stopped / 'network-final.pkl').exists():
            resume(stopped)
    assert differences(whole, stopped) == []

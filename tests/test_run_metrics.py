"""Test run_metrics.py: whole runs with stand-in feature networks, and errors before a run."""

import json

import numpy as np
import pytest

import dnnlib.tflib as tflib
import run_metrics
from dnnlib import cli
from metrics.features import feature_networks
from tests import metric_stand_ins
from tests.golden_figures import QUICK, fresh_session
from tests.small_networks import SMALL_G
from training import misc
from training.data.export import TFRecordExporter


@pytest.fixture(scope='module')
def data_dir(tmp_path_factory):
    """Write two data sets of 8x8 images, one of grey images, and two generators to a folder."""
    path = tmp_path_factory.mktemp('data')
    images = np.random.RandomState(1).randint(256, size=[48, 3, 8, 8]).astype(np.uint8)
    for name, part in (('tiny', images[:24]), ('held-out', images[24:]), ('grey', images[:24, :1])):
        with TFRecordExporter(str(path / name), len(part), print_progress=False) as exporter:
            for image in part:
                exporter.add_image(image)
    with fresh_session(QUICK):
        Gs = tflib.Network('Gs', **SMALL_G)
        for name in ('a.pkl', 'b.pkl'):
            Gs.reset_vars()
            misc.save_pkl((Gs, Gs.clone(), Gs), str(path / name))
    return path


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch, tmp_path):
    """Use stand-ins for the feature networks and an empty cache."""
    table = metric_stand_ins.sources(feature_networks.SOURCES, size=8)
    monkeypatch.setattr(feature_networks, 'SOURCES', table)
    monkeypatch.setenv('DNNLIB_CACHE_DIR', str(tmp_path / 'cache'))


@pytest.fixture
def script(data_dir, tmp_path):
    """Return a function that runs the script on the data set with further flags."""
    flags = [f'--data-dir={data_dir}', f'--network={data_dir / "a.pkl"}', '--dataset=tiny',
             f'--result-dir={tmp_path}']
    return lambda *more: cli.run_script(lambda: run_metrics.main([*flags, *more]))


def test_results_go_to_the_log_and_as_json_to_a_file(script, tmp_path, data_dir):
    script('--metrics=fid50k,pr50k3', '--num-samples=20', '--mirror-augment=yes')
    [run_dir] = tmp_path.glob('00000-run-metrics')
    lines = (run_dir / 'log.txt').read_text().splitlines()
    assert f'Evaluating metrics "fid50k,pr50k3" for "{data_dir / "a.pkl"}"...' in lines
    [line] = [line for line in lines if ' fid50k-only20 ' in line]
    assert line.startswith('a                              time ')
    records = [json.loads(line) for line in (run_dir / 'metrics.jsonl').read_text().splitlines()]
    assert [record['metric'] for record in records] == ['fid50k-only20', 'pr50k3-only20']
    assert records[0]['mirror_augment'] is True
    assert {'python', 'tensorflow', 'numpy', 'scipy'} <= set(records[0]['versions'])
    assert records[0]['dataset_args'] == {'tfrecord_dir': 'tiny', 'shuffle_mb': 0}
    assert f'{records[0]["results"]["fid50k-only20"]:.4f}' in line
    assert set(records[1]['results']) == {'pr50k3-only20_precision', 'pr50k3-only20_recall'}


def test_several_networks_and_repeats_end_with_a_table(script, data_dir, capsys):
    networks = [str(data_dir / name) for name in ('a.pkl', 'b.pkl')]
    script(f'--network={",".join(networks)}', '--num-samples=20', '--repeats=2')
    rows = [line for line in capsys.readouterr().out.splitlines() if '(2 runs)' in line]
    assert [row.split()[:2] for row in rows] == [[name, 'fid50k-only20'] for name in networks]
    assert all(' +- ' in row for row in rows)


@pytest.mark.long
def test_images_of_another_data_set_stand_beside_a_network(script, tmp_path, capsys):
    script('--images=held-out,tiny', '--num-samples=20')
    rows = capsys.readouterr().out.splitlines()[-4:-1]
    titles = [row.split('  ')[0].split('/')[-1] for row in rows]
    assert titles == ['a.pkl', 'images of held-out', 'images of tiny']
    assert all(row.split()[-2] == 'fid50k-only20' for row in rows)
    [run_dir] = tmp_path.glob('00000-run-metrics')
    lines = (run_dir / 'log.txt').read_text().splitlines()
    assert any(line.startswith('images of held-out             time ') for line in lines)
    records = [json.loads(line) for line in (run_dir / 'metrics.jsonl').read_text().splitlines()]
    assert [record.get('images') for record in records] == [None, 'held-out', 'tiny']
    assert 'network' not in records[1]
    assert records[1]['images_fingerprint'] != records[2]['images_fingerprint']
    assert records[2]['results']['fid50k-only20'] < 1e-6 < records[1]['results']['fid50k-only20']


@pytest.mark.long
def test_the_real_images_themselves_cannot_be_told_from_the_real_ones(script, tmp_path):
    script('--network=none', '--images=tiny', '--metrics=fid50k,kid50k,pr50k3,is50k', '--num-samples=20',
           '--num-gpus=2')
    [run_dir] = tmp_path.glob('00000-run-metrics')
    results = {}
    for line in (run_dir / 'metrics.jsonl').read_text().splitlines():
        results.update(json.loads(line)['results'])
    assert results['fid50k-only20'] < 1e-6
    assert results['kid50k-only20'] < 0
    assert results['pr50k3-only20_precision'] == results['pr50k3-only20_recall'] == 1
    assert results['is50k-only20_mean'] > 1


@pytest.mark.long
def test_real_images_that_are_repeated_are_told_of_once(script, capsys):
    line = 'fid50k-only30: the data set holds 24 images, which are repeated to make 30.'
    script('--num-samples=30', '--repeats=2')
    assert capsys.readouterr().out.splitlines().count(line) == 1
    script('--num-samples=24')
    assert 'repeated' not in capsys.readouterr().out


@pytest.mark.parametrize(('flags', 'message'), [
    (['--images=grey', '--num-samples=20'],
     '--images=grey: holds images [1, 8, 8], but those of the data set are [3, 8, 8]'),
    (['--images=held-out', '--num-samples=30'],
     '--images=held-out: holds 24 images, but fid50k-only30 takes 30; compare fewer with --num-samples=24'),
])
def test_images_that_cannot_be_compared_are_refused(flags, message, script, capsys):
    with pytest.raises(SystemExit) as exit_info:
        script('--network=none', *flags)
    assert exit_info.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(('flags', 'message'), [
    (['--metrics=fid51k'], "unknown metric 'fid51k'; did you mean fid50k? --metrics takes cs50k_lite0"),
    (['--metrics='], '--metrics and --network (or --images): expected at least one of each'),
    (['--images=dogs'], '--images=dogs: there is no such folder'),
    (['--images=tiny', '--metrics=fid50k,ppl_wend'], 'ppl_wend: needs a generator and cannot measure'),
    (['--images=tiny', '--metrics=ls'], 'ls: needs a generator and cannot measure'),
    (['--images=tiny', '--metrics=fid50k_mix1'], 'fid50k_mix1: needs a generator and cannot measure'),
    (['--data-dir=/nowhere'], 'dataset root directory does not exist'),
    (['--dataset=cats'], '--dataset=cats: there is no such folder'),
    (['--network=gone.pkl'], 'gone.pkl: no such file'),
    (['--num-samples=3'], 'expected a whole number of at least 20'),
])
def test_a_bad_flag_gives_one_clear_line_and_status_2(flags, message, script, tmp_path, capsys):
    with pytest.raises(SystemExit) as exit_info:
        script(*flags)
    assert exit_info.value.code == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.glob('0*'))

"""Test what the benchmarks count, what they report, and their command line. Nothing is timed here."""

import copy
import mmap

import numpy as np
import pytest
import tensorflow.compat.v1 as tf

import dnnlib.tflib as tflib
from benchmarks import __main__ as command
from benchmarks import counting, floor, generation, plan, processes, report, startup, timing, training
from benchmarks.spread import spread
from dnnlib.util import EasyDict, UserError
from training import misc

WIDTH = dict(resolution=8, fmap_max=4, num_channels=1)
DENSE = 4 * 4
UP_8x8 = 9 * 4 * 4 * 4 * 4     # 3x3 kernel, 4 to 4 feature maps, per pixel of its 4x4 input
CONV_8x8 = 9 * 4 * 4 * 8 * 8
CONV_4x4 = 9 * 4 * 4 * 4 * 4
TO_GREY = 4 * (4 * 4 + 8 * 8)
SMALL_G = 2 * DENSE + 5 * DENSE + CONV_4x4 + UP_8x8 + CONV_8x8 + TO_GREY  # 2 mapping layers, 5 with styles
SMALL_D = (4 * 8 * 8 + CONV_8x8               # from grey, Conv0
           + CONV_4x4 + 4 * 4 * 4 * 4         # Conv1_down, Skip
           + 9 * 5 * 4 * 4 * 4                # one more feature map: the standard deviation
           + 4 * 4 * 4 * 4 + 4)               # Dense0, Output


@pytest.fixture(scope='module')
def networks(module_session):
    """Build a small generator and discriminator of config F."""
    G = tflib.Network('G', func_name='training.networks_stylegan2.G_main', latent_size=4, dlatent_size=4,
                      mapping_fmaps=4, mapping_layers=2, **WIDTH)
    D = tflib.Network('D', func_name='training.networks_stylegan2.D_stylegan2', **WIDTH)
    tflib.init_uninitialized_vars()
    return G, D


def test_multiply_adds_of_networks_are_those_counted_by_hand(networks):
    assert [counting.of_network(net) for net in networks] == [SMALL_G, SMALL_D]


def test_the_work_of_drawing_is_counted_beside_its_time(networks, monkeypatch):
    monkeypatch.setattr(generation, 'network', lambda name, resolution: networks[0])
    monkeypatch.setattr(timing, 'Product', lambda: EasyDict(rate=lambda: 1.0))
    result = generation.generate(resolution=8, minibatch=2, seconds=0, min_rounds=1)
    assert result['multiply_adds_per_image'] == SMALL_G


def test_graph_of_a_discriminator_takes_the_multiply_adds_of_its_definition(networks):
    scores = networks[1].get_output_for(tf.zeros([3, 1, 8, 8]), tf.zeros([3, 0]))
    assert counting.of_graph([scores]) == 3 * SMALL_D


def test_graph_of_a_step_takes_the_multiply_adds_of_its_definition(networks):
    """A step runs forward, and backward to inputs and weights."""
    D = networks[1]
    images = tf.zeros([3, 1, 8, 8])
    scores = tf.reduce_sum(D.get_output_for(images, tf.zeros([3, 0])))
    gradients = tf.gradients(scores, [images, *D.trainables.values()])
    assert counting.of_graph([scores, *gradients]) == 3 * 3 * SMALL_D


def test_products_of_matrices_are_counted_with_what_they_transpose(session):
    a, b = tf.ones([5, 2, 3]), tf.ones([5, 2, 7])
    assert counting.of_graph([tf.matmul(a, b, transpose_a=True)]) == 5 * 3 * 7 * 2
    assert counting.of_graph([tf.matmul(a[0], b[0], transpose_a=True)]) == 3 * 7 * 2


def test_a_graph_is_counted_with_the_values_that_are_fed(session):
    x = tf.placeholder(tf.float32, [None, 6])
    products = tf.matmul(x, tf.ones([6, 5]))
    assert counting.of_graph([products.op], {x: np.zeros([4, 6])}) == 4 * 6 * 5


def test_regularizers_count_by_how_often_they_run():
    assert training.multiply_adds_by_definition(16, 0) == 16 * (3 + 1) + 16 * 3 / 4
    assert training.multiply_adds_by_definition(0, 16) == 16 * (2 + 6) + 16 * 6 / 16


def test_a_profile_names_types_of_operations(session):
    product = tf.matmul(tf.random.normal([8, 8]), tf.random.normal([8, 8]))
    totals = timing.profile(lambda: tflib.run(product))
    kinds = [kind for kind in totals if kind.endswith('MatMul')]
    assert [totals[kind][1] for kind in kinds] == [1]


def test_a_profile_sums_up_what_takes_least():
    totals = {'A': [1.0, 3], 'B': [4.0, 1], 'C': [2.0, 5]}
    assert timing.top(totals, count=1) == [['B', 4.0, 1], ['(others)', 3.0, 8]]


def test_work_at_half_the_speed_of_the_product_has_a_share_of_one_half():
    costs = [[2.0, 3.0, 0.5, 10.0], [1.0, 1.5, 0.2, 7.0], [0.5, 0.5, 0.1, 6.0]]
    result = timing.against_limit(500, rates=[1000, 2000, 4000], costs=costs)
    assert result['limit_seconds']['median'] == 0.5
    assert result['share_of_limit'] == spread([0.5, 0.5, 0.5])
    assert result['system_seconds'] == spread([0.5, 0.2, 0.1])
    assert result['minor_faults'] == spread([10.0, 7.0, 6.0])


def _touch(pages):
    with mmap.mmap(-1, pages * mmap.PAGESIZE) as memory:
        memory[::mmap.PAGESIZE] = bytes(pages)


def test_memory_that_a_call_touches_for_the_first_time_shows_as_faults():
    seconds, processor, system, faults = timing.cost_of(lambda: _touch(pages=1000))
    assert faults >= 1000
    assert 0 <= system <= processor
    assert seconds > 0


def test_the_rate_of_a_round_lies_between_those_before_and_after(monkeypatch):
    rates = iter([1.0, 3.0, 5.0])
    monkeypatch.setattr(timing, 'Product', lambda: EasyDict(rate=lambda: next(rates)))
    assert timing.alternate(lambda: 'done', seconds=0, min_rounds=2) == ([2.0, 4.0], ['done', 'done'])


def test_floor_reads_the_arrays_of_a_network_pickle_without_building_it(networks, tmp_path):
    misc.save_pkl(networks, tmp_path / 'networks.pkl')
    with open(tmp_path / 'networks.pkl', 'rb') as file:
        loaded = floor._Unpickler(file).load()
    assert [type(net) for net in loaded] == [floor._Inert] * 2


def test_a_process_ends_with_the_line_that_is_waited_for():
    code = 'print("one"); print("two"); import time; time.sleep(3600)'
    done = processes.run(processes.python('-c', code), until='two')
    assert done.seconds < 3600
    assert done.peak_memory_bytes > 1e6


@pytest.mark.parametrize('code', ['print("why"); raise SystemExit(3)', 'print("why")'])
def test_a_process_that_goes_wrong_says_why(code):
    with pytest.raises(processes.Failed, match='why'):
        processes.run(processes.python('-c', code), until='never')


def test_training_of_the_demo_is_found_with_its_flags():
    words = startup.demo_training({'--result-dir': 'elsewhere'})
    assert words[0] == 'run_training.py'
    assert '--config=config-f' in words
    assert [word for word in words if word.startswith('--result-dir')] == ['--result-dir=elsewhere']


def test_each_measurement_has_a_name_of_its_own_and_a_known_part():
    for quick in (True, False):
        pieces = plan.pieces(quick)
        assert len({piece.name for piece in pieces}) == len(pieces)
        assert {part for piece in pieces for part in piece.parts} == set(plan.PARTS)
    assert set(plan.MEMORY_GOALS) <= {piece.name for piece in pieces}


def test_a_part_that_does_not_exist_is_refused(capsys):
    with pytest.raises(SystemExit):
        command.make_parser().parse_args(['--only', 'generation,nothing'])
    assert 'nothing' in capsys.readouterr().err


def test_parts_are_separated_by_commas():
    assert command.make_parser().parse_args(['--only', 'data,scaling']).only == ['data', 'scaling']
    assert command.make_parser().parse_args([]).only == list(plan.PARTS)


@pytest.mark.parametrize('text', ['[]', 'no JSON'])
def test_a_file_without_results_makes_no_report(text, tmp_path):
    (tmp_path / 'results.json').write_text(text, encoding='utf-8')
    with pytest.raises(UserError, match='results.json'):
        command.main(['--report', str(tmp_path / 'results.json'), '--out', str(tmp_path)])


def _images(resolution, minibatch):
    times = timing.against_limit(1000, rates=[1000, 1000], costs=[[4.0, 6.0, 0.3, 1500.0]] * 2)
    return {'function': 'generation.generate', 'goal': 0.6, 'resolution': resolution, 'minibatch': minibatch,
            'multiply_adds_per_image': 2e9, 'build_seconds': 1.0, 'first_run_seconds': 1.0,
            'peak_memory_bytes': 1.5e9, 'profile': [['Conv2D', 0.75, 3], ['(others)', 0.25, 9]], **times}


RESULTS = {
    'command': 'python -m benchmarks', 'date': '2020-01-01 12:00 +0000', 'quick': False, 'seconds': 61,
    'machine': {'processor': 'Abacus', 'vector_instructions': ['avx'], 'cores': 2, 'memory_bytes': 4e9,
                'system': 'Linux', 'versions': {'Python': '3.11'}},
    'pieces': {
        'generate 1024x1024, minibatch 1': _images(1024, 1),
        'generate 64x64, minibatch 2': _images(64, 2),
        'input pipeline': {'function': 'data.read', 'goal': None, 'minibatch': 32,
                           'images_per_second': 1234.5, 'peak_memory_bytes': 1e9},
    },
}


def test_report_sets_times_against_limit_and_goal():
    text = report.text(RESULTS)
    assert '| generate 1024x1024, minibatch 1 | 4 s/image (4 to 4) | 1.50 GB (goal 2.50 GB) | ' \
           '0.5 (0.5 to 0.5) | 0.60 | 2 s/image | 0 | 2 | 1500 | 5% |' in text
    assert '| Conv2D | 750.0 | 75% | 3 |' in text
    assert '| input pipeline, minibatch 32 | 1234 | 1.00 GB |' in text
    assert 'Abacus, 2 cores' in text


def test_report_sets_the_ways_of_storing_images_side_by_side():
    results = copy.deepcopy(RESULTS)
    for store, limit in (('raw', None), ('zip', 250.0)):
        results['pieces'][f'input pipeline, {store}'] = {
            'function': 'data.pipeline', 'goal': None, 'store': store, 'resolution': 256,
            'images_per_second': 200.0, 'decoding_images_per_second': limit, 'peak_memory_bytes': 1e9}
    text = report.text(results)
    assert '| stored as | 256x256 (images/s) | decoding alone | peak memory |' in text
    assert '| raw TFRecords | 200 |  | 1.00 GB |' in text
    assert '| zip file of PNG | 200 | 250 | 1.00 GB |' in text
    assert '## Input pipeline' not in report.text(RESULTS)


def test_report_tells_what_augmentation_adds():
    results = copy.deepcopy(RESULTS)
    without, with_it, share = ({'median': value, 'min': value, 'max': value, 'rounds': 1}
                               for value in (10.0, 11.0, 0.1))
    result = {'without': without, 'with': with_it, 'added_share': share}
    results['pieces']['32x32'] = {'function': 'augmentation.compare', 'goal': 0.15, **result}
    assert '| 32x32 | 10 s/kimg | 11 s/kimg | 0.1 | 0.15 |' in report.text(results)
    assert report.one_line(result) == '11 s/kimg; augmentation adds a share of 0.1'


def test_report_tells_what_a_precision_costs():
    def spread_of(value):
        return {'median': value, 'min': value, 'max': value, 'rounds': 1}

    results = copy.deepcopy(RESULTS)
    result = {'precisions': {name: {
        'seconds': spread_of(2 * cost), 'processor_seconds': spread_of(3 * cost),
        'relative_processor_time': spread_of(cost)} for name, cost in (('float32', 1.0), ('mixed', 5.0))}}
    results['pieces']['precisions, 8x8'] = {'function': 'precision.compare', 'goal': None, **result}
    assert '| 8x8 | mixed | 10 s | 15 s | 5 |' in report.text(results)
    assert report.one_line(result) == 'processor time relative to float32: float32 1, mixed 5'


def test_report_sets_engines_side_by_side():
    times = {'rounds': 1, 'min': 1, 'max': 1}
    result = {'function': 'engines.compare', 'goal': None, 'tensorflow': {'median': 0.5, **times},
              'onnxruntime': {'median': 0.4, **times}, 'speed_of_onnxruntime': {'median': 1.25, **times},
              'speed_by_processor_time': {'median': 1.1, **times}}
    text = report.text({**RESULTS, 'pieces': {'onnxruntime, 8x8, minibatch 2': result}})
    assert '| 8x8, minibatch 2 | 0.5 s/image | 0.4 s/image | 1.25 | 1.1 |' in text
    assert report.one_line(result) == '0.4 s/image; 1.25 times the speed of TensorFlow'


def test_report_shows_other_machines_beside_the_first():
    other = copy.deepcopy(RESULTS)
    other['machine'].update(processor='Slide rule', vector_instructions=['avx512f'])
    text = report.text(RESULTS, others=[other])
    assert text.index('Abacus') < text.index('## Another machine, with AVX-512') < text.index('Slide rule')
    assert text.count('| generate 1024x1024, minibatch 1 | 4 s/image') == 2


def test_report_tells_what_has_no_result():
    results = copy.deepcopy(RESULTS)
    results['pieces']['input pipeline'] = {'function': 'data.read', 'goal': None, 'error': 'no disk'}
    text = report.text(results)
    assert '| input pipeline | no disk |' in text
    assert '## Data' not in text


def test_report_keeps_the_words_written_by_hand():
    assert report.WHERE_TIME_GOES.read_text(encoding='utf-8').strip() in report.text(RESULTS)


def test_picture_is_a_part_of_the_report_where_it_can_be_drawn(tmp_path):
    pytest.importorskip('matplotlib')
    report.write(RESULTS, tmp_path)
    assert (tmp_path / 'performance.png').stat().st_size > 1000
    assert '(performance.png)' in (tmp_path / 'performance.md').read_text(encoding='utf-8')

"""Test whole trainings by several processes: they agree, stop, lose one another, resume. `make
test-cluster`."""

import json
import pathlib
import re
import signal

import pytest

from tests import clusters
from tests.test_cluster import arguments, assert_same_networks, data_dir, one_process  # noqa: F401
from training.resuming import state_folder

pytestmark = pytest.mark.long

TIMEOUT = 15
ENDLESS = json.dumps({'total_kimg': 1000, 'state_kimg': 0.032, 'worker_timeout': TIMEOUT})


def run_dir_of(result_dir):
    [run_dir] = pathlib.Path(result_dir).iterdir()
    return run_dir


def finish_all(processes):
    """Wait for all processes to end. -> [(status, error lines)]."""
    return [clusters.finish(process)[::2] for process in processes]


@pytest.fixture(scope='module')
def four_devices(data_dir, tmp_path_factory):  # noqa: F811
    """Train in one process with four devices and return the run directory."""
    return one_process(data_dir, tmp_path_factory.mktemp('results'), num_gpus=4)


@pytest.mark.parametrize('count', [2, 4])
def test_processes_train_as_one_with_all_their_devices(count, data_dir, four_devices, tmp_path):  # noqa: F811
    with clusters.cluster(arguments(data_dir, tmp_path, 4 // count), count) as (processes, _):
        assert finish_all(processes) == [(0, [])] * count
    assert_same_networks(run_dir_of(tmp_path), four_devices)


@pytest.fixture
def endless(data_dir, tmp_path):  # noqa: F811
    """Start a run of two workers and wait until it has written states. -> (processes, addresses)."""
    with clusters.cluster(arguments(data_dir, tmp_path, 1, ENDLESS), 2) as (processes, addresses):
        clusters.wait_for_line(processes[0], 'tick 2')
        yield processes, addresses


def test_a_killed_worker_is_named_and_other_numbers_of_processes_resume(endless, data_dir, tmp_path):  # noqa: F811
    processes, addresses = endless
    processes[1].kill()
    assert clusters.finish(processes[0])[::2] == (
        75, [f'Error: worker 1 ({addresses[1]}) has ended unexpectedly'])
    state = state_folder.newest(run_dir_of(tmp_path / '.'))
    nimg = state.content['trainer']['cur_nimg']
    more = json.dumps({'resume_state': state.path, 'total_kimg': (nimg + 64) / 1000})
    for count in (1, 4):
        result_dir = tmp_path.parent / f'{tmp_path.name}-{count}'
        with clusters.cluster(arguments(data_dir, result_dir, 1, more), count) as (resumed, _):
            output = clusters.finish(resumed[0])[1]
            assert finish_all(resumed[1:]) == [(0, [])] * (count - 1)
        ticks = [int(number) for number in re.findall('^tick ([0-9]+)', output, re.MULTILINE)]
        assert ticks[0] == state.content['reporter']['cur_tick'] + 1 and len(ticks) >= 2


@pytest.mark.parametrize('stopped', [0, 1])
def test_a_stopped_worker_ends_the_other_which_leaves_a_state(stopped, endless, tmp_path):
    processes, addresses = endless
    clusters.stop(processes[stopped])
    assert clusters.finish(processes[1 - stopped])[::2] == (
        75, [f'Error: worker {stopped} ({addresses[stopped]}) has not been heard of for {TIMEOUT} seconds'])
    assert state_folder.newest(run_dir_of(tmp_path)) is not None


@pytest.mark.parametrize('absent', [0, 1])
def test_a_training_whose_worker_never_arrives_ends(absent, data_dir, tmp_path):  # noqa: F811
    settings = json.dumps({'worker_timeout': TIMEOUT})
    with clusters.cluster(arguments(data_dir, tmp_path, 1, settings), 2, [absent]) as ([process], addresses):
        assert clusters.finish(process)[::2] == (
            75, [f'Error: worker {absent} ({addresses[absent]}) did not arrive within {TIMEOUT} seconds'])


@pytest.mark.parametrize('index', [0, 1])
def test_a_signal_to_any_worker_stops_all_with_a_state(index, endless, tmp_path):
    processes, _ = endless
    processes[index].send_signal(signal.SIGTERM)
    assert [status for status, _ in finish_all(processes)] == [143, 143]
    run_dir = run_dir_of(tmp_path)
    assert ' continues.' in (run_dir / 'log.txt').read_text()
    nimg = state_folder.newest(run_dir).content['trainer']['cur_nimg']
    last_tick = re.findall('^tick .* kimg ([0-9.]+)', (run_dir / 'log.txt').read_text(), re.MULTILINE)[-1]
    assert nimg / 1000 >= float(last_tick) - 0.05


def test_abort_txt_stops_all(endless, tmp_path):
    processes, _ = endless
    (run_dir_of(tmp_path) / 'abort.txt').touch()
    assert [status for status, _ in finish_all(processes)] == [0, 0]
    run_dir = run_dir_of(tmp_path)
    assert (run_dir / 'network-final.pkl').exists()
    state = state_folder.newest(run_dir)
    last_tick = re.findall('^tick .* kimg ([0-9.]+)', (run_dir / 'log.txt').read_text(), re.MULTILINE)[-1]
    assert state.content['trainer']['cur_nimg'] / 1000 >= float(last_tick) - 0.05


def test_a_worker_without_the_data_set_reports_that_to_the_others(data_dir, tmp_path):  # noqa: F811
    addresses = clusters.free_addresses(2)
    processes = [clusters.start(arguments(folder, tmp_path / 'results', 1), addresses, index)
                 for index, folder in enumerate([data_dir, str(tmp_path)])]
    (status, errors), (other_status, other_errors) = finish_all(processes)
    assert (status, other_status) == (2, 2)
    reason = f'{tmp_path}/tiny: the data set does not exist; create it with dataset_tool.py'
    assert other_errors == [f'Error: {reason}']
    assert errors == [f'Error: worker 1 ({addresses[1]}) failed: {reason}']

"""Test that workers meet, agree and end together, and that a lost worker ends the others with one line that
names it."""

import signal
import socket
import threading
import time

import pytest

from tests import clusters

FOR_EVER = 1000000
TIMEOUT = 10.0  # Time in which all workers should connect, even on a slow machine.


def link_workers(count, rounds=FOR_EVER, setting=(), absent=()):
    arguments = ['-m', 'tests.link_worker', str(TIMEOUT), str(rounds), *setting]
    return clusters.cluster(arguments, count, absent)


def assert_ended(process, status, *lines):
    assert clusters.finish(process)[::2] == (status, list(lines))


def test_all_know_the_values_of_all_and_leave_together():
    with link_workers(4, rounds=20) as (processes, _):
        for process in processes:
            status, output, errors = clusters.finish(process)
            assert (status, errors) == (0, [])
            assert output.split('\n')[-2:] == ['done', '']


@pytest.mark.long
def test_waiting_for_a_worker_at_work_is_no_loss():
    with link_workers(2, rounds=1, setting=['the same', 'wait']) as (processes, _):
        for process in processes:
            assert clusters.finish(process)[::2] == (0, [])


@pytest.mark.parametrize('lost', [0, 2])
def test_a_worker_that_is_killed_ends_the_others_with_a_line_that_names_it(lost):
    with link_workers(3) as (processes, addresses):
        for process in processes:
            clusters.wait_for_line(process, 'round 3')
        processes[lost].kill()
        for process in processes[:lost] + processes[lost + 1:]:
            assert_ended(process, 75, f'Error: worker {lost} ({addresses[lost]}) has ended unexpectedly')


@pytest.mark.long
@pytest.mark.parametrize('lost', [0, 1])
def test_a_worker_that_is_stopped_ends_the_others_after_a_while_and_itself_when_it_goes_on(lost):
    with link_workers(3) as (processes, addresses):
        for process in processes:
            clusters.wait_for_line(process, 'round 3')
        start = time.monotonic()
        clusters.stop(processes[lost])
        line = f'Error: worker {lost} ({addresses[lost]}) has not been heard of for 10 seconds'
        for process in processes[:lost] + processes[lost + 1:]:
            assert_ended(process, 75, line)
        assert time.monotonic() - start > TIMEOUT / 2
        processes[lost].send_signal(signal.SIGCONT)
        assert clusters.finish(processes[lost])[0] == 75


@pytest.mark.long
def test_a_first_worker_that_never_arrives_is_named():
    with link_workers(3, absent=[0]) as (processes, addresses):
        for process in processes:
            assert_ended(process, 75, f'Error: worker 0 ({addresses[0]}) did not arrive within 10 seconds')


@pytest.mark.long
def test_workers_that_never_arrive_are_named():
    with link_workers(4, absent=[1, 3]) as (processes, addresses):
        line = (f'Error: worker 1 ({addresses[1]}) did not arrive within 10 seconds, '
                f'nor worker 3 ({addresses[3]})')
        for process in processes:
            assert_ended(process, 75, line)


def test_a_worker_with_other_settings_is_refused():
    with link_workers(3, setting=['another']) as (processes, addresses):
        line = "Error: worker {} ({}) has different settings: setting is another, but the same in worker 0"
        lines = [line.format(index, addresses[index]) for index in (1, 2)]
        for process in processes:
            status, _, errors = clusters.finish(process)
            assert status == 2 and len(errors) == 1 and errors[0] in lines


def test_the_reason_of_a_worker_that_gives_one_reaches_the_others():
    with link_workers(3, rounds=2, setting=['the same', 'fail']) as (processes, addresses):
        for index in (0, 2):
            assert_ended(processes[index], 2,
                         f'Error: worker 1 ({addresses[1]}) failed: the disk is full')
        assert clusters.finish(processes[1])[0] == 3


def test_whoever_knocks_at_the_port_does_no_harm():
    with link_workers(2, rounds=2, absent=[1]) as (processes, addresses):
        host, port = addresses[0].split(':')
        knocker = threading.Thread(target=_knock, args=[(host, int(port))])
        knocker.start()
        knocker.join()
        late = clusters.start(['-m', 'tests.link_worker', str(TIMEOUT), '2'], addresses, 1)
        assert clusters.finish(late)[0] == clusters.finish(processes[0])[0] == 0


def _knock(address):
    for text in (b'', b'GET / HTTP/1.1\r\n\r\n', b'[1]\n', b'{"index": 5, "addresses": []}\n'):
        while not _is_sent(text, address):
            time.sleep(0.05)


def _is_sent(text, address):
    try:
        with socket.create_connection(address, timeout=1) as connection:
            connection.sendall(text)
    except OSError:
        return False
    return True

"""Test python -m benchmarks.peer: its requirements, the order of turns, and the ratio.

Both the peer and its PyTorch are stand-ins.
"""

import ast
import json
import pathlib
import signal
import subprocess
import sys

import PIL.Image
import pytest

import dnnlib.tflib as tflib
from benchmarks import processes, training
from benchmarks.peer import __main__ as command
from benchmarks.peer import checks, our_work, rounds, sides, table
from dnnlib.util import UserError
from tests import dataset_files, peer_checkout
from training import misc

PIECE = rounds.Piece('images', 'generation', 's/image', 2, 'generate', dict(resolution=8, minibatch=2))
AS_IT_COMES, HUGE = 'peer, defaults', 'peer, huge pages'


@pytest.fixture
def repo(tmp_path):
    """Write a stand-in checkout."""
    return str(peer_checkout.write_repo(tmp_path / 'repo'))


@pytest.fixture
def python(tmp_path):
    """Write a Python with a stand-in for PyTorch."""
    return str(peer_checkout.write_python(tmp_path / 'peer'))


@pytest.fixture
def peers(repo, python):
    """Return the peer in both of its settings."""
    return sides.peers(python, repo, glibc=True)


def _run(*flags):
    """Run the command. -> status, stderr, whether TensorFlow was loaded."""
    code = ('import sys; from benchmarks.peer import __main__ as command; from dnnlib import cli\n'
            'try: cli.run_script(command.main)\n'
            'finally: print("tensorflow" in sys.modules)')
    done = subprocess.run([sys.executable, '-c', code, *flags], cwd=processes.ROOT, text=True,
                          capture_output=True, timeout=60)
    return done.returncode, done.stderr, done.stdout.splitlines()[-1] == 'True'


def _refused(*flags):
    """Check that the command exits with status 2 and without loading TensorFlow. -> its only line."""
    status, errors, has_loaded = _run(*flags)
    assert (status, has_loaded) == (2, False)
    line, = errors.splitlines()
    return line


def _turns(**seconds):
    return {name: [{'seconds': each} for each in of_side] for name, of_side in seconds.items()}


def test_the_ratio_is_to_the_best_setting_of_the_peer():
    turns = _turns(ours=[1.0, 2.0, 4.0], slow=[9.0, 9.0, 9.0], quick=[4.0, 4.0, 4.0])
    result = rounds.summary(PIECE, turns)
    assert result['best'] == 'quick'
    assert result['ratio'] == {'median': 2.0, 'min': 1.0, 'max': 4.0, 'rounds': 3}
    assert result['times']['slow']['median'] == 9.0 / PIECE.units


def test_the_best_setting_is_the_one_with_the_shorter_median_not_the_shortest_turn():
    result = rounds.summary(PIECE, _turns(ours=[1.0] * 3, lucky=[0.1, 9.0, 9.0], steady=[3.0, 3.0, 3.0]))
    assert result['best'] == 'steady'


def test_the_table_has_the_times_of_all_sides_and_a_star_at_the_best():
    results = {'images': rounds.summary(PIECE, _turns(ours=[1.0], slow=[9.0], quick=[4.0])),
               'others': {'error': 'why'}}
    assert table.text(results, ['ours', 'slow', 'quick']).splitlines() == [
        '        ours         slow         quick        ratio',
        'images  0.5 s/image  4.5 s/image  2 s/image *  4.00 (4.00 to 4.00)',
        'others  no result']


def test_turns_that_differ_by_half_are_told(capsys):
    results = {'calm': rounds.summary(PIECE, _turns(ours=[1.0, 1.4], peer=[2.0, 2.9])),
               'busy': rounds.summary(PIECE, _turns(ours=[1.0, 1.0], peer=[2.0, 3.1])),
               'none': {'error': 'why'}}
    assert table.unsteady(results) == ['busy']
    del results['none']
    command.report(results, [sides.Side(name, [], {}) for name in ('ours', 'peer')], rounds=2)
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith('busy: ') and 'measure again' in last


def test_sides_take_turns_and_each_is_the_first_in_some_round(monkeypatch, peers):
    order = []
    measure = sides.Worker.measure
    monkeypatch.setattr(sides.Worker, 'measure',
                        lambda self, seconds: order.append(self.name) or measure(self, seconds))
    ours = sides.Side(sides.OURS, peers[0].command, peers[0].env)
    rounds.compare(PIECE, [ours, *peers], rounds=3, seconds=0)
    names = [sides.OURS, AS_IT_COMES, HUGE]
    assert order == names + names[1:] + names[:1] + names[2:] + names[:2]


def test_both_sides_draw_and_the_peer_gets_huge_pages(peers, capsys):
    """Our side is real. The stand-in is faster with huge pages."""
    all_sides = [sides.ours(), *peers]
    results = command.measure([PIECE], all_sides, rounds=1, seconds=0)
    command.report(results, all_sides, rounds=1)
    result = results['images']
    assert result['best'] == HUGE
    assert result['times'].keys() == {sides.OURS, AS_IT_COMES, HUGE}
    assert result['turns'][sides.OURS][0]['processor_seconds'] > 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == '[1/1] images ...'
    assert sum(' *  ' in line for line in lines) == 1


@pytest.mark.long
def test_our_first_image_comes_from_a_file_through_the_public_script(generator, tmp_path, monkeypatch):
    written, run = [], processes.run

    def write(_function, arguments):
        misc.save_pkl((generator, generator, generator), arguments['path'])

    def watched(words):
        done = run(words)
        written.extend(tmp_path.glob('*/*/seed0001.png'))
        return done

    monkeypatch.setattr(processes, 'call', write)
    monkeypatch.setattr(processes, 'run', watched)
    our_work.first_image(str(tmp_path), resolution=8)()
    assert len(written) == 1


def test_the_first_image_of_the_peer_comes_from_a_file_it_wrote(tmp_path, peers):
    with sides.Worker(peers[0], 'first_image', {'folder': str(tmp_path), 'resolution': 8}) as worker:
        worker.ready()
    with PIL.Image.open(tmp_path / 'image.png') as image:
        assert (image.size, image.mode) == ((8, 8), 'RGB')


def test_our_regularizers_run_as_often_as_they_are_due(session, tmp_path, monkeypatch):
    ran = []
    monkeypatch.setattr(processes, 'run', lambda command: None)
    monkeypatch.setattr(training, 'build', lambda data_dir, fmap_base, fmap_max: (None, None, None, 'feed'))
    monkeypatch.setattr(training, 'steps_of', lambda graph: {
        'G': ('G', 1), 'G_reg': ('G_reg', 1 / 4), 'D': ('D', 1), 'D_reg': ('D_reg', 1 / 16)})
    monkeypatch.setattr(tflib, 'run', lambda ops, feed: ran.append(ops))
    our_work.train(str(tmp_path), 'mnist', fmap_base=64, fmap_max=4)()
    assert {name: ran.count(name) for name in ran} == {'G': 16, 'G_reg': 4, 'D': 16, 'D_reg': 1}
    assert ran[:6] == ['G', 'G_reg', 'D', 'D_reg', 'G', 'D']


def test_a_peer_without_glibc_has_one_setting(repo, python):
    assert [side.name for side in sides.peers(python, repo, glibc=False)] == [AS_IT_COMES]


def test_the_peer_as_it_comes_has_no_tunables_of_this_process(monkeypatch, repo, python):
    monkeypatch.setenv('GLIBC_TUNABLES', 'glibc.malloc.hugetlb=2')
    plain, huge = sides.peers(python, repo, glibc=True)
    assert 'GLIBC_TUNABLES' not in plain.env
    assert huge.env['GLIBC_TUNABLES'] == sides.HUGE_PAGES


def test_the_peer_trains_in_all_four_phases(tmp_path, peers):
    """The stand-in loss checks each phase: its frequency, its images and its network."""
    pixels = list(range(256)) * 4 * 49
    dataset_files.write_idx(tmp_path / dataset_files.IMAGES_GZ, 0x803, [64, 28, 28], pixels)
    arguments = dict(mnist_dir=str(tmp_path), fmap_base=64, fmap_max=4)
    with sides.Worker(peers[0], 'train', {'folder': str(tmp_path), **arguments}) as worker:
        worker.ready()
        assert worker.measure(0)['seconds'] > 0


def test_a_peer_that_fails_in_the_middle_is_named_with_its_last_line(tmp_path, python, capsys):
    repo = str(peer_checkout.write_repo(tmp_path / 'failing', calls=2))
    peers = sides.peers(python, repo, glibc=False)
    ours = sides.peers(python, str(peer_checkout.write_repo(tmp_path / 'whole')), glibc=False)[0]
    all_sides = [sides.Side(sides.OURS, ours.command, ours.env), *peers]
    results = command.measure([PIECE], all_sides, rounds=3, seconds=0)
    with pytest.raises(UserError) as caught:
        command.report(results, all_sides, rounds=3)
    assert str(caught.value) == ('no result for images: peer, defaults: exited with status 1; last line: '
                                 'MemoryError: out of stand-in memory')
    assert 'no result' in capsys.readouterr().out


def test_nothing_keeps_running_after_a_failure(tmp_path, peers):
    with pytest.raises(RuntimeError), sides.Worker(peers[0], 'generate', {
            'folder': str(tmp_path), **PIECE.arguments}) as worker:
        worker.ready()
        raise RuntimeError
    assert worker.process.returncode == -signal.SIGKILL


def test_without_flags_both_needs_are_told():
    line = _refused()
    assert checks.CLONE in line and 'pip install torch' in line


def test_a_missing_checkout_is_told(python):
    assert '--repo=/nowhere: no such folder' in _refused('--repo=/nowhere', f'--python={python}')


def test_a_folder_that_is_something_else_is_told(python, repo):
    pathlib.Path(repo, 'training/networks.py').unlink()
    line = _refused(f'--repo={repo}', f'--python={python}')
    assert 'not a checkout of stylegan2-ada-pytorch, as it has no training/networks.py' in line


def test_a_missing_interpreter_is_told(repo):
    assert '--python=/nowhere/python: not a program' in _refused(f'--repo={repo}', '--python=/nowhere/python')


def test_a_program_that_is_no_python_is_told(repo):
    assert '--python=true: not a Python' in _refused(f'--repo={repo}', '--python=true')


def test_an_interpreter_without_pytorch_is_told_how_to_get_it(repo, tmp_path):
    python = peer_checkout.write_python(tmp_path / 'bare', torch=None)
    line = _refused(f'--repo={repo}', f'--python={python}')
    assert line == (f'Error: --python={python}: has no module torch, which the peer needs; install it: '
                    f'{python} -m pip install torch')


def test_a_checkout_that_does_not_load_is_told_with_its_last_line(repo, python):
    pathlib.Path(repo, 'legacy.py').write_text('raise ImportError("too old")', encoding='utf-8')
    line = _refused(f'--repo={repo}', f'--python={python}')
    assert f'cannot load {repo} (ImportError: too old)' in line


@pytest.mark.parametrize('name', ['peer_work.py', 'worker.py'])
def test_what_the_peer_runs_is_python_3_7_without_this_project(name):
    text = pathlib.Path(checks.__file__).with_name(name).read_text(encoding='utf-8')
    tree = ast.parse(text, feature_version=(3, 7))
    modules = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    modules |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not {module.split('.')[0] for module in modules} & {'benchmarks', 'tensorflow', 'metrics'}


def test_all_measurements_are_written_as_json(monkeypatch, tmp_path, repo, python, capsys):
    path = tmp_path / 'out.json'
    monkeypatch.setattr(command, 'pieces', lambda quick: [PIECE])
    monkeypatch.setattr(command, 'compare', lambda piece, all_sides, rounds_, seconds: rounds.compare(
        piece, all_sides, rounds_, seconds=0))
    monkeypatch.setattr(sides, 'ours', lambda: sides.Side(
        sides.OURS, sides.peer_command(python, repo), sides.peers(python, repo, glibc=False)[0].env))
    command.main([f'--repo={repo}', f'--python={python}', '--quick', f'--json={path}'])
    written = json.loads(path.read_text(encoding='utf-8'))
    assert written['pieces']['images']['ratio']['rounds'] == 2
    assert written['peer']['torch'] == 'stand-in'
    assert 'torch stand-in' in capsys.readouterr().out

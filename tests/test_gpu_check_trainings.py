"""Test the short trainings of a check."""

import time

import PIL.Image

from benchmarks.gpu_check import commands, trainings
from benchmarks.gpu_check.results import CUT, FAILED, LEFT_OUT, PASSED, Part
from tests.gpu_check_doubles import a_context, cut, failed
from training.settings import flags as run_flags
from training.settings import train_flags


def test_a_training_without_files_is_at_fault(tmp_path):
    assert trainings.faults(tmp_path) == [
        'network-final.pkl was not written', 'no losses were recorded', 'no images were written']


def test_losses_that_are_not_finite_and_empty_pictures_are_at_fault(tmp_path, monkeypatch):
    (tmp_path / 'network-final.pkl').touch()
    for index in range(2):
        PIL.Image.new('RGB', (4, 4), (9, 9, 9)).save(tmp_path / f'fakes00000{index}.png')
    losses = {'Loss/G/loss': {8: 1.0}, 'Loss/D/loss': {8: float('inf')}, 'Progress/lod': {8: float('nan')}}
    monkeypatch.setattr(trainings.events, 'scalars', lambda folder, notes: losses)
    assert trainings.faults(tmp_path) == [
        'Loss/D/loss is not finite', 'fakes000000.png has one colour only',
        'fakes000001.png has one colour only']


def test_a_regularizer_need_not_have_a_step_in_every_tick():
    nan = float('nan')
    assert trainings._is_finite('Loss/gradient_penalty', [1.0, nan])
    assert not trainings._is_finite('Loss/gradient_penalty', [nan, nan])
    assert not trainings._is_finite('Loss/scores/real', [1.0, nan])


def test_two_gpus_train_together_where_there_are_several():
    commands_of = trainings.trainings(trainings.ON_GPU, num_gpus=4)
    assert '--num-gpus=2' in commands_of['config-f-2-gpus']
    assert 'config-f-2-gpus' not in trainings.trainings(trainings.ON_GPU, num_gpus=1)


def test_every_training_has_flags_that_its_script_accepts(tmp_path):
    size = trainings.ON_GPU
    for command_line in [*trainings.trainings(size, 2).values(), *trainings.variants(size, 2).values()]:
        words = trainings.with_folders(command_line, 'data', str(tmp_path))
        parser = {'train.py': train_flags, 'run_training.py': run_flags}[words[0]].make_parser('', {})
        parser.parse_args(words[1:])


def test_config_f_is_also_trained_compiled_and_on_gpus_in_float16():
    assert [words[-1] for words in trainings.variants(trainings.ON_CPU, num_gpus=0).values()] == ['--xla=on']
    assert [words[-1] for words in trainings.variants(trainings.ON_GPU, num_gpus=1).values()] == [
        '--xla=on', '--precision=mixed']


def test_variants_get_the_time_that_the_others_leave(tmp_path, monkeypatch):
    context, part, seconds = a_context(tmp_path, num_gpus=1, seconds=90), Part('trainings', 'T'), {}

    def train(part, name, command, context, deadline):
        seconds[name] = deadline - time.monotonic()
        return PASSED, ''

    monkeypatch.setattr(trainings, '_train', train)
    monkeypatch.setattr(trainings.data, 'write_images', lambda *args: None)
    trainings.run(part, context)
    assert {name: round(value) for name, value in seconds.items()} == {
        'config-f': 30, 'ada-auto': 45, 'stylegan': 90, 'config-f-xla': 45, 'config-f-mixed': 90}
    assert part.status == PASSED


def test_variants_without_time_are_left_out_and_others_are_cut(tmp_path, monkeypatch):
    context, part = a_context(tmp_path, seconds=trainings.LEAST_SECONDS + 1), Part('trainings', 'T')
    monkeypatch.setattr(trainings, '_train', lambda *args: (CUT, 'no time left'))
    trainings._train_all(part, context, {'one': []}, CUT)
    trainings._train_all(part, context, {'two': []}, LEFT_OUT)
    context.deadline = 0
    trainings._train_all(part, context, {'three': []}, LEFT_OUT)
    assert [check.status for check in part.checks] == [CUT, LEFT_OUT, LEFT_OUT]


def test_a_training_that_fails_names_its_log(tmp_path, monkeypatch):
    monkeypatch.setattr(commands, 'run', lambda *args, **kwargs: failed('ValueError: no'))
    status, note = trainings._train(Part('a', 'A'), 'one', ['train.py'], a_context(tmp_path), 0)
    assert (status, note) == (
        FAILED, 'ended before it was stopped, exit status 1: ValueError: no; logs/failed.log has the output')
    monkeypatch.setattr(commands, 'run', lambda *args, **kwargs: cut())
    status, note = trainings._train(Part('a', 'A'), 'one', ['train.py'], a_context(tmp_path), 0)
    assert (status, note) == (CUT, 'before the first tick, no time left; logs/cut.log has the output')

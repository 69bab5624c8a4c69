"""The command line that makes a picture again, where there is one."""

import shlex

from latents import styles
from latents.explorer.state import NOISE_OF_SEED, STORED

W_FILE, NOISE_FILE = 'projected_w.npz', 'projected_noises.npz'


def recipe(studio, state):
    """Return what the page tells about a state: {'command': str or None, 'note': str, 'files': names of files
    to save first}."""
    if not studio.has_styles:
        return _without_styles(studio, state)
    if _is_plain(studio, state):
        return _answer(_generate(studio, state), f'Writes seed{state.base.seed:04d}.png.')
    mixing = _mixing(studio, state)
    if mixing is not None:
        row, col = (source.seed for source in state.sources)
        return _answer(mixing, f'Writes {row}-{col}.png, and the pictures of both seeds.')
    return _from_files(studio, state)


def _answer(command, note, files=()):
    return {'command': None if command is None else shlex.join(command), 'note': note, 'files': list(files)}


def _start(studio, command):
    trust = ['--trust-source'] if studio.trust_source else []
    return ['python', 'run_generator.py', command, f'--network={studio.network_pkl}', *trust]


def _class(studio, state):
    if state.class_idx is None:
        return []
    # A name comes before a number, so that the number of this class may be the name of another.
    names = studio.class_names or []
    is_named = state.class_idx < len(names) and names.index(names[state.class_idx]) == state.class_idx
    return [f'--class={names[state.class_idx] if is_named else state.class_idx}']


def _generate(studio, state):
    psi = [f'--truncation-psi={state.psi}'] if studio.has_styles else []
    return [*_start(studio, 'generate-images'), f'--seeds={state.base.seed}', *psi, *_class(studio, state)]


def _origins(studio, state):
    """Return where the noise of the layers comes from."""
    return {state.noise_of(layer)[0] for layer in range(len(studio.noise.shapes))}


def _used(studio, state):
    """Return the indices of the sources that the layers use."""
    return {state.source_of(layer) for layer in range(studio.num_layers)}


def _truncates(studio, state, cutoff):
    """Return whether truncation by a command that has this cutoff is that of the state."""
    chosen = studio.cutoff if state.cutoff is None else min(state.cutoff, studio.num_layers)
    return state.psi == 1 or chosen == cutoff


def _is_plain(studio, state):
    """Return whether a state is what `generate-images` draws from a seed."""
    return (_used(studio, state) == {0} and state.base.seed is not None and state.walk is None
            and _truncates(studio, state, studio.cutoff) and _origins(studio, state) <= {NOISE_OF_SEED})


def _mixing(studio, state):
    """Return the command that mixes two seeds; None if it draws another picture."""
    if len(state.sources) != 2 or state.walk is not None or any(s.seed is None for s in state.sources):
        return None
    if not _truncates(studio, state, studio.num_layers) or not _origins(studio, state) <= {STORED}:
        return None
    layers = [layer for layer in range(studio.num_layers) if state.source_of(layer) == 1]
    if not layers:
        return None
    row, col = (source.seed for source in state.sources)
    return [*_start(studio, 'style-mixing-example'), f'--row-seeds={row}', f'--col-seeds={col}',
            f'--col-styles={styles.layer_text(layers)}', f'--truncation-psi={state.psi}',
            *_class(studio, state)]


def _from_files(studio, state):
    command = [*_start(studio, 'generate-images'), f'--projected-w={W_FILE}']
    if _origins(studio, state) <= {STORED}:
        return _answer(command, f'Save W first, as {W_FILE}. Writes proj00.png.', [W_FILE])
    return _answer([*command, f'--noises={NOISE_FILE}'],
                   f'Save W and noise first, as {W_FILE} and {NOISE_FILE}. Writes proj00.png.',
                   [W_FILE, NOISE_FILE])


def _without_styles(studio, state):
    if state.base.seed is None:
        return _answer(None, 'This network cannot draw loaded latents.')
    if state.walk is None:
        return _answer(_generate(studio, state), f'Writes seed{state.base.seed:04d}.png.')
    return _answer(None, 'No command draws this: a frame of a walk of a network without styles. Save the '
                   'picture.')

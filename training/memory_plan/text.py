"""The memory plan in words."""

from training.memory_plan.plan import most_images

GIB = 1 << 30
CARDS = (8, 12, 16, 24, 40, 80)  # GB of GPUs, as they are sold: GiB
# For CUDA, its libraries, the workspace of convolutions and what lies unused between tensors. Not measured.
RESERVE = 1.5 * GIB
STATE = ('moments of the optimizers', 'accumulated gradients')

_UNITS = ('GB', GIB), ('MB', 1 << 20), ('kB', 1 << 10)


def gpu_lines(on_gpu, gpus, group_size, flag):
    """Return the plan of a GPU, and what fits into cards. gpus: bytes of those of this machine."""
    lines = ['', 'Memory of each GPU (estimated from the shapes in the graph for GPUs; not measured on one):',
             *_plan_lines(on_gpu)]
    phase = on_gpu.largest
    lines += [_row('reserve', RESERVE, 'CUDA, its libraries, workspace of convolutions: an allowance, not '
                   'measured'),
              _row('together', on_gpu.total(phase) + RESERVE)]
    for phase in _shown_phases(on_gpu):
        most = [f'{card} GB: {on_gpu.most_images(card * GIB - RESERVE, group_size, phase) or "none"}'
                for card in CARDS]
        lines.append(f'Largest {_flag(on_gpu, phase, flag)} that fits into a card of {", ".join(most)}.')
    return lines + _gpu_warning(on_gpu, gpus, group_size, flag)


def cpu_lines(on_cpu, memory, group_size, flag):
    """Return the plan of this machine without GPUs. memory: bytes that it has, None = unknown."""
    number = on_cpu.phase()
    lines = ['', 'Memory of this machine (estimated from the shapes in the graph for CPUs):',
             *_plan_lines(on_cpu.device)]
    tensors = on_cpu.tensors(number)
    if on_cpu.num_devices > 1:
        lines.append(_row(f'total of {on_cpu.num_devices} devices', tensors))
    need = on_cpu.whole(number)
    lines += [_row('TensorFlow', on_cpu.process, 'the program, the graph and what is compiled of it'),
              _row('unused', on_cpu.unused(number), 'what TensorFlow frees and keeps'),
              _row('rest', on_cpu.rest(number), 'images read ahead, pictures, snapshots, leftovers of steps'),
              _row('together', need, 'for the whole training without metrics')]
    if memory is None or need <= memory:
        return lines
    most = most_images(lambda images: on_cpu.whole(number, images) <= memory, group_size)
    return [*lines, _warning(need, f'this machine has {_gb(memory)}', most, flag)]


def _plan_lines(plan):
    """Return the lines of what one device holds and allocates, at the phase that needs most and the last."""
    held, images = plan.held, plan.held_images
    networks = [held[name].at(images) for name in ('G', 'D', 'Gs')]
    details = ', '.join(f'{name} {_gb(size)}' for name, size in zip(('G', 'D', 'Gs'), networks, strict=True))
    state = {name: held[name].at(images) for name in STATE}
    others = held['others'].at(images)
    lines = [_row('parameters', sum(networks), details),
             _row('optimizer state', sum(state.values()),
                  ', '.join(f'{name} {_gb(size)}' for name, size in state.items() if size)),
             _row('held images', held['held images'].at(images),
                  f'{images} x {_gb(held["held images"].per_image)}')]
    lines += [_row('other variables', others)] if others >= 1e6 else []
    for phase in _shown_phases(plan):
        if len(plan.phases) > 1:
            lines.append(f'at {_side(phase)}, {phase.images} images at a time:')
        lines += _phase_lines(plan, phase)
    return lines


def _phase_lines(plan, phase):
    """Return a line for each step of a phase, and the total."""
    name, _ = phase.largest()
    lines = [_row(step, peak.at(phase.images), f'{_linear(peak, phase.images)}'
                  f'{" (the most expensive step)" if step == name else ""}')
             for step, peak in phase.peaks().items()]
    return [*lines, _row('total', plan.total(phase), f'with {phase.images} images at a time')]


def _shown_phases(plan):
    return [plan.final] if plan.largest is plan.final else [plan.largest, plan.final]


def _gpu_warning(on_gpu, gpus, group_size, flag):
    """Return a line if a GPU of this machine has too little memory."""
    phase = on_gpu.largest
    need = on_gpu.total(phase) + RESERVE
    if not gpus or need <= min(gpus):
        return []
    most = on_gpu.most_images(min(gpus) - RESERVE, group_size, phase)
    return [_warning(need, f'the GPU has {_gb(min(gpus))}', most, _flag(on_gpu, phase, flag))]


def _warning(need, there, most, flag):
    remedy = (f'the largest {flag} that fits is {most}' if most else
              'not even one image at a time fits; choose a lower resolution or narrower networks')
    return f'Warning: the training needs about {_gb(need)}, but {there}; {remedy}.'


def _flag(plan, phase, flag):
    if len(plan.phases) == 1 or flag != '--minibatch-gpu':
        return flag
    return f'{flag}-by-res={phase.resolution}:'


def _linear(size, images):
    return f'{_gb(size.fixed)} + {images} images x {_gb(size.per_image)}'


def _side(phase):
    return f'{phase.resolution}x{phase.resolution}'


def _row(title, size, details=''):
    return f'  {title:20s}{_gb(size):>9s}{"  " + details if details else ""}'.rstrip()


def _gb(size):
    """Return bytes in words, in units of powers of 1024, as cards are sold."""
    unit, divisor = next((found for found in _UNITS if size >= 0.1 * found[1]), _UNITS[-1])
    return f'{size / divisor:.{2 if unit == "GB" and size < 10 * divisor else 1}f} {unit}'

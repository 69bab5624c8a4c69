"""Adds up what a training holds at all times and what its steps allocate."""

import math
from dataclasses import dataclass

from training.memory_plan import graphs, sketch
from training.memory_plan.lifetimes import EVERYWHERE, Moments, moments
from training.memory_plan.nodes import Bytes

# On CPUs, what TensorFlow has freed and keeps, and constants that it computes in advance, as a share of what
# the most expensive step allocates: after each step has run once, and what many steps add. Measured.
UNUSED_SHARE = 0.2
LATER_SHARE = 1.0
KINDS = ('G', 'D', 'Gs', 'moments of the optimizers', 'accumulated gradients', 'held images', 'others')


@dataclass(frozen=True)
class Phase:
    """A resolution that is trained, and what each step allocates there on one device."""
    resolution: int
    images: int          # That a device processes at a time.
    steps: dict          # {name: Moments}

    def peaks(self, images=None):
        """Return {name: Bytes} at the peak of each step."""
        images = self.images if images is None else images
        return {name: step.peak(images) for name, step in self.steps.items()}

    def largest(self, images=None):
        """Return the name and Bytes of the most expensive step."""
        images = self.images if images is None else images
        return max(self.peaks(images).items(), key=lambda item: item[1].at(images))


def most_images(fits, group_size):
    """Return the largest minibatch of a device for which `fits(images)` is true; 0 = none.

    It is smaller than a group of the minibatch standard deviation, or a multiple of it.
    """
    if not fits(group_size):
        return max((images for images in range(1, group_size) if fits(images)), default=0)
    low, high = 1, 2  # groups that fit, and that may not
    while fits(high * group_size):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle * group_size) else (low, middle)
    return low * group_size


@dataclass(frozen=True)
class Plan:
    """The memory of one device, the first one, of a training."""
    form: str            # Of the graph: graphs.GPU or graphs.CPU.
    held: dict           # {what: Bytes}, the same all the time.
    held_images: int     # Images that are held at a time, the most of all phases.
    phases: list         # Phase, the final one last.

    def held_bytes(self, images=None):
        """Return the bytes that are held all the time."""
        return sum(size.at(self.held_images if images is None else images) for size in self.held.values())

    def total(self, phase, images=None):
        """Return the largest number of bytes in a phase, with its own number of images or another one."""
        held = self.held_bytes(images)
        images = phase.images if images is None else images
        return held + phase.largest(images)[1].at(images)

    @property
    def final(self):
        """The phase of the full resolution."""
        return self.phases[-1]

    @property
    def largest(self):
        """The phase that needs most."""
        return max(self.phases, key=self.total)

    def most_images(self, budget, group_size, phase=None):
        """Return the largest minibatch of a device that fits into `budget` bytes in a phase, the last one by
        default; see `most_images`."""
        phase = phase or self.final
        return most_images(lambda images: self.total(phase, images) <= budget, group_size)


@dataclass(frozen=True)
class CpuPlan:
    """The memory of a training on a processor, whose virtual devices share it."""
    device: Plan        # What the first device holds.
    devices: Plan       # What all devices of the graph hold together.
    num_devices: int    # Of the training, which may be more.
    process: int        # Bytes of TensorFlow, the graph and what is compiled of its steps.
    command: int        # Bytes of images read ahead, pictures, snapshots and whatever else is no step.

    def phase(self):
        """Return the number of the phase that needs most."""
        phases = self.devices.phases
        return max(range(len(phases)), key=lambda number: self.devices.total(phases[number]))

    def tensors(self, number, images=None):
        """Return the bytes of all tensors at the peak of a phase, with its own number of images per device or
        another one."""
        one, all_ = (each.total(each.phases[number], images) for each in (self.device, self.devices))
        return all_ + max(self.num_devices - 2, 0) * (all_ - one)

    def unused(self, number, images=None):
        """Return the bytes that TensorFlow keeps after steps, beside its tensors."""
        return UNUSED_SHARE * self._allocated(number, images)

    def rest(self, number, images=None):
        """Return the bytes that a whole training takes beside those of a process that runs its steps once."""
        return self.command + LATER_SHARE * self._allocated(number, images)

    def whole(self, number, images=None):
        """Return the bytes of the whole training."""
        return self.total(number, images) + self.rest(number, images)

    def _allocated(self, number, images):
        return self.tensors(number, images) - self.devices.held_bytes(images)

    def total(self, number, images=None):
        """Return the bytes of a process that runs the steps of a phase once and nothing else."""
        return self.process + self.tensors(number, images) + self.unused(number, images)


def make(planned, settings, threads, show=lambda items: items):
    """Compute what the first device needs, and all devices of the graph together. -> two Plans.

    planned: graphs.Planned. threads: of the processor that runs the ops; 0 = a GPU. show: shows the progress
    of a list that is worked through.
    """
    trained = graphs.phases(settings, planned.resolution_log2)
    held_images = max(phase.minibatch_gpu for phase in trained.values())
    first, together = [], []
    for resolution in show(list(trained)):
        images = trained[resolution].minibatch_gpu
        steps = _steps(planned, resolution, min(trained), images, threads)
        first.append(Phase(resolution, images, {name: _on_first(places) for name, places in steps.items()}))
        together.append(Phase(resolution, images,
                              {name: places[EVERYWHERE] for name, places in steps.items()}))
    return (Plan(planned.form, _held(planned, is_first), held_images, first),
            Plan(planned.form, _held(planned, lambda device: True), held_images, together))


def is_first(device):
    """Return whether a name means the first device, as that of an op without a place."""
    return not device.endswith(':1')


def _on_first(places):
    """Return the Moments of the first device. An op without a place runs there, too, and is small."""
    return max((each for device, each in places.items() if is_first(device) and device != EVERYWHERE),
               key=len, default=Moments())


def _steps(planned, resolution, first_resolution, images, threads):
    """Return {step: {device: Moments}} at a resolution, for a growing network while it fades in."""
    lod = planned.resolution_log2 - (resolution.bit_length() - 1)
    lod += 0.5 if resolution > first_resolution else 0
    predicates = planned.predicates(lod) if planned.is_growing else {}
    return {name: moments(nodes, images, threads, predicates) for name, nodes in planned.steps.items()}


def _held(planned, is_counted):
    """Return {what: Bytes} of the variables of a graph on devices whose names are `is_counted`."""
    groups = {name: {*net.vars.values()} for name, net in zip('GD', planned.networks, strict=True)}
    held = dict.fromkeys(KINDS, Bytes())

    def add(kind, var):
        if is_counted(var.device):
            held[kind] = held[kind].plus(planned.size_of(var))

    for var in planned.graph.variables:
        original = planned.graph.copies.get(var, var)
        group = next((name for name, variables in groups.items() if original in variables), None)
        add(group or _kind(var), var)
    for var in groups['G']:
        add('Gs', var)
    optimizers = planned.graph.optimizers
    for var in sketch.moments(optimizers):
        add('moments of the optimizers', var)
        add('moments of the optimizers', var)
    for var in sketch.sums(optimizers):
        add('accumulated gradients', var)
    next_images = math.prod(planned.networks[1].input_shape[1:])  # bytes that wait for the next iteration
    devices = sum(map(is_counted, (f':{number}' for number in range(planned.num_devices))))
    held['held images'] = held['held images'].plus(Bytes(0.0, next_images * devices))
    return held


def _kind(var):
    """Return what a variable of the training graph is for, by its name."""
    name = var.op.name.rsplit('/', 1)[-1]
    return 'held images' if name.startswith(('reals', 'labels')) else 'others'

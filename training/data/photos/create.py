"""Creates a data set of the images in a folder or zip file."""

import contextlib
import math
import os

import numpy as np

from dnnlib.progress import Progress, announced
from dnnlib.util import UserError, num_cores
from training.data import folders
from training.data.image_source import LABELS as DATASET_JSON
from training.data.image_source import ImageSource
from training.data.photos import advice, decoding, labels, options
from training.data.photos.pool import Pool
from training.data.photos.reasons import DUPLICATE, NO_LABEL, UNREADABLE, Unusable
from training.data.photos.report import Report
from training.data.photos.worker import Worker

COMPANIONS = ('thumbs.db', 'desktop.ini')
WORTH_PROCESSES = 4 << 20  # bytes of files that take longer than processes take to start


def create(tfrecord_dir, image_dir, chosen):
    """Create the data set `tfrecord_dir` by the Options `chosen`, and print what was left out and why.

    Raises UserError, with nothing written, for options and files that cannot be used.
    """
    options.check(chosen)
    folders.require_place(tfrecord_dir)
    print(f'Loading images from "{image_dir}"')
    if os.path.realpath(tfrecord_dir) == os.path.realpath(image_dir):
        raise UserError(f'{tfrecord_dir}: this is the folder of the images; choose another folder')
    with announced('Looking for files...'):
        source = ImageSource(image_dir)
        known = labels.read(source, chosen.labels)
    names = _image_names(source, tfrecord_dir, known)
    if not names:
        raise UserError(f'No input images found in {image_dir}; expected image files in this folder, its '
                        'sub-folders or this zip file')
    report = Report(source, chosen.strict)
    report.num_files = len(names) + len(source.unreadable)
    for folder, reason in source.unreadable.items():
        report.leave_out(f'{folder}/', UNREADABLE, reason)
    names = _ordered(names, chosen)
    names = _labelled(names, known, report)
    recipe = options.recipe(chosen) if chosen.resolution else advice.recipe_for_all(
        source, sorted(names), chosen, report)
    names = [name for name in names if not report.has(name)]
    turned = _write(tfrecord_dir, source, names, recipe, chosen, known, report)
    name = os.path.basename(os.path.abspath(tfrecord_dir))
    report.show(os.path.join(tfrecord_dir, f'{name}-report.txt'))
    if turned:
        print(f'{turned} images with an EXIF orientation or a colour profile were taken as they are; '
              f'--resolution={recipe.width} applies both.')


def _image_names(source, tfrecord_dir, known):
    """Return the names of all files except those that are known not to be images."""
    others = {DATASET_JSON} | (known.files if known else set())
    inside = os.path.relpath(os.path.realpath(tfrecord_dir), os.path.realpath(source.path)) + os.sep
    return [name for name in source.names if name not in others
            and name.rpartition('/')[2].lower() not in COMPANIONS
            and not name.startswith(inside.replace(os.sep, '/'))]


def _ordered(names, chosen):
    """Return names in the published order or that of another seed; those left out later drop out of it."""
    order = np.arange(len(names))
    if chosen.shuffle:
        np.random.RandomState(chosen.shuffle_seed).shuffle(order)
    return [names[idx] for idx in order]


def _labelled(names, known, report):
    """Return the names that have labels, and leave the others out."""
    if known is None:
        return names
    for note in known.notes:
        print(note)
    for name in sorted(set(names) - known.values.keys()):
        report.leave_out(name, NO_LABEL, known.reason)
    return [name for name in names if name in known.values]


def _write(tfrecord_dir, source, names, recipe, chosen, known, report):
    """Write the data set, and return how many images should have been turned or converted."""
    with _results(Worker(source, recipe), names, chosen.jobs) as results:
        from training.data.export import TFRecordExporter  # loads TensorFlow while the processes start
        total = min(len(names), chosen.max_images or len(names))
        with TFRecordExporter(tfrecord_dir, total, progress_interval=total + 1,  # it is shown here
                              store=chosen.store) as exporter:
            used, turned = add_images(exporter, results, total, chosen, report)
            if not used:
                raise report.nothing_usable()
            if known is not None:
                rows, class_names = known.rows(used)
                exporter.add_labels(rows, class_names)
                print(labels.described(rows, class_names))
            report.num_used = len(used)
            if not report.is_empty():
                exporter.add_report(report.text())
    return turned


def add_images(exporter, results, total, chosen, report):
    """Add images until there are `total`; return the names of those used, and how many should be turned."""
    progress = Progress(total, 'images')
    used, turned, seen = [], 0, {}
    for name, result in results:
        progress.show(len(used))
        if result.reason is not None:
            report.leave_out(name, *result.reason)
            continue
        earlier = seen.setdefault(result.fingerprint, name)
        if earlier != name and chosen.drop_duplicates:
            report.leave_out(name, DUPLICATE, earlier)
            continue
        if earlier != name:
            report.note_duplicate(name, earlier)
        exporter.add_encoded(result.parts)
        used.append(name)
        turned += result.is_turned
        if len(used) == total:
            break
    progress.clear()
    return used, turned


@contextlib.contextmanager
def _results(worker, names, jobs):
    """Start processes if they are worth it, and give an iterator over (name, Result) in order."""
    if jobs is None:
        jobs = num_cores() if _is_worth_processes(worker.source, names) else 1
    jobs = min(jobs, len(names))
    if jobs <= 1:
        yield ((name, worker(name)) for name in names)
        return
    pixels = math.prod(worker.recipe.shape)
    result_bytes = pixels * 4 // 3 + 64 if worker.recipe.store == 'raw' else pixels
    with Pool(worker, result_bytes, jobs) as pool:
        yield pool.results(names)


def _is_worth_processes(source, names):
    total = 0
    for name in names:
        with contextlib.suppress(OSError, Unusable):
            total += decoding.num_bytes(source, name)
        if total > WORTH_PROCESSES:
            return True
    return False

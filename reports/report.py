"""Writes the report of training runs."""

import importlib.util
import os
import string

from dnnlib.files import atomic_write
from dnnlib.progress import announced
from dnnlib.util import UserError
from reports import figures, markup, pictures, runs

FILE_NAME = 'report.html'
_PAGE = os.path.join(os.path.dirname(__file__), 'page')
_NEEDS = {'plotly': 'plotly>=6', 'tensorboard': 'tensorboard>=2.20'}


def require():
    """Raise UserError unless the packages for reports are installed."""
    missing = [name for name in _NEEDS if importlib.util.find_spec(name) is None]
    if missing:
        words = ' '.join(f"'{_NEEDS[name]}'" for name in missing)
        raise UserError(f'a report needs {" and ".join(missing)}: pip install {words}')


def write(run_dir) -> None:
    """Write report.html into a run directory."""
    write_for([run_dir], os.path.join(run_dir, FILE_NAME))


def write_for(run_dirs, path):
    """Write the report of some run directories to a file. -> the runs, with notes on what is missing."""
    require()
    with announced('Reading event files and logs...'):
        found = runs.read_all(run_dirs)
    strips = pictures.strips(found)
    page = _page(found, strips).encode(errors='backslashreplace')  # names of files can be anything
    with atomic_write(path) as file:
        file.write(page)
    return found


def _page(found, strips):
    """Return the page as text."""
    from plotly.offline import get_plotlyjs
    of_metrics, (of_ticks, left_out) = figures.of_metrics(found), figures.of_ticks(found)
    return string.Template(_part('page.html')).substitute(
        title=markup.title(found), summary=markup.summary(found), navigation=markup.navigation(),
        pictures=markup.pictures(found, strips), metrics=markup.figures('metrics', of_metrics),
        curves=markup.figures('curves', of_ticks, left_out), settings=markup.settings(found),
        logs=markup.logs(found), style=_part('style.css'), script=_part('script.js'), plotly=get_plotlyjs(),
        data=markup.data(found, strips, of_metrics, of_ticks))


def _part(name):
    with open(os.path.join(_PAGE, name), encoding='utf-8') as file:
        return file.read()

"""A report of training runs as one HTML page that opens offline.

`report.py` is where it starts. `runs.py` reads a run directory, with the help of `events.py`,
`tick_lines.py`, `metric_files.py` and `run_settings.py`; `figures.py` and `pictures.py` choose what is shown;
`markup.py` writes the page, whose style and script are in `page/`. Nothing here loads TensorFlow.
"""

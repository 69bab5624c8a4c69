"""Videos of walks, which are drawn while the page stays usable."""

import functools
import os
import shutil
import tempfile
import threading

import numpy as np

from dnnlib.cli import line_for
from dnnlib.util import UserError
from latents import video_files
from latents.explorer import drawing_thread, walks

MAX_VIDEOS = 4  # kept at a time


def line_of(error):
    """Return the line of an error that the page shows."""
    line = line_for(error) or f'{type(error).__name__}: {error}'
    return line.removeprefix('Error: ').partition('\n')[0]


class _Cancelled(Exception):
    pass


class WalkVideo:
    """One video: a thread that asks for the frames, the least urgent pictures, and writes them."""

    def __init__(self, path, studio, state, drawing):
        """Start the thread."""
        self.path, self._studio, self._state, self._drawing = path, studio, state, drawing
        self._num_done, self._error, self._is_done = 0, None, False
        self._is_cancelled = threading.Event()
        self._thread = threading.Thread(target=self._run, name='video', daemon=True)
        self._thread.start()

    def progress(self):
        """Return what the page shows, as JSON can hold it."""
        return {'done': self._num_done, 'total': self._state.walk.num_frames, 'error': self._error,
                'isComplete': self._is_done, 'isCancelled': self._is_cancelled.is_set(),
                'name': os.path.basename(self.path)}

    def cancel(self):
        """Stop after the frame that is being drawn. Nothing is left on disk, unless the video is complete."""
        self._is_cancelled.set()

    def close(self):
        """Cancel, and wait for the thread."""
        self.cancel()
        self._thread.join()

    def _run(self):
        try:
            self._write()
            self._is_done = True
        except (_Cancelled, drawing_thread.Superseded):
            self._is_cancelled.set()
        except Exception as error:  # of a thread: the page shows it
            self._error = line_of(error)

    def _write(self):
        with video_files.opened(self.path, walks.FPS) as add:
            for frame in range(self._state.walk.num_frames):
                draw = functools.partial(self._studio.draw, self._state.at_frame(frame))
                image = self._drawing.ask(('video', id(self)), drawing_thread.FRAME, draw).result()
                if self._is_cancelled.is_set():
                    raise _Cancelled
                add(image[0] if len(image) == 1 else np.ascontiguousarray(image.transpose(1, 2, 0)))
                self._num_done = frame + 1


class WalkVideos:
    """All videos of a server, in a temporary folder."""

    def __init__(self, drawing):
        """Create the folder."""
        self._drawing = drawing
        self._folder = tempfile.mkdtemp(prefix='stylegan-explorer-')
        self._videos, self._count = {}, 0
        self._starting = threading.Lock()

    def start(self, studio, state):
        """Start a video of a state with a walk, and cancel the one that is being made. -> its number"""
        if state.walk is None:
            raise UserError('choose a walk first: a video shows one')
        with self._starting:
            self._make_room()
            self._count += 1
            name = f'walk{self._count:02d}-{state.walk.path}-seed{state.base.seed:04d}'
            path = os.path.join(self._folder, name + video_files.default_suffix())
            self._videos[self._count] = WalkVideo(path, studio, state, self._drawing)
            return self._count

    def _make_room(self):
        for video in self._videos.values():
            video.cancel()
        while len(self._videos) >= MAX_VIDEOS:
            oldest = self._videos.pop(min(self._videos))
            oldest.close()
            if os.path.exists(oldest.path):
                os.remove(oldest.path)

    def find(self, number):
        """Return a video. Raises UserError if it is gone."""
        if number not in self._videos:
            raise UserError('this video is gone; make it again')
        return self._videos[number]

    def close(self):
        """Cancel all videos and remove the folder."""
        for video in self._videos.values():
            video.close()
        shutil.rmtree(self._folder, ignore_errors=True)

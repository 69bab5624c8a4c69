"""The server of the page: pictures, files, videos and command lines for states that the page sends."""

import asyncio
import json
import os
import pathlib
import secrets

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from dnnlib.progress import announced
from dnnlib.util import UserError
from latents.explorer import access, drawing_thread, recipes, uploads, walk_videos
from latents.explorer import state as states

PAGE = pathlib.Path(__file__).parent / 'page'
MAX_JSON_BYTES = 1 << 18
QUALITIES = {'quick': (drawing_thread.QUICK, 'preview_png'), 'full': (drawing_thread.FULL, 'png'),
             'thumbnail': (drawing_thread.THUMBNAIL, 'thumbnail_png')}


class Explorer:
    """Everything that a server has: generators, the thread that draws, loaded files, videos."""

    def __init__(self, studios, session, files, port):
        """Start the thread. studios: [studio.Studio]. files: the uploads.Files that they know."""
        self.studios, self.files, self._port = studios, files, port
        self.token = secrets.token_urlsafe(24)
        self.drawing = drawing_thread.DrawingThread(session)
        self.videos = walk_videos.WalkVideos(self.drawing)

    @property
    def url(self):
        """Address of the page."""
        return f'http://127.0.0.1:{self._port}/?token={self.token}'

    def app(self):
        """Return the ASGI application."""
        routes = [
            Route('/', self._index), Mount('/page', StaticFiles(directory=PAGE)),
            Route('/about', self._about), Route('/draw', self._draw, methods=['POST']),
            Route('/recipe', self._recipe, methods=['POST']),
            Route('/projected_w.npz', self._save_dlatents, methods=['POST']),
            Route('/projected_noises.npz', self._save_noises, methods=['POST']),
            Route('/files', self._load_file, methods=['POST']),
            Route('/videos', self._start_video, methods=['POST']),
            Route('/videos/{number:int}', self._video_progress),
            Route('/videos/{number:int}/cancel', self._cancel_video, methods=['POST']),
            Route('/videos/{number:int}/file', self._video_file)]
        handlers = {drawing_thread.Superseded: _superseded, Exception: _unexpected, UserError: _user_error}
        guard = Middleware(access.Guard, token=self.token, port=self._port)
        return Starlette(routes=routes, middleware=[guard], exception_handlers=handlers)

    def server(self):
        """Return a uvicorn.Server, which is run with a socket that listens on the port."""
        config = uvicorn.Config(self.app(), log_level='warning', access_log=False, ws='none', lifespan='off',
                                server_header=False)
        return _Server(config, self)

    def close(self):
        """End all threads and remove temporary files. Waits for the picture that is being drawn."""
        self.drawing.close()
        self.videos.close()

    # Requests.

    async def _index(self, _request):
        return FileResponse(PAGE / 'index.html')

    async def _about(self, _request):
        return JSONResponse({'networks': [studio.about() for studio in self.studios]})

    async def _draw(self, request):
        content, studio, state = await self._wish(request)
        if content.get('quality') not in QUALITIES:
            raise UserError(f'quality: expected one of {", ".join(QUALITIES)}')
        priority, method = QUALITIES[content['quality']]
        slot = str(content.get('client')), str(content.get('panel')), content['quality']
        png = await self._drawn(slot, priority, lambda: getattr(studio, method)(state))
        return Response(png, media_type='image/png')

    async def _drawn(self, slot, priority, function):
        return await asyncio.wrap_future(self.drawing.ask(slot, priority, function))

    async def _recipe(self, request):
        _, studio, state = await self._wish(request)
        return JSONResponse(recipes.recipe(studio, state))

    async def _save_dlatents(self, request):
        _, studio, state = await self._wish(request)
        if not studio.has_styles:
            raise UserError('this network has no dlatents')
        dlatents = await self._drawn(object(), drawing_thread.QUICK, lambda: studio.dlatents(state))
        return _npz(uploads.npz_of(dlatents))

    async def _save_noises(self, request):
        _, studio, state = await self._wish(request)
        images = await asyncio.to_thread(studio.noise.of_state, state)
        return _npz(uploads.npz_of_noises(images))

    async def _load_file(self, request):
        name = request.query_params.get('name', '')
        content = await _body(request, uploads.MAX_BYTES, name)
        key, count = await asyncio.to_thread(self.files.add, name, content)
        return JSONResponse({'file': key, 'count': count})

    async def _start_video(self, request):
        _, studio, state = await self._wish(request)
        return JSONResponse({'video': await asyncio.to_thread(self.videos.start, studio, state)})

    async def _video_progress(self, request):
        return JSONResponse(self.videos.find(request.path_params['number']).progress())

    async def _cancel_video(self, request):
        self.videos.find(request.path_params['number']).cancel()
        return JSONResponse({})

    async def _video_file(self, request):
        path = self.videos.find(request.path_params['number']).path
        if not os.path.exists(path):
            raise UserError('this video is not complete')
        return FileResponse(path, filename=os.path.basename(path))

    async def _wish(self, request):
        """Return the content of a request, the studio that it names, and its state."""
        try:
            content = json.loads(await _body(request, MAX_JSON_BYTES, 'request'))
        except (ValueError, RecursionError) as error:
            raise UserError('expected JSON') from error
        index = content.get('network') if isinstance(content, dict) else None
        if not isinstance(index, int) or not 0 <= index < len(self.studios):
            raise UserError(f'network: expected a number from 0 to {len(self.studios) - 1}')
        return content, self.studios[index], states.parse(content.get('state'))


class _Server(uvicorn.Server):
    """Closes its explorer before it ends, which a signal may do to the process directly afterwards."""

    def __init__(self, config, explorer):
        super().__init__(config)
        self._explorer = explorer

    async def shutdown(self, sockets=None):
        """Answer the requests in work."""
        self._explorer.drawing.stop()
        with announced('Finishing the picture that is being drawn...'):
            await super().shutdown(sockets)
            await asyncio.to_thread(self._explorer.close)


async def _body(request, maximum, name):
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > maximum:
            raise UserError(f'{name}: more than {maximum >> 10} KB')
        parts.append(part)
    return b''.join(parts)


def _npz(content):
    return Response(content, media_type='application/octet-stream')


async def _superseded(_request, _error):
    return JSONResponse({'error': 'replaced by a newer request'}, 409)


async def _user_error(_request, error):
    return JSONResponse({'error': str(error)}, 400)


async def _unexpected(_request, error):
    return JSONResponse({'error': walk_videos.line_of(error)}, 500)  # uvicorn prints the traceback

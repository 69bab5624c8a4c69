"""Check what a comparison needs: the peer's checkout, and a Python that can run it."""

import json
import os
import shutil
import subprocess

from benchmarks.peer.sides import peer_command
from dnnlib.util import UserError

FILES = ('legacy.py', 'dnnlib/util.py', 'torch_utils/persistence.py', 'training/loss.py',
         'training/networks.py')
CLONE = 'git clone https://github.com/NVlabs/stylegan2-ada-pytorch'
INSTALL = 'pip install torch numpy scipy requests click pillow'
PIP_NAMES = {'PIL': 'pillow', 'distutils': 'setuptools', 'pkg_resources': '"setuptools<81"'}
NEEDED = (f"the peer's checkout ({CLONE}) and a Python with PyTorch "
          f'(python3 -m venv peer && peer/bin/{INSTALL})')


def check_repo(repo):
    """Return the absolute path of the checkout. Raises UserError if it is not a checkout of the peer."""
    if repo is None:
        raise UserError(f'--repo is missing; the comparison needs {NEEDED}')
    if not os.path.isdir(repo):
        raise UserError(f'--repo={repo}: no such folder; expected a checkout of the peer: {CLONE}')
    missing = [name for name in FILES if not os.path.isfile(os.path.join(repo, name))]
    if missing:
        raise UserError(f'--repo={repo}: not a checkout of stylegan2-ada-pytorch, as it has no {missing[0]}; '
                        f'clone it: {CLONE}')
    return os.path.abspath(repo)


def check_python(python, repo):
    """Return the absolute path of the interpreter and {'versions': ..., 'glibc': whether it uses glibc}.
    Raises UserError if it cannot load the checkout."""
    if python is None:
        raise UserError(f'--python is missing; the comparison needs {NEEDED}')
    path = shutil.which(python)
    if path is None or not os.path.isfile(path):
        raise UserError(f'--python={python}: not a program; expected a Python with PyTorch, such as '
                        f'peer/bin/python after: python3 -m venv peer && peer/bin/{INSTALL}')
    path = os.path.abspath(path)  # links are kept, as Python finds its virtual environment by the path
    found = _ask(python, path, repo)
    if 'missing' in found:
        module = found['missing'].partition('.')[0]
        raise UserError(f'--python={python}: has no module {module}, which the peer needs; install it: '
                        f'{python} -m pip install {PIP_NAMES.get(module, module)}')
    return path, found


def _ask(python, path, repo):
    """Return the answer of `peer_work.check`."""
    try:
        done = subprocess.run(peer_command(path, repo) + ['check'], capture_output=True, text=True,
                              errors='replace', stdin=subprocess.DEVNULL)
    except OSError as error:
        raise UserError(f'--python={python}: cannot be run ({error.strerror})') from error
    if done.returncode == 0:
        try:
            return dict(json.loads(done.stdout))
        except ValueError:
            raise UserError(f'--python={python}: not a Python interpreter, or a very old one') from None
    last = (done.stderr.strip() or f'status {done.returncode}').splitlines()[-1]
    raise UserError(f'--python={python}: cannot load {repo} ({last}); install compatible versions')

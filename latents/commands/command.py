"""What a command of run_generator.py or run_projector.py is, and what the commands have in common."""

import math
import os
from collections.abc import Callable
from dataclasses import dataclass

import dnnlib
from dnnlib import cli
from dnnlib.submission import submit
from dnnlib.util import UserError
from training.misc import pickles
from training.settings import picture_requests

FIRST_ABSENT_SEED = 2 ** 32  # of NumPy's RandomState


def _accept(*_):
    pass


@dataclass(frozen=True)
class Command:
    """A command, whose flags become the keyword arguments of the function that is submitted."""
    name: str
    help: str                       # A line for the list of commands.
    run: str                        # Name of the function, such as 'run_generator.generate_images'.
    add_arguments: Callable         # add_arguments(parser) adds the flags that only this command has.
    check: Callable = _accept       # check(args) raises UserError before the network is looked at...
    check_network: Callable = _accept   # ...and check_network(args, Gs) afterwards. Gs: inspection.Blueprint.
    psi: float | None = 0.5         # Default of --truncation-psi; None = there is no such flag.
    needs_network: bool = True      # Otherwise there are no flags about one, and no `check_network`.

    def add_to(self, commands) -> None:
        """Add the command to argparse's sub-commands."""
        sentence = f'{self.help[0].upper()}{self.help[1:]}.'
        parser = commands.add_parser(self.name, help=self.help, description=sentence)
        cli.add_cache_dir(parser)
        if self.needs_network:
            _add_network(parser)
        if self.psi is not None:
            parser.add_argument('--truncation-psi', type=float, default=self.psi, metavar='PSI',
                                help=f'strength of the truncation trick, 1 = off (default: {self.psi})')
        parser.add_argument('--result-dir', default='results', type=cli.folder, metavar='DIR',
                            help='folder of the run directories (default: results)')
        self.add_arguments(parser)

    def validate(self, args) -> None:
        """Raise UserError for arguments that the parser accepts and the command or network cannot fulfil.

        The name of a class in args.class_idx is replaced by its number.
        """
        submit.check_root(args.result_dir)
        if self.needs_network:
            pickles.check_path(args.network_pkl)
        psi = getattr(args, 'truncation_psi', None)
        if psi is not None and not math.isfinite(psi):
            raise UserError(f'--truncation-psi must be a number, not {psi}')
        self.check(args)
        if self.needs_network:
            self._validate_network(args)

    def submit(self, args) -> None:
        """Check the arguments and submit the run."""
        self.validate(args)
        kwargs = vars(args)
        sc = dnnlib.SubmitConfig()
        sc.local.do_not_copy_source_files = True
        sc.run_dir_root, sc.run_desc = kwargs.pop('result_dir'), kwargs.pop('command')
        dnnlib.submit_run(sc, self.run, **kwargs)

    def _validate_network(self, args):
        Gs = pickles.check_generator(args.network_pkl, args.trust_source)
        args.class_idx = picture_requests.number_of_class(args.class_idx, args.network_pkl, Gs.label_size)
        if Gs.is_generator:  # otherwise only its own source text knows what it draws
            picture_requests.check_class(args.class_idx, Gs.label_size)
        self.check_network(args, Gs)


def _add_network(parser):
    parser.add_argument('--network', dest='network_pkl', required=True, metavar='PKL',
                        help='network file: a path, a URL or the key of a published one')
    cli.add_trust_source(parser)
    parser.add_argument('--class', dest='class_idx', metavar='NAME|N',
                        help='class, by name or number, for a network trained with labels (default: none)')


def check_seeds(seeds) -> None:
    """Raise UserError for seeds that NumPy does not take."""
    if not 0 <= min(seeds) <= max(seeds) < FIRST_ABSENT_SEED:
        raise UserError(f'seeds must be from 0 to {FIRST_ABSENT_SEED - 1}, not {min(seeds)} to {max(seeds)}')


def check_has_styles(args, Gs) -> None:
    """Raise UserError for a generator without a mapping network."""
    if Gs.is_generator and not Gs.num_styles:
        raise UserError(f'{args.network_pkl}: {picture_requests.NO_STYLES}')


def check_output(name) -> None:
    """Raise UserError unless --output is the name of a file in the run directory."""
    if not name or os.path.basename(name) != name:
        raise UserError(f'--output={name}: expected the name of a file in the run directory; use '
                        '--result-dir for another folder')

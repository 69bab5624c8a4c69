"""Project images into the latent space of a trained generator."""

import script_start  # noqa: F401  (must come first)

# isort: split
import argparse

import pretrained_networks
from dnnlib import cli, faults
from dnnlib.util import UserError
from latents.projection import commands, resuming
from training.data import data_flags

# TensorFlow takes seconds to load: the functions that project import what needs it.

EXAMPLES = """examples:

  # Project generated images
  python run_projector.py project-generated-images --network=gdrive:networks/stylegan2-car-config-f.pkl \\
    --seeds=0,1,5

  # Project real images
  python run_projector.py project-real-images --network=gdrive:networks/stylegan2-car-config-f.pkl \\
    --dataset=car --data-dir=~/datasets

  # Project photos, four at a time and without the network file that LPIPS needs
  python run_projector.py project-images --network=results/00000-run/network-final.pkl --images=photos \\
    --features=lite0 --space=w+ --minibatch-size=4

  # Continue a run that was interrupted
  python run_projector.py --resume=results/00001-project-images
"""


def _load(network_pkl, trust_source):
    print(f'Loading networks from "{network_pkl}"...')
    return pretrained_networks.load_generator(network_pkl, trust_source)


def project_image(proj, targets, png_prefix, num_snapshots):
    """Project images [1,C,H,W], range -1 to 1, with a Projector, and write files named `<png_prefix>*`."""
    from latents.projection import runs
    proj.start(targets)
    runs.project_images(proj, targets, [png_prefix], num_snapshots)


@faults.described('lower --minibatch-size')
def project_generated_images(network_pkl, seeds, num_snapshots, truncation_psi, class_idx=None,
                             trust_source=False, **settings):
    """Project the image of every seed. settings: those of `runs.Settings`."""
    from latents.projection import runs, targets
    Gs = _load(network_pkl, trust_source)
    runs.project(Gs, targets.of_seeds(Gs, seeds, truncation_psi, class_idx), len(seeds),
                 runs.Settings(num_snapshots=num_snapshots, **settings))


@faults.described('lower --minibatch-size')
def project_real_images(network_pkl, dataset_name, data_dir, num_images, num_snapshots, class_idx=None,
                        trust_source=False, **settings):
    """Project the first images of a data set. settings: those of `runs.Settings`."""
    from latents.projection import runs, targets
    Gs = _load(network_pkl, trust_source)
    runs.project(Gs, targets.of_data_set(Gs, data_dir, dataset_name, num_images, class_idx), num_images,
                 runs.Settings(num_snapshots=num_snapshots, **settings))


@faults.described('lower --minibatch-size')
def project_images(network_pkl, images, num_snapshots, class_idx=None, trust_source=False, **settings):
    """Project the images in a file, folder or zip file. settings: those of `runs.Settings`."""
    from latents.projection import image_files, runs, targets
    files = image_files.ImageFiles(images)
    Gs = _load(network_pkl, trust_source)
    runs.project(Gs, targets.of_files(Gs, files, class_idx), len(files.names),
                 runs.Settings(num_snapshots=num_snapshots, **settings))


def make_parser():
    """Return the parser of the command line."""
    parser = cli.ArgumentParser(
        description=__doc__, epilog=EXAMPLES, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--resume', metavar='RUN_DIR', help='continue the interrupted run in this directory')
    subparsers = parser.add_subparsers(dest='command', metavar='COMMAND')
    for command in commands.ALL.values():
        command.add_to(subparsers)
    return parser


def main(argv=None):
    """Parse the arguments, check them and submit the run."""
    parser = make_parser()
    args = parser.parse_args(argv)
    cli.use_cache_dir(args)
    if args.resume is not None:
        if args.command is not None:
            raise UserError(f'--resume: leave out {args.command} and its flags; the run has its own')
        resuming.resume(args.resume)
        return
    if args.command is None:
        raise UserError('missing subcommand.  Re-run with --help for usage.')
    if 'dataset' in args:
        data_flags.require(parser, args, 'data-dir', 'dataset')
    del args.resume
    commands.ALL[args.command].submit(args)


if __name__ == '__main__':
    cli.run_script(main)

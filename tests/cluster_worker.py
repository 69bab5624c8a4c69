"""Run one process of a small training: python -m tests.cluster_worker RESULT_DIR DATA_DIR NUM_GPUS [JSON].

TF_CONFIG says which process it is. The JSON holds further arguments of the training loop.
"""

import json
import sys

import dnnlib
from dnnlib import cli
from dnnlib.parallel import workers
from tests.golden_figures import QUICK
from tests.resumed_runs import AUGMENT, TINY_D, TINY_G


def settings(data_dir, **kwargs):
    """Return the arguments of a small config-f run that uses every source of random numbers."""
    optimizer = dict(tf_optimizer='tf.train.GradientDescentOptimizer')  # Adam turns rounding into sign flips
    args = dict(
        G_args=TINY_G, D_args=TINY_D, G_opt_args=optimizer, D_opt_args=optimizer, data_dir=data_dir,
        G_loss_args=dict(func_name='training.loss.G_logistic_ns_pathreg'),
        D_loss_args=dict(func_name='training.loss.D_logistic_r1'),
        dataset_args=dict(tfrecord_dir='tiny', resolution=4, max_label_size='full', shuffle_mb=1),
        sched_args=dict(minibatch_size_base=16, minibatch_gpu_base=2, tick_kimg_base=0.032, tick_kimg_dict={},
                        G_lrate_base=0.01, D_lrate_base=0.01),
        grid_args=dict(size='one', layout='random'), total_kimg=0.096, minibatch_repeats=1,
        mirror_augment=True, augment_args=AUGMENT, image_snapshot_ticks=None, network_snapshot_ticks=1000,
        worker_timeout=600.0,
        tf_config={'rnd.tf_random_seed': 1, **QUICK})
    return {**args, **kwargs}


def main():
    """Train with the arguments of the command line."""
    result_dir, data_dir, num_gpus, *more = sys.argv[1:]
    sc = dnnlib.SubmitConfig()
    sc.run_dir_root, sc.run_desc, sc.num_gpus = result_dir, 'test', int(num_gpus)
    sc.local.do_not_copy_source_files = True
    run = dnnlib.submit_run if workers.from_environment().is_first else workers.follow
    run(sc, 'training.training_loop.training_loop', **settings(data_dir, **json.loads(''.join(more) or '{}')))


if __name__ == '__main__':
    cli.run_script(main)

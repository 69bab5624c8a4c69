"""Compare onnxruntime with `Network.run` on the images of config F."""

import time

import numpy as np

from benchmarks import generation, timing
from benchmarks.spread import spread
from bridges import onnx, onnx_sessions

MAX_ROUNDS = 15
PSI = 0.5


def compare(resolution, minibatch, seconds, min_rounds):
    """Time float32 images with fixed noise by both in turn. -> dict for JSON: seconds per image, and how much
    faster onnxruntime is."""
    G = generation.network('G', resolution)
    session = onnx_sessions.opened(onnx.converted(G).SerializeToString())
    latents = np.random.RandomState(1).randn(minibatch, *G.input_shape[1:]).astype(np.float32)
    feed = {'latents': latents, 'truncation_psi': np.array(PSI, np.float32)}

    def with_tensorflow():
        G.run(latents, None, minibatch_size=minibatch, truncation_psi=PSI, randomize_noise=False)

    def with_onnxruntime():
        session.run(None, feed)

    both = (with_tensorflow, with_onnxruntime)
    for call in both:
        call()  # the first call includes one-time work
    rounds, start = [], time.perf_counter()
    while len(rounds) < min_rounds or (
            len(rounds) < MAX_ROUNDS and time.perf_counter() - start < seconds):
        rounds.append([timing.cost_of(call) / minibatch for call in both])
    costs = np.array(rounds)[:, :, :2]  # [rounds, engines, elapsed and processor time]
    ratios = costs[:, 0] / costs[:, 1]
    return {'tensorflow': spread(costs[:, 0, 0].tolist()), 'onnxruntime': spread(costs[:, 1, 0].tolist()),
            'speed_of_onnxruntime': spread(ratios[:, 0].tolist()),
            'speed_by_processor_time': spread(ratios[:, 1].tolist())}

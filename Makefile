# Targets: setup, demo, test, test-long, test-cluster, test-slurm, test-pytorch, stress, soak, trace, bench,
# gpu-check, docs, lint, clean.
# They need only make and Python 3.11 or newer; test-slurm needs Slurm, too.
# GPU=1 with any of them installs TensorFlow's CUDA libraries as well, several GB; they stay installed.

PYTHON   ?= python3
KIMG     ?= 60
WORKERS  ?= 2
VENV     := .venv
RUN      := $(VENV)/bin/python
DEMO     := demo
API      := pretrained_networks projector dnnlib dnnlib.util dnnlib.tflib dnnlib.tflib.ops latents training metrics
NETWORK   = $$(ls -t $(DEMO)/training/*/network-final.pkl | head -n 1)
TRAINED   = $$(ls -td $(DEMO)/training/*/ | head -n 1)

.PHONY: setup demo test bench docs lint clean

# Variables of the environment that happen to be called GPU may hold anything; a word on the command line may not.
ifeq ($(origin GPU),command line)
  $(if $(filter-out 0 1,$(GPU)),$(error GPU=$(GPU): expected 1 for the CUDA libraries, or 0))
endif

setup: $(VENV)/.ready $(if $(filter 1,$(GPU))$(wildcard $(VENV)/.gpu),$(VENV)/.gpu)

$(VENV)/.ready: setup.cfg pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed: make PYTHON=python3.12 ...") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --disable-pip-version-check -q -e '.[test,tensorboard,lite0,video,explorer,report,onnx,safetensors]'
	touch $@

$(VENV)/.gpu: $(VENV)/.ready
	$(VENV)/bin/pip install --disable-pip-version-check -q -e '.[gpu]'
	touch $@

# Create data sets, train, generate images and compute metrics with the public scripts.
# KIMG: length of the training in thousands of images.
demo: setup
	$(RUN) dataset_tool.py create_mnist $(DEMO)/datasets/fashion-mnist data/fashion-mnist
	$(RUN) dataset_tool.py create_mnist $(DEMO)/datasets/fashion-mnist-test data/fashion-mnist/test
	$(RUN) run_training.py --result-dir=$(DEMO)/training --data-dir=$(DEMO)/datasets --dataset=fashion-mnist \
	  --config=config-f --metrics=none --total-kimg=$(KIMG) --gamma=0.01 --lrate=0.004 --smoothing-kimg=1 \
	  --fmap-base=512 --fmap-max=64 --mapping-layers=2 --minibatch-size=16 --minibatch-gpu=16 \
	  --tick-kimg=5 --snapshot-ticks=4
	$(RUN) run_generator.py generate-images --result-dir=$(DEMO)/pictures --network=$(NETWORK) \
	  --seeds=1-16 --truncation-psi=1.0 --grid=4x4
	$(RUN) run_generator.py style-mixing-example --result-dir=$(DEMO)/pictures --network=$(NETWORK) \
	  --row-seeds=1-5 --col-seeds=6-10 --col-styles=0-1 --truncation-psi=1.0
	$(RUN) run_metrics.py --result-dir=$(DEMO)/metrics --data-dir=$(DEMO)/datasets --dataset=fashion-mnist \
	  --metrics=fd50k_lite0 --num-samples=1000 --network=$(NETWORK) --images=fashion-mnist-test
	$(RUN) run_generator.py video --result-dir=$(DEMO)/videos --network=$(NETWORK) --seeds=0-31 --grid=4x2 --seconds=1
	$(RUN) run_report.py $(TRAINED)
	@echo
	@echo 'Training run, with pictures of its progress:  '$(TRAINED)
	@echo 'Report about it, to open in a browser:        '$(TRAINED)report.html
	@echo '16 uncurated images:                          '$$(ls -t $(DEMO)/pictures/*-generate-images/grid.png | head -n 1)
	@echo 'Style mixing:                                 '$$(ls -t $(DEMO)/pictures/*-style-mixing-example/grid.png | head -n 1)
	@echo 'Video of a walk through the latents:          '$$(ls -t $(DEMO)/videos/*-video/video.* | head -n 1)
	@echo 'Frechet distances of the network and, for comparison, of the test set:'
	@sed -n '/^network  *metric/,/^images of/s/^/  /p' $$(ls -t $(DEMO)/metrics/*/log.txt | head -n 1)
	@echo
	@echo 'Next steps: move through the latents in your browser, and project images that the network has not seen:'
	@echo '  $(RUN) explorer.py --network='$(NETWORK)
	@echo '  $(RUN) run_projector.py project-real-images --result-dir=$(DEMO)/projections --features=pixels \'
	@echo '    --data-dir=$(DEMO)/datasets --dataset=fashion-mnist-test --network='$(NETWORK)
	@echo 'A data set of your own images, a longer training, its progress in TensorBoard:'
	@echo '  $(RUN) dataset_tool.py create_from_images datasets/photos path/to/photos --resolution=64'
	@echo '  $(RUN) run_training.py --result-dir=$(DEMO)/training --resume=latest --total-kimg='$$(($(KIMG) + 100))
	@echo '  $(RUN) -m tensorboard.main --logdir $(DEMO)/training'

test: setup
	$(RUN) -m pytest -n $(WORKERS) --dist loadfile tests

# Run the tests that `make test` skips: whole trainings, timeouts, several processes, the PyTorch peer.
.PHONY: test-long
test-long: setup
	$(RUN) -m pytest -n $(WORKERS) --dist loadfile -m long tests

# Train in several processes on this machine, which lose one another and resume. Takes ten minutes.
.PHONY: test-cluster
test-cluster: setup
	$(RUN) -m pytest -v -m 'long or not long' tests/test_worker_link.py tests/test_cluster.py tests/test_cluster_long.py

# Run the tests that start their own Slurm. Takes about ten minutes.
# If Slurm is missing, it is installed with apt-get for root; other users get a message.
.PHONY: test-slurm
test-slurm: setup
	@[ $$(id -u) != 0 ] || { command -v munged && command -v slurmctld && command -v slurmd; } > /dev/null || \
	  { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends slurm-wlm munge; }
	SLURM_TESTS=1 $(RUN) -m pytest -v tests/slurm

# Compare networks with PyTorch, whichever side wrote the file. STYLEGAN2_ADA_PYTORCH, STYLEGAN3: checkouts.
# PYTORCH_PYTHON: a Python with PyTorch and safetensors, in place of installing both here.
.PHONY: test-pytorch
test-pytorch: setup $(if $(PYTORCH_PYTHON),,$(VENV)/.pytorch)
	STYLEGAN2_ADA_PYTORCH=$${STYLEGAN2_ADA_PYTORCH:-tests/pytorch/checkout} $(RUN) -m pytest -v tests/pytorch

$(VENV)/.pytorch: $(VENV)/.ready
	$(VENV)/bin/pip install --disable-pip-version-check -q -e '.[pytorch]'
	touch $@

# Measure the speed of all parts in ten minutes and write docs/performance.md.
# QUICK=1 makes fewer measurements and does not change the page.
bench: $(VENV)/.bench
	$(RUN) -m benchmarks $(if $(QUICK),--quick)

$(VENV)/.bench: $(VENV)/.ready
	$(VENV)/bin/pip install --disable-pip-version-check -q -e '.[bench]'
	touch $@

# Check in ten minutes whether this machine computes correctly and trains, and how fast: gpu-check/REPORT.md.
# Where NVIDIA's driver is loaded, TensorFlow's CUDA libraries are installed first.
CHECK ?= gpu-check
.PHONY: gpu-check
gpu-check: setup $(if $(wildcard /proc/driver/nvidia/version /dev/nvidiactl /dev/dxg),$(VENV)/.gpu)
	$(RUN) -m benchmarks.gpu_check --out=$(CHECK)

# Kill a small run repeatedly and check that nothing is lost. Takes about 5 seconds per kill.
KILLS ?= 200
.PHONY: stress
stress: setup
	$(RUN) -m tests.stress_resume --kills=$(KILLS)

# Train for ten thousand iterations, compute features of 50,000 images and check that nothing grows.
# Takes 15 minutes and writes docs/soak.md.
.PHONY: soak
soak: $(VENV)/.bench
	$(RUN) -m benchmarks.soak

# Train on virtual devices for a moment and draw when each computes, and when its next images arrive.
.PHONY: trace
trace: $(VENV)/.bench
	$(RUN) -m benchmarks.step_trace

# Build the pages of the Python API, which open offline: docs/api/index.html.
docs: $(VENV)/.docs
	rm -rf docs/api
	TF_CPP_MIN_LOG_LEVEL=3 $(RUN) -m pdoc --no-show-source --no-include-undocumented --output-directory=docs/api $(API)
	@echo 'Open docs/api/index.html in a browser.'

$(VENV)/.docs: $(VENV)/.ready
	$(VENV)/bin/pip install --disable-pip-version-check -q -e '.[docs]'
	touch $@

lint: setup
	$(VENV)/bin/ruff check .

clean:
	rm -rf $(DEMO) gpu-check docs/api build *.egg-info .pytest_cache .ruff_cache

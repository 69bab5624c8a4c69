# CPU:  docker build -t stylegan-tf .
# GPU:  docker build -t stylegan-tf-gpu --build-arg GPU=1 .
#       docker run --rm --gpus all stylegan-tf-gpu python -m dnnlib.doctor
#       or on another base image: --build-arg BASE=tensorflow/tensorflow:2.21.0-gpu
# The base image needs Python 3.11 or newer, as `python`, and pip.
ARG BASE=python:3.11-slim
FROM ${BASE}
ARG GPU=0

WORKDIR /stylegan
COPY . .
RUN case "${GPU}" in 0) gpu= ;; 1) gpu=,gpu ;; *) echo "GPU=${GPU}: expected 0 or 1" >&2; exit 1 ;; esac; \
    pip install --no-cache-dir -e ".[tensorboard,lite0,datasets,ls,video,explorer,report,onnx,safetensors${gpu}]"
CMD ["python", "run_training.py", "--help"]

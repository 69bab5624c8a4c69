# CPU:  docker build -t stylegan-tf .
# GPU:  docker build -t stylegan-tf-gpu --build-arg TENSORFLOW='tensorflow[and-cuda]' .
#       or on another base image: --build-arg BASE=tensorflow/tensorflow:2.21.0-gpu
# The base image needs Python 3.11 or newer, as `python`, and pip.
ARG BASE=python:3.11-slim
FROM ${BASE}
ARG TENSORFLOW=tensorflow

WORKDIR /stylegan
COPY . .
RUN pip install --no-cache-dir "${TENSORFLOW}>=2.21,<2.22" -e '.[tensorboard,lite0,datasets,ls,video,explorer,report,onnx,safetensors]'
CMD ["python", "run_training.py", "--help"]

# bd for NVIDIA's GPUs: docker build -f docker/cuda.Dockerfile -t bd:cuda .
# Every base is fixed by hash, every wheel by scripts/libtorch-*.txt, every crate by Cargo.lock. docker/README.md says more.

FROM python:3.11.15-slim-bookworm@sha256:d29f48a31a8b408ed19272ca1e7b10ebae13b240a27e862d3d4217c528e2e0c3 AS libtorch
WORKDIR /src
COPY scripts/libtorch scripts/libtorch-cpu.txt scripts/libtorch-nvrtc.txt scripts/libtorch-cuda.txt scripts/
RUN scripts/libtorch --cuda

FROM rust:1.95.0-bookworm@sha256:6258907abe69656e41cd992e0b705cdcfabcbbe3db374f92ed2d47121282d4a1 AS build
WORKDIR /src
COPY . .
COPY --from=libtorch /src/.libtorch .libtorch
RUN docker/compile
RUN docker/root cuda /image

FROM debian:bookworm-20260918-slim@sha256:3783cc01769c7b2b1b83a5c5ad96c815348e28ed7da68e2e3687004faa906251
COPY --from=build /image/ /
ENV PATH=/opt/bd/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
# NVIDIA's runtime adds the driver's libraries because of these, so no CUDA base image is needed.
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 65532:65532
# Runs are written to runs/ of the folder that bd stands in.
WORKDIR /
VOLUME /runs
STOPSIGNAL SIGTERM
ENTRYPOINT ["/opt/bd/bin/bd"]
CMD ["--help"]

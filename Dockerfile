# A Python, a virtual environment that root owns, and the number of a user who may write to one directory. What runs in it
# needs no shell, no HOME and no writable root.
#
#   docker build --tag triggerdev-exporter:0.1.0 .
#
# An image that others pull is built on a base that nobody can move (a tag can be), for both architectures, and says what it
# is made of:
#
#   docker buildx build --platform linux/amd64,linux/arm64 --sbom=true --provenance=mode=max --push --tag … \
#     --build-arg BASE_DIGEST=@sha256:… --build-arg VERSION=0.1.0 --build-arg SOURCE=https://… \
#     --build-arg REVISION="$(git rev-parse HEAD)" --build-arg CREATED="$(git log -1 --format=%cI)" .
ARG BASE=python:3.13-slim
# `@sha256:…`, as `docker buildx imagetools inspect python:3.13-slim` tells it; both stages stand on it. Without one the base
# is what the tag means on the day of the build: good for a try, and the next build may be another image.
ARG BASE_DIGEST=""

FROM ${BASE}${BASE_DIGEST} AS build
ENV PIP_CACHE_DIR=/cache \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_INPUT=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
# pip stays here: the environment that is shipped cannot install anything.
RUN python -m venv /tools && python -m venv --without-pip /app && mkdir /state
COPY requirements/build.txt requirements/runtime.txt requirements/
RUN --mount=type=cache,target=/cache \
    /tools/bin/pip install --require-hashes --requirement requirements/build.txt \
 && /tools/bin/pip --python /app/bin/python install --require-hashes --requirement requirements/runtime.txt
COPY pyproject.toml README.md LICENSE ./
COPY exporter exporter/
COPY alerts alerts/
COPY grafana/dashboards grafana/dashboards/
COPY grafana/import grafana/import/
COPY grafana/provisioning grafana/provisioning/
# Shown by triggerdev_exporter_build_info. Last, so that a new commit alone fetches nothing anew.
ARG REVISION=""
RUN sed -i "s/^__revision__ = .*/__revision__ = \"${REVISION}\"/" exporter/triggerdev_exporter/__init__.py \
 && /tools/bin/python -m hatchling build --target wheel \
 && /tools/bin/pip --python /app/bin/python install --no-deps --no-index dist/*.whl

FROM ${BASE}${BASE_DIGEST}
ARG VERSION=""
ARG REVISION=""
ARG CREATED=""
ARG SOURCE=""
LABEL org.opencontainers.image.title="triggerdev-exporter" \
      org.opencontainers.image.description="Prometheus metrics and alerts for Trigger.dev, seen from outside" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.source="${SOURCE}"
COPY --from=build /app /app
# A volume that is made here belongs to the user; in Kubernetes fsGroup sees to that.
COPY --from=build --chown=65532:65532 /state /var/lib/triggerdev-exporter
# Bytecode was written when pip installed it, and cannot be where the root is read-only.
ENV PATH=/app/bin:${PATH} \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    STATE_DIRECTORY=/var/lib/triggerdev-exporter
VOLUME ["/var/lib/triggerdev-exporter"]
EXPOSE 9925
# A number, since Kubernetes cannot tell that a name is not root.
USER 65532:65532
# No HEALTHCHECK: Kubernetes ignores it, and GET /-/healthy is there for whoever wants to look.
ENTRYPOINT ["/app/bin/triggerdev-exporter"]
CMD ["run"]

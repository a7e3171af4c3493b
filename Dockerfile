# Ermine's image. `docker build -t ermine .` needs nothing but this repository.
#
# The two bases can be replaced: a builder needs cargo of the version in rust-toolchain.toml and a C compiler, a runtime
# base needs glibc (not older than the builder's) and a shell.
ARG BUILD_BASE=docker.io/library/rust:1.95-bookworm
ARG RUNTIME_BASE=docker.io/library/busybox:1.37-glibc

FROM ${BUILD_BASE} AS build
WORKDIR /src
COPY . .
# The builder's toolchain is the pinned one; without the file rustup does not go looking for lints and formatters.
RUN rm -f rust-toolchain.toml \
 && cargo build --locked --release -p ermine \
 && mkdir -p /out/state /out/lib /out/certs \
 && cp target/release/ermine /out/ermine \
 && cp -L "$(gcc -print-file-name=libgcc_s.so.1)" /out/lib/ \
 && cp -L /etc/ssl/certs/ca-certificates.crt /out/certs/

FROM ${RUNTIME_BASE}
# What a publisher knows and this file does not.
ARG VERSION=0.1.0
ARG REVISION=unknown
ARG SOURCE=
LABEL org.opencontainers.image.title="Ermine" \
      org.opencontainers.image.description="MongoDB wire protocol over PostgreSQL with the DocumentDB extension" \
      org.opencontainers.image.url="${SOURCE}" \
      org.opencontainers.image.source="${SOURCE}" \
      org.opencontainers.image.vendor="Ermine" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"

COPY --from=build /out/lib/libgcc_s.so.1 /lib/
COPY --from=build /out/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build --chown=1000:0 /out/state /state
COPY --from=build --chown=1000:0 /out/ermine /ermine
# The second name is what manifests for FerretDB start. An arbitrary uid of group 0 may do what the named user may.
RUN chmod g=u /ermine /state \
 && echo 'ermine:x:1000:1000:Ermine:/nonexistent:/bin/false' >> /etc/passwd \
 && echo 'ermine:x:1000:' >> /etc/group \
 && ln -s /ermine /ferretdb

# FerretDB's names, so that a manifest which sets them replaces them; a native ERMINE_* setting wins over both.
ENV FERRETDB_LISTEN_ADDR=:27017 \
    FERRETDB_DEBUG_ADDR=:8088 \
    FERRETDB_STATE_DIR=/state

WORKDIR /
VOLUME /state
EXPOSE 27017 27018 8088
HEALTHCHECK --interval=1m --timeout=5s --start-period=30s --retries=1 CMD ["/ermine", "ping"]
USER 1000:1000
ENTRYPOINT ["/ermine"]

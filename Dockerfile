# Vigie in a container: `docker build -t vigie .`; docs/container.md says how it is run.
#
# Each stage names its base by the usual short name; registries, mirrors and proxies are the engine's affair.

# --- the dashboard's front end
FROM node:22-bookworm-slim AS front-end
WORKDIR /ui
COPY crates/metrics/ui/package.json crates/metrics/ui/package-lock.json crates/metrics/ui/.npmrc ./
RUN npm ci
COPY crates/metrics/ui ./
RUN npm run build

# --- the programs
FROM rust:1.95-bookworm AS programs
WORKDIR /src
COPY . .
COPY --from=front-end /ui/dist crates/metrics/ui/dist
# Line tables are four fifths of a program; the names of functions stay in.
ENV VIGIE_UI=built CARGO_PROFILE_RELEASE_DEBUG=false CARGO_PROFILE_RELEASE_STRIP=debuginfo
# What was built stays with the builder, so that a change compiles only what it concerns.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/src/target \
    cargo build --release --locked \
      --bin vigie-supervisor --bin vigie-ingest --bin vigie-metrics --bin vigie-demo-mailbox \
 && mkdir /out \
 && cp target/release/vigie-supervisor target/release/vigie-ingest target/release/vigie-metrics \
      target/release/vigie-demo-mailbox /out/

# --- what is run
FROM debian:bookworm-slim
RUN apt-get update \
 && apt-get install -y --no-install-recommends ca-certificates libssl3 \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/log/* \
 && groupadd --system --gid 10001 vigie \
 && useradd --system --uid 10001 --gid vigie --home-dir /var/lib/vigie --shell /usr/sbin/nologin vigie \
 && install --directory --owner=vigie --group=vigie --mode=0700 /var/lib/vigie
COPY LICENSE-APACHE LICENSE-MIT /usr/share/doc/vigie/
COPY config/container.toml /etc/vigie/vigie.toml
COPY config/demo.toml config/vigie.toml /usr/share/vigie/config/
# Where the demo's file seeks what its mailbox server makes in the data folder.
RUN mkdir /usr/share/vigie/target && ln -s /var/lib/vigie /usr/share/vigie/target/demo
COPY --from=programs /out/ /usr/bin/

LABEL org.opencontainers.image.title="Vigie" \
      org.opencontainers.image.description="Keeps watch over mailboxes: every message a JSON document, every number a chart" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0"

# Where the engine forwards a published port to is not loopback. An address of IPv4, since many containers have no
# other: in a network of IPv6 alone say VIGIE_SUPERVISOR__LISTEN=[::]:2812.
ENV VIGIE_CONFIG=/etc/vigie/vigie.toml \
    # The volume, whatever the mounted file says.
    VIGIE_VIGIE__DATA=/var/lib/vigie \
    VIGIE_SUPERVISOR__LISTEN=0.0.0.0:2812 \
    # Nobody is at a keyboard here: the first password is set by the link that each start prints until there is one.
    VIGIE_WEB__SETUP=true \
    # TLS ends before the container, in the proxy that publishes it; from there to here it is plain http.
    VIGIE_WEB__INSECURE_HTTP=true \
    # Engines kill after 10 s.
    VIGIE_SUPERVISOR__STOP_BUDGET=8s \
    LANG=C.UTF-8

USER 10001:10001
# SQLite takes the present folder for its temporary files where the system has none that can be written.
WORKDIR /var/lib/vigie
VOLUME /var/lib/vigie
EXPOSE 2812
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s CMD ["/usr/bin/vigie-supervisor", "health"]
ENTRYPOINT ["/usr/bin/vigie-supervisor"]
CMD ["run"]

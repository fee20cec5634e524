# The base of both stages: Node 24 or newer and npm on Debian or Alpine. Another registry's mirror, or an image of
# your own, goes here.
ARG BASE=node:26-slim

FROM ${BASE} AS build
WORKDIR /build
COPY package.json package-lock.json ./
# The pinned Node of the npm scripts is not needed: the image has its own, so no install script runs.
RUN npm ci --ignore-scripts
COPY tsconfig.json ./
COPY config ./config
COPY src ./src
RUN npm run build && npm prune --omit=dev --ignore-scripts

FROM ${BASE}
# Port 53 needs a capability that a user other than root has only through the file. A copy of node gets it, so that
# the image's own node stays as it is.
RUN cp "$(command -v node)" /usr/local/bin/cloudmapd-node \
 && if ! command -v setcap >/dev/null; then \
      if command -v apk >/dev/null; then apk add --no-cache libcap-setcap; \
      else apt-get update && apt-get install -y --no-install-recommends libcap2-bin && rm -rf /var/lib/apt/lists/*; fi; \
    fi \
 && setcap cap_net_bind_service=+ep /usr/local/bin/cloudmapd-node \
 && mkdir -p /data /app/compiled && chown 10053:10053 /data /app/compiled
WORKDIR /app
COPY --from=build /build/package.json ./
COPY --from=build /build/node_modules ./node_modules
COPY --from=build /build/dist ./dist
ENV CLOUDMAPD_HTTP=0.0.0.0:8053,[::]:8053 \
    CLOUDMAPD_DNS=0.0.0.0:53,[::]:53 \
    CLOUDMAPD_DATA_DIR=/data \
    CLOUDMAPD_UPSTREAMS=system \
    NODE_COMPILE_CACHE=/app/compiled
USER 10053:10053
# What a start compiles is compiled here, once. It is a matter of speed alone: where nothing can listen, all goes on.
RUN CLOUDMAPD_STORE=memory CLOUDMAPD_HTTP=127.0.0.1:0 CLOUDMAPD_DNS=127.0.0.1:0 CLOUDMAPD_UPSTREAMS=none \
    timeout -s TERM 5 cloudmapd-node /app/dist/main.js serve || true
VOLUME /data
EXPOSE 8053/tcp 53/udp 53/tcp
HEALTHCHECK --interval=2s --timeout=3s --start-period=10s --retries=3 \
  CMD ["cloudmapd-node", "-e", "fetch('http://127.0.0.1:8053/readyz').then((r) => process.exit(r.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["cloudmapd-node", "/app/dist/main.js"]
CMD ["serve"]

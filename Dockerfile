# Pinned to the Node that the project is tested with. No registry is reachable where this was written, so there is no
# digest yet: when you can, `docker buildx imagetools inspect node:26.10.0-bookworm-slim` and append `@sha256:…`.
ARG NODE_IMAGE=node:26.10.0-bookworm-slim

# The image's own Node does the work; the platform package of Node (an optional dependency) stays out.
FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=optional
COPY tsconfig.json tsconfig.build.json ./
COPY scripts/build.mjs scripts/requireNode.mjs scripts/
COPY src src
RUN npm run build

FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
RUN npm ci --omit=dev --omit=optional

FROM ${NODE_IMAGE}
ENV NODE_ENV=production HOST=0.0.0.0 PORT=3000 DATA_DIR=/data
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY --from=build /app/dist dist
COPY package.json LICENSE ./
# The one place that may be written, for the embedded database; everything else can be mounted read-only.
RUN mkdir /data && chown 65532:65532 /data
VOLUME /data
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/health`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
# Node itself is the process that gets the signals.
CMD ["node", "--disable-proto=delete", "dist/server.js"]

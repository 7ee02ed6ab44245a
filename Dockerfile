# syntax=docker/dockerfile:1
# The server without an embedded database: DATABASE_URL, MASTER_KEY and PUBLIC_URL are needed (docs/guides/deployment.md).
ARG NODE_IMAGE=node:24-bookworm-slim

# Everything, to generate the database's client with.
FROM ${NODE_IMAGE} AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY prisma.config.ts ./
COPY prisma prisma
RUN npm run --silent generate:client

# What runs. Without the optional packages (a Node and a PostgreSQL of its own), but for the native Argon2, which its
# package counts among them.
FROM ${NODE_IMAGE} AS dependencies
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --omit=dev --omit=optional --ignore-scripts --no-audit --no-fund
COPY --from=build /app/node_modules/@node-rs node_modules/@node-rs

FROM ${NODE_IMAGE}
ENV NODE_ENV=production HOST=0.0.0.0 PORT=4000 NODE_COMPILE_CACHE=/app/.compile-cache MALLOC_ARENA_MAX=2
WORKDIR /app
COPY --from=dependencies /app/node_modules node_modules
COPY package.json ./
COPY prisma prisma
COPY verify verify
COPY src src
COPY --from=build /app/src/generated src/generated
COPY scripts/compile.ts scripts/compile.ts
# What Node compiled is kept by user and readable by that one alone; so it is made by the user who runs the server, and
# then belongs to root like all else.
RUN install --directory --owner=node .compile-cache \
  && setpriv --reuid=node --regid=node --clear-groups node scripts/compile.ts \
  && chown --recursive root:root .compile-cache && chmod --recursive a+rX .compile-cache
# Owned by root: the server writes nothing, so that the root file system may be read-only.
USER node
EXPOSE 4000
# The server finishes what is on the wire; give it 75 seconds before it is killed.
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=120s --retries=3 \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT}/healthz`).then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "--max-semi-space-size=16", "src/main.ts"]

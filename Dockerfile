# MemDB in a container: `docker build -t memdb . && docker run -p 6379:6379 -v memdb:/data memdb`.
# The first stage compiles the executable, the second holds nothing else.
FROM node:22-trixie-slim AS build
RUN npm install --global deno@2.9.6
WORKDIR /memdb
COPY deno.json deno.lock main.ts ./
COPY src ./src
RUN deno task compile

FROM debian:trixie-slim
RUN useradd --system --home-dir /data memdb && mkdir /data && chown memdb:memdb /data
COPY --from=build /memdb/dist/memdb /usr/local/bin/memdb
USER memdb
WORKDIR /data
VOLUME /data
EXPOSE 6379
# A container is reached from outside, so it listens everywhere; protected mode then asks for a password
# (MEMDB_REQUIREPASS) or for `--protected-mode no` on a network that is trusted.
ENTRYPOINT ["memdb", "serve", "--host", "0.0.0.0", "--aofpath", "/data/appendonly.aof"]
HEALTHCHECK --interval=5s --timeout=3s CMD MEMDB_AUTH="$MEMDB_REQUIREPASS" memdb cli PING

"""The python-socketio server that the Go client is tested against. It prints its port."""
import asyncio
import sys

import socketio
from aiohttp import web

sio = socketio.AsyncServer(async_mode="aiohttp", async_handlers=False, ping_interval=1, ping_timeout=1,
                           namespaces=["/", "/other", "/auth"])
records = {}


def serve(namespace):
    def on(name):
        return sio.on(name, namespace=namespace)

    environs, auths = {}, {}

    @on("connect")
    async def connect(sid, environ, auth):
        environs[sid], auths[sid] = environ, auth
        if namespace == "/auth" and (auth or {}).get("token") != "secret":
            raise socketio.exceptions.ConnectionRefusedError("not authorized", {"code": 42})

    @on("echo")
    async def echo(sid, *args):
        return args

    @on("again")
    async def again(sid, *args):
        await sio.emit("again", args, to=sid, namespace=namespace)

    @on("ask")
    async def ask(sid, event, args):
        async def answered(*answer):
            await sio.emit("asked", answer, to=sid, namespace=namespace)
        await sio.emit(event, tuple(args), to=sid, namespace=namespace, callback=answered)

    @on("late")
    async def late(sid, ms):
        await asyncio.sleep(ms / 1000)
        return "late"

    @on("auth")
    async def auth(sid):
        return auths[sid] or {}

    @on("header")
    async def header(sid, name):
        return environs[sid].get("HTTP_" + name.upper().replace("-", "_"), "")

    @on("query")
    async def query(sid, name):
        pairs = dict(p.split("=", 1) for p in environs[sid]["QUERY_STRING"].split("&"))
        return pairs.get(name, "")

    @on("join")
    async def join(sid, room):
        await sio.enter_room(sid, room, namespace=namespace)

    @on("to")
    async def to(sid, room, event, *args):
        await sio.emit(event, args, to=room, namespace=namespace)

    @on("burst")
    async def burst(sid, n):
        for i in range(n):
            await sio.emit("n", i, to=sid, namespace=namespace)

    @on("record")
    async def record(sid, key, n):
        records.setdefault(key, []).append(n)

    @on("recorded")
    async def recorded(sid, key):
        return records.get(key, [])

    @on("leave")
    async def leave(sid):
        await sio.disconnect(sid, namespace=namespace)


for name in ["/", "/other", "/auth"]:
    serve(name)


async def main():
    app = web.Application()
    sio.attach(app)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0)
    await site.start()
    print(site._server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    # Without it the process would wait for connections.
    import os
    os._exit(0)


asyncio.run(main())

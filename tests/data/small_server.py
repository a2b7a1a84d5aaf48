"""A small OpenAI-compatible server that is correct but for what its arguments say.

small_server.py PORT [--without models,embeddings,usage,ids] [--fault KIND] [--delay SECONDS] [--leak KIB] [--tls CERT KEY]

KIND: `hang` never answers a chat, `cut` closes in the middle of a stream or body, `500` answers that to everything,
`huge` sends bodies of 50 MB, `html` answers with a web page, `shape` with JSON of another shape. POST /stop ends it.
"""

import argparse
import itertools
import json
import os
import ssl
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

parser = argparse.ArgumentParser()
parser.add_argument("port", type=int)
parser.add_argument("--without", default="")
parser.add_argument("--fault", default="")
parser.add_argument("--delay", type=float, default=0.0)
parser.add_argument("--leak", type=int, default=0)
parser.add_argument("--tls", nargs=2)
given = parser.parse_args()
without = set(given.without.split(","))
numbers = itertools.count()
kept = []


class Refused(Exception):
    def __init__(self, status, why):
        super().__init__(why)
        self.status = status


class Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1

    def log_message(self, *_):
        pass

    def send(self, status, body, kind="application/json"):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        if given.fault == "500":
            return self.send(500, {"error": {"message": "broken"}})
        if self.path != "/v1/models" or "models" in without:
            return self.send(404, {"error": {"message": "no such path"}})
        return self.send(200, {"data": [{"id": "small"}, {"id": "small-embedding"}]})

    def do_POST(self):
        raw = self.rfile.read(int(self.headers["content-length"]))
        if self.path == "/stop":
            self.send(200, {})
            self.wfile.flush()
            os._exit(0)
        if given.fault == "500":
            return self.send(500, {"error": {"message": "broken"}})
        try:
            if self.path == "/v1/chat/completions":
                return self.chat(self.asked(raw, "messages", {"small"}))
            if self.path == "/v1/embeddings" and "embeddings" not in without:
                texts = self.asked(raw, "input", {"small-embedding"})["input"]
                rows = [{"index": n, "embedding": [1.0, float(n)]} for n in range(len(texts))]
                return self.send(200, {"data": rows, "usage": {"prompt_tokens": 1, "total_tokens": 1}})
            raise Refused(404, "no such path")
        except Refused as error:
            return self.send(error.status, {"error": {"message": str(error), "type": "invalid_request_error"}})

    def asked(self, raw, needs, models):
        try:
            body = json.loads(raw)
        except ValueError:
            raise Refused(400, "no JSON") from None
        if not isinstance(body, dict) or not body.get(needs):
            raise Refused(400, f"{needs} are missing")
        if body.get("model") not in models:
            raise Refused(404, "no such model")
        if not isinstance(body.get("temperature", 0), int | float):
            raise Refused(400, "temperature is no number")
        return body

    def chat(self, body):
        kept.append(b"x" * (given.leak * 1024))
        n = next(numbers)
        id = {} if "ids" in without else {"id": f"chat-{n}"}
        usage = {} if "usage" in without else {"usage": {"prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8}}
        text = f"Answer {n}: it was assured."
        time.sleep(given.delay)
        if given.fault == "hang":
            time.sleep(3600)
        if given.fault == "html":
            return self.send(200, b"<html>Welcome</html>", "text/html")
        if given.fault == "shape":
            return self.send(200, [{"reply": text}])
        if given.fault == "huge":
            text = "s" * 50_000_000
        if body.get("stream"):
            return self.stream(text, id, usage)
        choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
        reply = json.dumps({**id, "object": "chat.completion", "model": "small", "choices": [choice], **usage}).encode()
        if given.fault == "cut":
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply[: len(reply) // 2])
            self.close_connection = True
            return None
        return self.send(200, reply)

    def stream(self, text, id, usage):
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        pieces = [text[: len(text) // 2], text[len(text) // 2 :]]
        events = [{**id, "choices": [{"index": 0, "delta": {"content": piece}}]} for piece in pieces]
        events.append({**id, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        events += [{**id, "choices": [], **usage}] if usage else []
        lines = [f"data: {json.dumps(event)}\n\n" for event in events] + ["data: [DONE]\n\n"]
        for line in lines[:1] if given.fault == "cut" else lines:
            self.wfile.write(f"{len(line.encode()):x}\r\n{line}\r\n".encode())
            self.wfile.flush()
        if given.fault == "cut":
            self.close_connection = True
        else:
            self.wfile.write(b"0\r\n\r\n")


class Http(ThreadingHTTPServer):
    request_queue_size = 512
    daemon_threads = True

    def handle_error(self, *_):
        pass


http = Http(("127.0.0.1", given.port), Server)
if given.tls:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*given.tls)
    http.socket = context.wrap_socket(http.socket, server_side=True)
http.serve_forever()

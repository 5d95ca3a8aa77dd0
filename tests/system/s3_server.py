"""An S3 of its own for tests: objects in memory, path style, every request's signature checked as the reference says."""

import hashlib
import hmac
import http.server
import threading
import urllib.parse
import xml.sax.saxutils

ACCESS_KEY, SECRET_KEY, REGION, BUCKET = "test-access", "test-secret/with+signs", "eu-test-1", "backups"
PAGE = 3  # keys a list gives at once


def _hmac(key, text):
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def signature(self, path, query, body):
        signed = self.headers["Authorization"].split("SignedHeaders=")[1].split(",")[0]
        time = self.headers["x-amz-date"]
        scope = f"{time[:8]}/{REGION}/s3/aws4_request"
        pairs = sorted(urllib.parse.parse_qsl(query, keep_blank_values=True))
        listed = "&".join(f"{urllib.parse.quote(k, safe='-_.~')}={urllib.parse.quote(v, safe='-_.~')}" for k, v in pairs)
        headers = "".join(f"{name}:{self.headers[name]}\n" for name in signed.split(";"))
        canonical = "\n".join([self.command, path, listed, headers, signed, hashlib.sha256(body).hexdigest()])
        to_sign = "\n".join(["AWS4-HMAC-SHA256", time, scope, hashlib.sha256(canonical.encode()).hexdigest()])
        key = b"AWS4" + self.server.s3.secret_key.encode()
        for part in (time[:8], REGION, "s3", "aws4_request"):
            key = _hmac(key, part)
        return (f"AWS4-HMAC-SHA256 Credential={ACCESS_KEY}/{scope},SignedHeaders={signed},"
                f"Signature={_hmac(key, to_sign).hex()}")

    def answer(self, status, body=b""):
        try:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except BrokenPipeError:
            self.close_connection = True  # the node stopped and broke off

    def error(self, status, code):
        self.answer(status, f"<Error><Code>{code}</Code><Message>said by the test</Message></Error>".encode())

    def run(self):
        s3 = self.server.s3
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path, _, query = self.path.partition("?")
        if self.headers.get("Authorization") != self.signature(path, query, body):
            return self.error(403, "SignatureDoesNotMatch")
        with s3.lock:
            s3.requests += 1
            if s3.broken:
                return self.error(503, "SlowDown")
            _, bucket, *rest = urllib.parse.unquote(path).split("/", 2)
            if bucket != BUCKET:
                return self.error(404, "NoSuchBucket")
            key = rest[0] if rest else ""
            if self.command == "PUT":
                s3.objects[key] = body
                return self.answer(200)
            if self.command == "DELETE":
                s3.objects.pop(key, None)
                return self.answer(204)
            if key:
                return self.answer(200, s3.objects[key]) if key in s3.objects else self.error(404, "NoSuchKey")
            asked = dict(urllib.parse.parse_qsl(query))
            keys = sorted(k for k in s3.objects
                          if k.startswith(asked.get("prefix", "")) and k > asked.get("continuation-token", ""))
            page = keys[:PAGE]
            more = len(keys) > PAGE
            items = "".join(f"<Contents><Key>{xml.sax.saxutils.escape(k)}</Key></Contents>" for k in page)
            token = f"<NextContinuationToken>{page[-1]}</NextContinuationToken>" if more else ""
            return self.answer(200, f'<?xml version="1.0" encoding="UTF-8"?>\n<ListBucketResult><IsTruncated>'
                                    f'{str(more).lower()}</IsTruncated>{token}{items}</ListBucketResult>'.encode())

    do_GET = do_PUT = do_DELETE = run


class S3Server:
    def __init__(self):
        self.objects, self.requests, self.broken, self.lock = {}, 0, False, threading.Lock()
        self.secret_key = SECRET_KEY
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self.http.s3 = self
        self.thread = threading.Thread(target=self.http.serve_forever, daemon=True)
        self.thread.start()
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        self.environment = {"AWS_ENDPOINT_URL": self.url, "AWS_ACCESS_KEY_ID": ACCESS_KEY,
                            "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_REGION": REGION}

    def stop(self):
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()

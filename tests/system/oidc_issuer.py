"""A real issuer of OpenID Connect (npm's `oidc-provider`, see tests/node_tools), and what a person's browser does there."""

import base64
import hashlib
import hmac
import html
import http.client
import http.server
import json
import re
import subprocess
import threading
import urllib.parse

from tests.system import node_tools
from tests.system.node import SECONDS_MAX, Reply, headers_of

SCRIPT = node_tools.SCRIPTS / "oidc_issuer.cjs"
SECRET = "the secret of the client, with & and + and %"
ACCOUNTS = {
    "ada": {"email": "ada@example.org", "email_verified": True, "name": "Ada Lovelace"},
    "grace": {"email": "grace@example.org", "email_verified": True, "name": "Grace Hopper", "amr": ["pwd", "mfa"]},
    "eve": {"email": "eve@example.org", "email_verified": False, "name": "Eve"},
    "mallory": {"email": "mallory@other.example", "email_verified": True, "name": "Mallory"},
    "ida": {"email": "ida@example.org", "email_verified": True},
    "mara": {"email": "mara@example.org", "email_verified": True},
    "nobody": {},
    "odd": {"email": "<script>\nnot an address", "email_verified": False, "name": "Odd"},
    "mute": {"email": "mute@example.org", "email_verified": True, "mute": True},
}


def query_of(url):
    return {name: values[0] for name, values in urllib.parse.parse_qs(urllib.parse.urlsplit(url).query).items()}


def link_in(reply):
    """Where the only link of a page leads."""
    (link,) = re.findall(r'<a href="([^"]+)">', reply.raw.decode())
    return html.unescape(link)


class Issuer:
    """Knows the clients `troupe` (with a secret), `public` (without one) and `ed25519`, which come back to `node_url`."""

    def __init__(self, folder, node_url, providers=("acme",)):
        node_tools.check()
        if not (node_tools.FOLDER / "node_modules" / "oidc-provider").exists():
            raise AssertionError("oidc-provider is not there: run bin/install-packages test")
        self.folder, self.port, self.process = folder, 0, None
        common = {"redirect_uris": [f"{node_url}/api/v1/auth/oidc/{name}/callback" for name in providers],
                  "grant_types": ["authorization_code"], "response_types": ["code"]}
        self.settings = {"accounts": ACCOUNTS, "clients": [
            {"client_id": "troupe", "client_secret": SECRET, **common},
            {"client_id": "public", "token_endpoint_auth_method": "none", "id_token_signed_response_alg": "ES256", **common},
            {"client_id": "ed25519", "client_secret": SECRET, "token_endpoint_auth_method": "client_secret_post",
             "id_token_signed_response_alg": "EdDSA", **common}]}

    @property
    def log(self):
        return self.folder / "issuer.log"

    def start(self):
        """At the port that it had, with new keys."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(["node", SCRIPT, node_tools.FOLDER / "node_modules", str(self.port),
                                             json.dumps(self.settings)], stdout=subprocess.PIPE, stderr=log,
                                            env=node_tools.ENVIRONMENT)
        watchdog = threading.Timer(4 * SECONDS_MAX, self.process.kill)
        watchdog.start()
        line = self.process.stdout.readline().decode().strip()
        watchdog.cancel()
        if not line.startswith("ready "):
            raise AssertionError(f"the issuer did not start: {self.log.read_text()[-3000:]}")
        self.url = line.removeprefix("ready ")
        self.port = urllib.parse.urlsplit(self.url).port
        return self

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
        self.process = None


class Forger:
    """An issuer that answers whatever `tokens` makes of a token request, and counts who asks for what."""

    def __init__(self):
        outer = self
        self.asked, self.tokens, self.description = {}, lambda: b"", lambda d: json.dumps(d).encode()

        class Handler(http.server.BaseHTTPRequestHandler):
            def answer(self):
                outer.asked[self.path] = outer.asked.get(self.path, 0) + 1
                body = {"/.well-known/openid-configuration": lambda: outer.description(outer.whole()),
                        "/jwks": lambda: b'{"keys":[]}', "/token": lambda: outer.tokens()}[self.path]()
                self.rfile.read(int(self.headers.get("content-length", 0)))
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            do_GET = do_POST = answer

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def whole(self):
        return {"issuer": self.url, "authorization_endpoint": self.url + "/auth", "token_endpoint": self.url + "/token",
                "jwks_uri": self.url + "/jwks"}

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    @staticmethod
    def token(header, claims, secret=b""):
        """A JWT, with the MAC of the secret, or without a signature."""
        def part(raw):
            return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
        text = f"{part(json.dumps(header).encode())}.{part(json.dumps(claims).encode())}"
        return f"{text}.{part(hmac.new(secret, text.encode(), hashlib.sha256).digest()) if secret else ''}"


class Browser:
    """Keeps cookies, by origin; follows nothing by itself."""

    def __init__(self):
        self.cookies = {}

    def request(self, method, url, form=None, body=None, **headers):
        parts = urllib.parse.urlsplit(url)
        jar = self.cookies.setdefault(parts.netloc, {})
        sent = {"Accept": "text/html", **headers}
        if jar:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
        raw = None
        if form is not None:
            raw, sent["Content-Type"] = urllib.parse.urlencode(form), "application/x-www-form-urlencoded"
        if body is not None:
            raw, sent["Content-Type"] = json.dumps(body), "application/json"
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=SECONDS_MAX)
        try:
            connection.request(method, parts.path + (f"?{parts.query}" if parts.query else ""), raw, sent)
            answer = connection.getresponse()
            reply = Reply(answer.status, headers_of(answer), answer.read())
        finally:
            connection.close()
        for line in reply.headers.get("set-cookie", "").splitlines():
            name, _, value = line.split(";")[0].partition("=")
            over = "max-age=0" in line.lower() or "1970" in line
            jar.pop(name, None) if over else jar.__setitem__(name, value)
        return reply

    def get(self, url, **headers):
        return self.request("GET", url, **headers)

    def come_back(self, url, login, consent="yes"):
        """Goes from the authorization request to what the issuer sends the browser to in the end."""
        issuer = urllib.parse.urlsplit(url).netloc
        reply = self.get(url)
        for _ in range(20):
            if reply.status == 200:  # a form, of one field
                field = "login" if b'name="login"' in reply.raw else "consent"
                reply = self.request("POST", url, form={field: login if field == "login" else consent})
            elif reply.status in (302, 303):
                url = urllib.parse.urljoin(url, reply.headers["location"])
                if urllib.parse.urlsplit(url).netloc != issuer:
                    return url
                reply = self.get(url)
            else:
                break
        raise AssertionError(f"the issuer did not send anybody back: {url} {reply}")

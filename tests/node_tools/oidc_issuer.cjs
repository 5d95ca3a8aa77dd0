// An issuer of OpenID Connect for tests: `oidc-provider` on loopback, with keys of its own and pages that a program can
// fill in. Usage: node oidc_issuer.cjs NODE_MODULES PORT SETTINGS, where SETTINGS is JSON {clients, accounts}; says
// "ready URL". PORT 0 takes a free one.
"use strict";

const crypto = require("node:crypto");
const http = require("node:http");
const path = require("node:path");
const querystring = require("node:querystring");
const { pathToFileURL } = require("node:url");

const [modules, port, settings] = process.argv.slice(2);
const { clients, accounts } = JSON.parse(settings);

function key(kind, options, more) {
  const made = crypto.generateKeyPairSync(kind, options).privateKey.export({ format: "jwk" });
  return { ...made, use: "sig", kid: crypto.randomUUID(), ...more };
}

function page(body) {
  return `<!doctype html><title>issuer</title>${body}`;
}

// An account that is `mute` makes UserInfo fail.
function told(sub, use) {
  if (use === "userinfo" && accounts[sub].mute) {
    throw new Error("no word about this one");
  }
  return { sub, ...accounts[sub] };
}

async function main() {
  const module = pathToFileURL(path.join(modules, "oidc-provider", "lib", "index.js")).href;
  const { default: Provider } = await import(module);
  const server = http.createServer();
  await new Promise((done) => server.listen(Number(port), "127.0.0.1", done));
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients,
    jwks: {
      keys: [
        key("rsa", { modulusLength: 2048 }, { alg: "RS256" }),
        key("ec", { namedCurve: "P-256" }, { alg: "ES256" }),
        key("ed25519", {}, { alg: "EdDSA" }),
      ],
    },
    enabledJWA: { idTokenSigningAlgValues: ["RS256", "ES256", "EdDSA"] },
    claims: { openid: ["sub", "amr"], email: ["email", "email_verified"], profile: ["name"] },
    cookies: { keys: [crypto.randomUUID()] },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    pkce: { methods: ["S256"], required: () => true },
    findAccount: (_, sub) => accounts[sub] && { accountId: sub, claims: (use) => told(sub, use) },
  });

  provider.use(async (ctx, next) => {
    if (!ctx.path.startsWith("/interaction/")) {
      return next();
    }
    const { uid, prompt, params, session, grantId } = await provider.interactionDetails(ctx.req, ctx.res);
    if (ctx.method === "GET") {
      ctx.type = "html";
      ctx.body = page(`<form method="post" action="/interaction/${uid}"><input name="${prompt.name}"></form>`);
      return undefined;
    }
    const chunks = [];
    for await (const chunk of ctx.req) {
      chunks.push(chunk);
    }
    const form = querystring.parse(Buffer.concat(chunks).toString());
    let result = { error: "access_denied", error_description: "the person did not want to" };
    if (prompt.name === "login" && accounts[form.login]) {
      result = { login: { accountId: form.login, amr: accounts[form.login].amr } };
    } else if (prompt.name === "consent" && form.consent === "yes") {
      const grant = grantId
        ? await provider.Grant.find(grantId)
        : new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
      grant.addOIDCScope(params.scope);
      result = { consent: { grantId: await grant.save() } };
    }
    ctx.respond = false;
    return provider.interactionFinished(ctx.req, ctx.res, result, { mergeWithLastSubmission: prompt.name === "consent" });
  });
  provider.on("server_error", (_, error) => console.error(error));
  provider.on("grant.error", (_, error) => console.error("grant:", error.message, error.error_detail || ""));
  provider.on("authorization.error", (_, error) => console.error("authorization:", error.message, error.error_detail || ""));
  server.on("request", provider.callback());
  console.log(`ready ${issuer}`);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});

// An OpenID provider of another site than the gateway's, with a page on which its person says yes.
"use strict";

const crypto = require("node:crypto");
const http = require("node:http");

const CLIENT = { id: "baoqiao", secret: "correct-horse" };

const encoded = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll('"', "&quot;");

class Provider {
  // `claims` are what it says of whoever comes.
  static async start(claims) {
    const provider = new Provider();
    provider.claims = claims;
    provider.codes = new Map();
    provider.keys = crypto.generateKeyPairSync("rsa", { modulusLength: 2048 });
    provider.server = http.createServer((request, response) => provider.answer(request, response));
    // For a browser, localhost and 127.0.0.1 are two sites.
    await new Promise((done) => { provider.server.listen(0, "localhost", done); });
    provider.issuer = `http://localhost:${provider.server.address().port}`;
    return provider;
  }

  stop() {
    this.server.closeAllConnections();
    this.server.close();
  }

  // What makes a gateway trust it.
  get section() {
    return `\n[console.oidc]\nissuer = "${this.issuer}"\nclient_id = "${CLIENT.id}"\nclient_secret = "${CLIENT.secret}"\n` +
      'label = "集团统一登录"\nroles = { operator = ["policy-operations"] }\n';
  }

  answer(request, response) {
    const url = new URL(request.url, this.issuer);
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      const form = new URLSearchParams(Buffer.concat(chunks).toString());
      const { status = 200, type = "application/json", body, location } = this.page(url, request, form);
      response.writeHead(status, { "content-type": type, ...(location && { location }) });
      response.end(typeof body === "string" ? body : JSON.stringify(body ?? {}));
    });
  }

  page(url, request, form) {
    switch (url.pathname) {
      case "/.well-known/openid-configuration":
        return { body: {
          issuer: this.issuer, authorization_endpoint: `${this.issuer}/authorize`, token_endpoint: `${this.issuer}/token`,
          jwks_uri: `${this.issuer}/jwks`, end_session_endpoint: `${this.issuer}/logout`,
        } };
      case "/jwks":
        return { body: { keys: [{ ...this.keys.publicKey.export({ format: "jwk" }), kid: "1", use: "sig", alg: "RS256" }] } };
      case "/authorize": return this.authorize(url.searchParams);
      case "/token": return this.token(request.headers.authorization, form);
      case "/logout": return { status: 302, location: url.searchParams.get("post_logout_redirect_uri") };
      default: return { status: 404 };
    }
  }

  authorize(asked) {
    const code = crypto.randomUUID();
    this.codes.set(code, asked);
    const back = new URL(asked.get("redirect_uri"));
    back.search = new URLSearchParams({ code, state: asked.get("state") });
    return { type: "text/html;charset=utf-8", body: `<!doctype html><a id="yes" href="${escaped(back.href)}">Yes</a>` };
  }

  token(authorization, form) {
    const expected = `Basic ${Buffer.from(`${CLIENT.id}:${CLIENT.secret}`).toString("base64")}`;
    const asked = this.codes.get(form.get("code"));
    this.codes.delete(form.get("code"));
    const challenge = crypto.createHash("sha256").update(form.get("code_verifier") ?? "").digest("base64url");
    if (authorization !== expected || challenge !== asked?.get("code_challenge")) {
      return { status: 400, body: { error: "invalid_grant" } };
    }
    const now = Math.floor(Date.now() / 1000);
    const claims = { iss: this.issuer, aud: CLIENT.id, iat: now, exp: now + 300, nonce: asked.get("nonce"), ...this.claims };
    const signed = `${encoded({ alg: "RS256", kid: "1" })}.${encoded(claims)}`;
    const signature = crypto.sign("sha256", Buffer.from(signed), this.keys.privateKey).toString("base64url");
    return { body: { access_token: "none", token_type: "Bearer", id_token: `${signed}.${signature}` } };
  }
}

module.exports = { Provider };

// Signs in to the console through oidc-provider, an OpenID provider that others wrote, have had certified and publish: its own pages
// for signing in and consenting, its own keys, PKCE demanded.
//
// Usage: oidc_provider.js BINARY
'use strict';

const assert = require('node:assert/strict');
const { execFile, execFileSync, spawn } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');
const readline = require('node:readline');
const { promisify } = require('node:util');

const CLIENT = { client_id: 'baoqiao', client_secret: 'correct-horse-battery-staple' };
// Who they are, is what they sign in with; their groups follow.
const GROUPS = { 'li.si': ['baoqiao-viewers', 'baoqiao-admins'], wang: ['canteen'] };

// A browser as far as it matters here: it keeps each site's cookies, and follows where it is led.
class Browser {
  cookies = new Map();

  async open(url, form) {
    const { host, pathname } = new URL(url);
    if (pathname === '/console/oidc/callback') {
      this.callback = url;
      this.pending = new Map(this.cookies.get(host));
    }
    const cookies = [...(this.cookies.get(host) ?? [])].map(([name, value]) => `${name}=${value}`).join('; ');
    const body = form && new URLSearchParams(form);
    const origin = form && { origin: new URL(url).origin };
    const answer = await fetch(url, { method: body ? 'POST' : 'GET', body, redirect: 'manual', headers: { cookie: cookies, ...origin } });
    for (const line of answer.headers.getSetCookie()) {
      const [, name, value] = line.match(/^([^=]+)=([^;]*)/);
      if (!this.cookies.has(host)) this.cookies.set(host, new Map());
      this.cookies.get(host).set(name, value);
    }
    const text = await answer.text();
    // The console's pages that lead on do so a moment after they are shown.
    const location = answer.headers.get('location') ?? answer.headers.get('refresh')?.match(/url=(.*)$/i)?.[1];
    if (location) return this.open(new URL(location, url).href);
    return { url, status: answer.status, text };
  }

  // Sends the form of a page that leads to such an address, with what is written into it.
  submit(page, to, written = {}) {
    const forms = [...page.text.matchAll(/<form([^>]*)>(.*?)<\/form>/gs)].map(([, head, fields]) => ({
      action: (head.match(/action="([^"]*)"/)?.[1] ?? '').replaceAll('&amp;', '&'),
      fields: [...fields.matchAll(/<input([^>]*)>/g)].map(([, input]) => ['name', 'value'].map(
        (attribute) => input.match(new RegExp(`\\b${attribute}="([^"]*)"`))?.[1] ?? '',
      )),
    }));
    const form = forms.find(({ action }) => to.test(action));
    assert.ok(form, `no form leads to ${to}: ${page.text}`);
    return this.open(new URL(form.action, page.url).href, { ...Object.fromEntries(form.fields), ...written });
  }

  async signIn(gateway, name) {
    const login = await this.open(`${gateway}/console/oidc/start`);
    const consent = await this.submit(login, /interaction/, { login: name, password: 'whatever' });
    assert.match(consent.text, /name="prompt" value="consent"/, consent.text);
    return this.submit(consent, /interaction/);
  }
}

async function startGateway(binary, directory, issuer) {
  execFileSync(binary, ['init', '--dir', directory, '--listen', '127.0.0.1:0', '--app-key', '12345678', '--secret', 'helloworld']);
  const config = path.join(directory, 'baoqiao.toml');
  fs.appendFileSync(config, `
[console.oidc]
issuer = "${issuer}"
client_id = "${CLIENT.client_id}"
client_secret = "${CLIENT.client_secret}"
scopes = ["profile", "groups"]
roles = { viewer = ["baoqiao-viewers"], admin = ["baoqiao-admins"] }
`);
  const child = spawn(binary, ['serve', '--config', config], { stdio: ['ignore', 'inherit', 'pipe'] });
  // Ended from outside, this process leaves no gateway behind.
  for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => { child.kill(); process.exit(1); });
  const url = await new Promise((resolve, reject) => {
    const said = [];
    readline.createInterface({ input: child.stderr }).on('line', (line) => {
      said.push(line);
      const found = line.match(/address=(\S+)/);
      if (found) resolve(`http://${found[1]}`);
    });
    child.once('exit', () => reject(new Error(`the gateway did not start:\n${said.join('\n')}`)));
  });
  const stop = () => new Promise((done) => {
    if (child.exitCode !== null) done();
    child.once('exit', done);
    child.kill();
  });
  return { stop, config, url };
}

function provider(Provider, issuer, gateway) {
  return new Provider(issuer, {
    clients: [{
      ...CLIENT,
      redirect_uris: [`${gateway}/console/oidc/callback`],
      post_logout_redirect_uris: [`${gateway}/console/sign-in`],
    }],
    claims: { groups: ['groups'], profile: ['preferred_username'] },
    // As the console asks of a provider: claims in the ID token. That is not this one's default.
    conformIdTokenClaims: false,
    cookies: { keys: ['a key of the test'] },
    pkce: { required: () => true, methods: ['S256'] },
    findAccount: (_, id) => ({
      accountId: id,
      claims: () => ({ sub: `sub-${id}`, preferred_username: id, groups: GROUPS[id] }),
    }),
  });
}

async function main([binary]) {
  // It says at length that what it is asked for here is for tests alone.
  console.warn = console.info = () => {};
  const home = path.join(process.env.NODE_PATH, 'oidc-provider/lib/index.js');
  const { default: Provider } = await import(home);
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'baoqiao-oidc-'));
  const server = http.createServer();
  await new Promise((done) => { server.listen(0, 'localhost', done); });
  const issuer = `http://localhost:${server.address().port}`;
  let gateway;
  try {
    gateway = await startGateway(binary, directory, issuer);
    server.on('request', provider(Provider, issuer, gateway.url).callback());

    const { stdout: doctor } = await promisify(execFile)(binary, ['doctor', '--config', gateway.config]);
    assert.match(doctor, /ok +sign-in: http:\/\/localhost:\d+ answers/, doctor);

    const browser = new Browser();
    const landed = await browser.signIn(gateway.url, 'li.si');
    assert.deepEqual([landed.status, landed.url], [200, `${gateway.url}/console`], landed.text);
    assert.match(landed.text, /sso:li\.si/);
    const users = await browser.open(`${gateway.url}/console/users`);
    assert.equal(users.status, 200, 'of two groups the one that may more gives the role');
    assert.match(users.text, /sub-li\.si/);
    // The answer that brought them here brings nobody here again, not even with the cookie of who asked for it.
    const again = new Browser();
    again.cookies.set(new URL(gateway.url).host, browser.pending);
    const replayed = await again.open(browser.callback);
    assert.notEqual(replayed.status, 200);
    assert.doesNotMatch(replayed.text, /sso:li\.si/);

    const asked = await browser.submit(landed, /sign-out$/);
    assert.match(asked.url, new RegExp(`^${issuer}/session/end`), asked.text);
    const left = await browser.submit(asked, /session\/end/, { logout: 'yes' });
    assert.equal(left.url, `${gateway.url}/console/sign-in`);
    assert.equal((await browser.open(`${gateway.url}/console`)).url.split('?')[0], `${gateway.url}/console/sign-in`);

    const nobody = await new Browser().signIn(gateway.url, 'wang');
    assert.match(nobody.text, /没有使用本控制台的权限/);
  } finally {
    await gateway?.stop();
    server.closeAllConnections();
    server.close();
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});

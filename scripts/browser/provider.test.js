// Single sign-on: whether a browser that keeps strict cookies from what comes from another site is signed in at the end.
"use strict";

const assert = require("node:assert");
const { after, before, test } = require("node:test");
const { World } = require("./world.js");
const { Provider } = require("./provider.js");
const { accessible, launch } = require("./harness.js");

let provider;
let world;
let browser;

before(async () => {
  provider = await Provider.start({ sub: "f3b0c442", preferred_username: "li.si", groups: ["policy-operations"] });
  world = await World.start(provider.section);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  world?.stop();
  provider?.stop();
});

test("somebody signs in on another site, is signed in here, and signs out of both", async () => {
  const context = await browser.newContext();
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => {
    const isOurs = !message.location().url.startsWith(provider.issuer);
    if (isOurs && ["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  await page.goto(`${world.url}/console/messages?code=X`);
  await accessible(page, "sign-in with a provider");
  await page.click("text=集团统一登录");
  await page.waitForURL(`${provider.issuer}/authorize*`);
  await page.click("#yes");
  // Nobody clicks any more: the page that the answer leads to moves on by itself.
  await page.waitForURL(`${world.url}/console/messages?code=X`);
  await page.getByRole("link", { name: "sso:li.si" }).waitFor();
  const kept = (await context.cookies()).map(({ name, sameSite }) => `${name} ${sameSite}`);
  assert.ok(kept.includes("baoqiao_session Strict") && !kept.join().includes("baoqiao_provider"), kept.join());

  const signedOut = page.waitForRequest((request) => request.url().startsWith(`${provider.issuer}/logout?client_id=baoqiao`));
  await page.click("button[aria-label=退出登录]");
  await signedOut;
  await page.waitForURL(`${world.url}/console/sign-in`);
  await page.goto(`${world.url}/console`);
  assert.strictEqual(page.url(), `${world.url}/console/sign-in?back=%2Fconsole`);
  assert.deepStrictEqual(complaints, []);
  await context.close();
});

test("who has no role at the provider is told so, on a page that can be read", async () => {
  provider.claims = { sub: "f3b0c443", preferred_username: "wang", groups: [] };
  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`${world.url}/console/oidc/start`);
  await page.click("#yes");
  await page.getByText("没有使用本控制台的权限").waitFor();
  await accessible(page, "nobody's role");
  await page.click("[lang=en]");
  await page.waitForURL(`${world.url}/console/sign-in?back=%2Fconsole`);
  await context.close();
});

// What the tests share: a gateway, Chromium, people who have signed in, and what must never happen on a page.
"use strict";

const assert = require("node:assert");
const fs = require("node:fs");
const { after, before } = require("node:test");
const { chromium } = require("playwright-core");
const { PASSWORD, World } = require("./world.js");

const DESK = { width: 1280, height: 860 };
const PHONE = { width: 390, height: 844 };
// Without these it looks for its maker's servers at every start.
const ARGUMENTS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

// The language is that of the browser's own parts, such as fields for times.
const launch = (language = "en") => chromium.launch({
  executablePath: process.env.CHROMIUM,
  args: [...ARGUMENTS, `--lang=${language}`],
  env: { ...process.env, LANGUAGE: language.replace("-", "_") },
});

// A page that remembers every complaint of the browser and every request to anywhere else.
async function watched(context, origin) {
  const page = await context.newPage();
  const complaints = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(`${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => complaints.push(`error: ${error.message}`));
  page.on("dialog", (dialog) => {
    complaints.push(`a script of the data ran: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("request", (request) => {
    const url = request.url();
    // The viewer of PDFs is a part of the browser.
    const isOwn = [`${origin}/`, "chrome-extension://", "chrome://resources/", "data:"].some((start) => url.startsWith(start));
    if (!isOwn) complaints.push(`a request left the origin: ${url}`);
  });
  page.quiet = (expected = []) => {
    const left = complaints.filter((complaint) => !expected.some((pattern) => pattern.test(complaint)));
    complaints.length = 0;
    assert.deepStrictEqual(left, []);
  };
  return page;
}

async function signIn(page, url, name) {
  await page.goto(`${url}/console/sign-in`);
  await page.fill("#name", name);
  await page.fill("#password", PASSWORD);
  await page.click("form button[type=submit].primary");
  await page.waitForURL(`${url}/console`);
}

// A gateway and a browser for the tests of one file. With `populated`, there are users and a day's life.
class Bench {
  constructor({ populated }) {
    this.sessions = new Map();
    before(async () => {
      this.world = await World.start();
      this.browser = await launch();
      if (populated) await this.populate();
    });
    after(async () => {
      await this.browser?.close();
      this.world?.stop();
    });
  }

  async populate() {
    for (const role of ["viewer", "operator", "admin"]) this.world.addUser(role, role);
    this.life = await this.world.live();
  }

  // A page of somebody's own, whose browser must not have complained by the end, but for what is expected. Who has signed
  // in once need not again.
  async as(name, use, { expected, ...options } = {}) {
    const storageState = this.sessions.get(name);
    const context = await this.browser.newContext({ viewport: DESK, reducedMotion: "reduce", storageState, ...options });
    const page = await watched(context, this.world.url);
    page.setDefaultTimeout(15_000);
    try {
      if (name && !storageState) {
        await signIn(page, this.world.url, name);
        this.sessions.set(name, await context.storageState());
      }
      await use(page);
      page.quiet(expected);
    } finally {
      await context.close();
    }
  }

  go(page, address) {
    return page.goto(this.world.url + address);
  }

  // The page's address within the gateway.
  address(page) {
    return page.url().slice(this.world.url.length);
  }

  // Asks again until something is there; a notice takes a moment.
  async untilReloaded(page, locator) {
    for (let tries = 0; tries < 60; tries += 1) {
      if ((await locator.count()) > 0) return;
      await new Promise((resolve) => setTimeout(resolve, 250));
      await this.go(page, this.address(page).split("?")[0]);
    }
    assert.fail(`${locator} did not come to ${page.url()}`);
  }
}

const AXE = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

// Nothing that axe finds serious or critical.
async function accessible(page, where) {
  await page.evaluate(AXE);
  const found = await page.evaluate(() => window.axe.run(document, { iframes: false, resultTypes: ["violations"] }));
  const serious = found.violations.filter((one) => ["serious", "critical"].includes(one.impact));
  const told = serious.map((one) => `${one.id}: ${one.help}: ${one.nodes.map((node) => node.html).slice(0, 3).join(" | ")}`);
  assert.deepStrictEqual(told, [], where);
}

// Answers a question's dialog with a reason.
async function answer(dialog, reason) {
  await dialog.locator("input[name=reason]").fill(reason);
  await dialog.locator("button[type=submit]").click();
}

// Presses a question's button and answers it.
async function give(page, button, reason) {
  await page.click(`#${button}`);
  await answer(page.locator(`#${button}-dialog`), reason);
}

module.exports = { Bench, DESK, PHONE, accessible, answer, give, launch, signIn, watched };

// Chromium, and what it must never do on a page of the console.
"use strict";

const assert = require("node:assert");
const { chromium } = require("playwright-core");
const { PASSWORD } = require("./world.js");

// Without these it looks for its maker's servers at every start.
const ARGUMENTS = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

async function launch() {
  return chromium.launch({ executablePath: "/usr/bin/chromium", args: ARGUMENTS });
}

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
    const isOwn = url.startsWith(`${origin}/`) || url.startsWith("chrome-extension://") || url.startsWith("data:");
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

module.exports = { launch, watched, signIn };

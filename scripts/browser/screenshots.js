// Takes the pictures of every page, in both themes and widths: those of docs/images/console and of the READMEs.
//
//   scripts/browser/run.sh --screenshots
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const { World } = require("./world.js");
const { DESK, PHONE, launch, signIn, watched } = require("./harness.js");

const [folder, format = "webp"] = process.argv.slice(2);
const QUALITY = 60;
const SIZES = { desk: DESK, phone: PHONE };

// What is at an address, and what is done there before the picture is taken.
const at = (address) => (page, { url }) => page.goto(url + address);
const firstOf = (address) => async (page, { url }) => {
  await page.goto(url + address);
  await page.goto(url + (await page.locator("tr[data-open]").first().getAttribute("data-open")));
};

const PAGES = {
  overview: at("/console"),
  find: at("/console/find"),
  policy: (page, { url, life }) => page.goto(`${url}/console/policies/${life.refused}`),
  // The lower half of the same page.
  story: async (page, { url, life }) => {
    await page.goto(`${url}/console/policies/${life.refused}`);
    await page.locator(".story").scrollIntoViewIfNeeded();
  },
  surrender: async (page, { url, life }) => {
    await page.goto(`${url}/console/policies/${life.surrenderable}`);
    await page.click("#surrender");
  },
  recoveries: at("/console/recoveries"),
  messages: at("/console/messages"),
  message: firstOf("/console/messages?verdict=refused&interface=qimen%2Fpolicy-issuing"),
  strangers: at("/console/strangers"),
  stranger: firstOf("/console/strangers"),
  explain: at("/console/explain"),
  deliveries: at("/console/deliveries"),
  delivery: firstOf("/console/deliveries?state=dead"),
  resend: at("/console/deliveries/resend?state=dead"),
  conflicts: at("/console/conflicts"),
  conflict: firstOf("/console/conflicts"),
  channels: at("/console/channels"),
  interface: at("/console/channels/qimen/policy-issuing"),
  notice: at("/console/channels/notices/surrender-sync"),
  users: at("/console/users"),
  audit: at("/console/audit"),
  account: at("/console/account"),
};
// The README in English shows these.
const IN_ENGLISH = ["overview", "policy", "stranger", "deliveries"];

// Chromium writes WebP, which Playwright does not ask it for.
async function take(page, name) {
  await page.evaluate(() => {
    if (!document.querySelector("dialog[open]")) document.activeElement?.blur();
  });
  const file = path.join(folder, `${name}.${format}`);
  if (format === "png") {
    await page.screenshot({ path: file });
    return;
  }
  const session = await page.context().newCDPSession(page);
  const { data } = await session.send("Page.captureScreenshot", { format, quality: QUALITY });
  fs.writeFileSync(file, Buffer.from(data, "base64"));
}

async function takeAll(browser, world, life, { names, size, colorScheme, language }) {
  const context = await browser.newContext({ viewport: SIZES[size], colorScheme, locale: language, reducedMotion: "reduce" });
  const page = await watched(context, world.url);
  await page.goto(`${world.url}/console/preferences?language=${language}`);
  const suffix = [language === "en" ? "en" : null, colorScheme, size].filter(Boolean).join("-");
  if (names.includes("sign-in")) {
    await page.goto(`${world.url}/console/sign-in`);
    await take(page, `sign-in-${suffix}`);
  }
  await signIn(page, world.url, "admin");
  for (const [name, open] of Object.entries(PAGES).filter(([name]) => names.includes(name))) {
    await open(page, { url: world.url, life });
    await take(page, `${name}-${suffix}`);
  }
  page.quiet();
  await context.close();
}

async function main() {
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  const world = await World.start();
  try {
    for (const [name, role] of [["admin", "admin"], ["li.si", "operator"], ["审计-王", "viewer"]]) world.addUser(name, role);
    const life = await world.live("司马相如", "𠮷田");
    const all = ["sign-in", ...Object.keys(PAGES)];
    for (const [language, names, sizes] of [["zh-CN", all, ["desk", "phone"]], ["en", IN_ENGLISH, ["desk"]]]) {
      const browser = await launch(language);
      for (const colorScheme of ["light", "dark"]) {
        for (const size of sizes) await takeAll(browser, world, life, { names, size, colorScheme, language });
      }
      await browser.close();
    }
  } finally {
    world.stop();
  }
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});

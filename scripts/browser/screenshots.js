// Takes the pictures of every page, in both themes and widths: the pictures of docs/images and of the READMEs.
//
//   node screenshots.js FOLDER
"use strict";

const fs = require("node:fs");
const path = require("node:path");
const { World } = require("./world.js");
const { launch, signIn, watched } = require("./browser.js");

const folder = process.argv[2];
const WIDTHS = [["desk", { width: 1280, height: 860 }], ["phone", { width: 390, height: 844 }]];
const QUALITY = 82;

async function take(page, name) {
  await page.evaluate(() => document.activeElement?.blur());
  await page.screenshot({ path: path.join(folder, `${name}.jpg`), type: "jpeg", quality: QUALITY });
}

const PAGES = {
  overview: async (page, url) => page.goto(`${url}/console`),
  find: async (page, url) => page.goto(`${url}/console/find`),
  policy: async (page, url, life) => page.goto(`${url}/console/policies/${life.rescinded}`),
  users: async (page, url) => page.goto(`${url}/console/users`),
  audit: async (page, url) => page.goto(`${url}/console/audit`),
  account: async (page, url) => page.goto(`${url}/console/account`),
};

async function main() {
  fs.mkdirSync(folder, { recursive: true });
  const world = await World.start();
  try {
    for (const [name, role] of [["admin", "admin"], ["li.si", "operator"], ["审计-王", "viewer"]]) world.addUser(name, role);
    const life = await world.live();
    const browser = await launch();
    for (const colorScheme of ["light", "dark"]) {
      for (const [width, viewport] of WIDTHS) {
        const context = await browser.newContext({ viewport, colorScheme, locale: "zh-CN", timezoneId: "Asia/Shanghai" });
        const page = await watched(context, world.url);
        await page.goto(`${world.url}/console/sign-in`);
        await take(page, `console-sign-in-${colorScheme}-${width}`);
        await signIn(page, world.url, "admin");
        for (const [name, open] of Object.entries(PAGES)) {
          await open(page, world.url, life);
          await take(page, `console-${name}-${colorScheme}-${width}`);
        }
        page.quiet();
        await context.close();
      }
    }
    await browser.close();
  } finally {
    world.stop();
  }
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});

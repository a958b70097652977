// The console as people use it, in Chromium, against the real binary.
"use strict";

const assert = require("node:assert");
const fs = require("node:fs");
const { after, before, test } = require("node:test");
const { EVIL, PASSWORD, RARE, World } = require("./world.js");
const { launch, signIn, watched } = require("./browser.js");

const AXE = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const DESK = { width: 1280, height: 860 };
const PHONE = { width: 390, height: 844 };

let world;
let browser;
let life;

before(async () => {
  world = await World.start();
  browser = await launch();
});

after(async () => {
  await browser?.close();
  world?.stop();
});

// A page of somebody's own, whose browser must not have complained by the end.
async function as(name, use, options = {}) {
  const context = await browser.newContext({ viewport: DESK, ...options });
  const page = await watched(context, world.url);
  try {
    if (name) await signIn(page, world.url, name);
    await use(page);
    page.quiet(options.expected);
  } finally {
    await context.close();
  }
}

const go = (page, path) => page.goto(world.url + path);
const path = (page) => page.url().slice(world.url.length);

// What axe finds serious.
async function axe(page, where) {
  await page.evaluate(AXE);
  const found = await page.evaluate(() => window.axe.run(document, { iframes: false }));
  const serious = found.violations.filter((one) => ["serious", "critical"].includes(one.impact));
  const told = serious.map((one) => `${one.id}: ${one.help}: ${one.nodes.map((node) => node.html).slice(0, 3).join(" | ")}`);
  assert.deepStrictEqual(told, [], where);
}

async function give(page, button, reason) {
  await page.click(`#${button}`);
  const dialog = page.locator(`#${button}-dialog`);
  await dialog.locator("input[name=reason]").fill(reason);
  await dialog.locator("button[type=submit]").click();
}

async function find(page, wanted) {
  await page.fill("#search", wanted);
  await page.press("#search", "Enter");
  await page.waitForLoadState();
}

test("before there are users, the sign-in page says how to add the first", async () => {
  await as(null, async (page) => {
    await go(page, "/console");
    assert.strictEqual(path(page), "/console/sign-in?back=%2Fconsole");
    await page.getByText("还没有任何用户").waitFor();
    await axe(page, "sign-in without users");
  });
  for (const role of ["viewer", "operator", "admin"]) world.addUser(role, role);
  life = await world.live();
});

test("a wrong password is told, and the right one leads on to where one wanted to go", async () => {
  const expected = [/403/];
  await as(null, async (page) => {
    await go(page, "/console/users");
    await page.fill("#name", "admin");
    await page.fill("#password", "wrong");
    await page.click("button.primary");
    await page.getByText("用户名或密码不正确").waitFor();
    assert.strictEqual(await page.inputValue("#name"), "admin");
    await page.fill("#password", PASSWORD);
    await page.click("button.primary");
    await page.waitForURL(`${world.url}/console/users`);
    await page.click("button[aria-label=退出登录]");
    await page.waitForURL(`${world.url}/console/sign-in`);
  }, { expected });
});

test("every page reads well, in both languages, themes and widths", async () => {
  const pages = [
    "/console", "/console/find", `/console/policies/${life.evil}`, `/console/policies/${life.rescinded}`, "/console/users",
    "/console/audit", "/console/account",
  ];
  for (const [viewport, colorScheme, language] of [
    [DESK, "light", "zh-CN"], [DESK, "dark", "en"], [PHONE, "light", "en"], [PHONE, "dark", "zh-CN"],
  ]) {
    await as("admin", async (page) => {
      await go(page, `/console/preferences?language=${language}`);
      for (const address of pages) {
        await go(page, address);
        assert.strictEqual(await page.getAttribute("html", "lang"), language);
        const where = `${address} ${viewport.width} ${colorScheme} ${language}`;
        await axe(page, where);
        const width = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(width <= viewport.width, `${where} is ${width} wide`);
        const text = await page.innerText("body");
        assert.ok(!text.includes("13912312323") && !text.includes("11010119900307123X"), `${where} shows a number`);
      }
    }, { viewport, colorScheme });
  }
});

test("one box finds a policy by whatever names it, and no address tells what was typed", async () => {
  await as("viewer", async (page) => {
    for (const wanted of [life.evil, "010101004178221080402170001", EVIL]) {
      await go(page, "/console");
      await find(page, wanted);
      await page.waitForURL(`${world.url}/console/policies/${life.evil}`);
    }
    await find(page, "11010119900307123X");
    await page.waitForURL(/\/console\/find\//);
    assert.ok(!page.url().includes("1101"), page.url());
    assert.ok((await page.locator("tr[data-open]").count()) > 5);
    await find(page, RARE);
    await page.getByText(life.evil).waitFor();
    await find(page, "没有这个人");
    await page.getByText("没有找到").waitFor();
    await axe(page, "nothing found");
    await find(page, "QS221219154313290T12K25");
    await page.waitForURL(`${world.url}/console/policies/${life.rescinded}`);
  });
});

test("the keyboard goes everywhere", async () => {
  await as("viewer", async (page) => {
    await page.keyboard.press("?");
    await page.locator("#help[open]").waitFor();
    await page.keyboard.press("Escape");
    await page.keyboard.press("/");
    assert.strictEqual(await page.evaluate(() => document.activeElement.id), "search");
    await page.keyboard.type("jk");
    assert.strictEqual(await page.inputValue("#search"), "jk", "keys are letters where one types");
    await page.keyboard.press("Escape");
    await page.keyboard.press("j");
    await page.keyboard.press("j");
    await page.keyboard.press("k");
    await page.keyboard.press("j");
    const second = await page.getAttribute("tr[data-current]", "data-open");
    assert.strictEqual(second, await page.locator("tr[data-open]").nth(1).getAttribute("data-open"));
    await page.keyboard.press("Enter");
    await page.waitForURL(world.url + second);
    await page.keyboard.press("g");
    await page.waitForURL(`${world.url}/console`);
    // From the top of the page, Tab comes to the way past the frame first.
    await page.keyboard.press("Tab");
    assert.strictEqual(await page.evaluate(() => document.activeElement.className), "skip");
  });
});

test("the overview changes while one looks", async () => {
  await as("viewer", async (page) => {
    const number = await world.issue("010101004178221080402170777");
    await page.locator(`tr[data-open="/console/policies/${number}"]`).waitFor({ timeout: 8000 });
    assert.strictEqual(path(page), "/console");
  });
});

test("personal data is shown for a reason, in place, and nothing in it runs", async () => {
  await as("operator", async (page) => {
    await go(page, `/console/policies/${life.evil}`);
    assert.ok(!(await page.innerText("#people")).includes(EVIL));
    await give(page, "show-people", "客户来电核对");
    await page.getByText("本次查看已写入审计日志").waitFor();
    const people = await page.innerText("#people");
    for (const shown of [EVIL, RARE, "11010119900307123X", "13912312323"]) assert.ok(people.includes(shown), shown);
    assert.strictEqual(path(page), `/console/policies/${life.evil}`);
    await axe(page, "people shown");
    await page.reload();
    assert.ok(!(await page.innerText("#people")).includes("13912312323"), "a reload masks it again");
  });
  await as("admin", async (page) => {
    await go(page, "/console/audit?action=people.show");
    await page.getByText("客户来电核对").waitFor();
  });
});

test("the document is shown beside the policy, for a reason", async () => {
  await as("operator", async (page) => {
    await go(page, `/console/policies/${life.evil}`);
    const fetched = page.waitForResponse((response) => response.url().includes("document.pdf"));
    await give(page, "show-document", "理赔查勘");
    const response = await fetched;
    assert.strictEqual(response.status(), 200);
    assert.strictEqual(response.headers()["content-type"], "application/pdf");
    await page.locator("iframe.document").waitFor();
    await page.getByText("下载 PDF").waitFor();
  });
});

test("a policy is surrendered, the platform is told, and what was sent is sent again", async () => {
  await as("operator", async (page) => {
    await go(page, `/console/policies/${life.surrenderable}`);
    await page.click("#surrender");
    const dialog = page.locator("#surrender-dialog");
    await axe(page, "surrender");
    await dialog.locator("#refund").fill("3.50");
    await dialog.locator("input[name=reason]").fill("客户申请退保");
    await dialog.locator("button[type=submit]").click();
    await page.getByText("已退保，并按配置通知平台").waitFor();
    await page.getByText("由 console:operator 提出").waitFor();
    assert.strictEqual(await page.locator("#surrender").count(), 0);
    const delivered = page.locator(".story-event", { hasText: "surrender-sync" }).getByText("已送达");
    await untilReloaded(page, delivered);
    const before = await page.locator(".story-event", { hasText: "次投递通知" }).count();
    await page.locator("button[id^=resend-]").click();
    await page.locator("dialog[open] input[name=reason]").fill("平台称未收到");
    await page.locator("dialog[open] button[type=submit]").click();
    await page.getByText("已安排重发").waitFor();
    await untilReloaded(page, page.locator(".story-event", { hasText: "次投递通知" }).nth(before));
    await page.getByText("看当时的样子").first().click();
    await page.getByText("时的样子。").waitFor();
    await page.getByText("回到现在").click();
    await page.waitForURL(`${world.url}/console/policies/${life.surrenderable}`);
  });
});

// Asks again until something is there; a notice takes a moment.
async function untilReloaded(page, locator) {
  for (let tries = 0; tries < 20; tries += 1) {
    if ((await locator.count()) > 0) return;
    await new Promise((resolve) => setTimeout(resolve, 250));
    await go(page, path(page).split("?")[0]);
  }
  assert.fail(`${locator} did not come`);
}

test("a viewer looks and cannot act", async () => {
  await as("viewer", async (page) => {
    await go(page, `/console/policies/${life.evil}`);
    for (const id of ["show-people", "show-document", "surrender"]) assert.strictEqual(await page.locator(`#${id}`).count(), 0);
    const response = await go(page, "/console/users");
    assert.strictEqual(response.status(), 403);
    await page.getByText("您的角色不能这样做").waitFor();
    await axe(page, "role missing");
  }, { expected: [/403/] });
});

test("an admin manages users, and each changes their own password", async () => {
  await as("admin", async (page) => {
    await go(page, "/console/users");
    await page.fill("#new-name", "Wang.Wu");
    await page.selectOption("#new-role", "operator");
    await page.fill("#new-password", PASSWORD);
    await page.click("text=添加用户 >> nth=-1");
    await page.getByText("已添加用户。").waitFor();
    const row = page.locator("tr", { hasText: "wang.wu" });
    await row.getByRole("button", { name: "更改角色" }).click();
    await page.locator("dialog[open] select").selectOption("viewer");
    await page.locator("dialog[open] input[name=reason]").fill("转岗");
    await page.locator("dialog[open] button[type=submit]").click();
    await page.getByText("已保存。").waitFor();
    await row.locator("td[data-label=角色]", { hasText: "只读" }).waitFor();
  });
  await as("wang.wu", async (page) => {
    await go(page, "/console/account");
    await page.fill("#current", PASSWORD);
    await page.fill("#new", `${PASSWORD} 2`);
    await page.click("main form button[type=submit]");
    await page.getByText("密码已修改").waitFor();
  });
  await as("admin", async (page) => {
    await go(page, "/console/users");
    const row = page.locator("tr", { hasText: "wang.wu" });
    await row.getByRole("button", { name: "停用" }).click();
    await page.locator("dialog[open] input[name=reason]").fill("离职");
    await page.locator("dialog[open] button[type=submit]").click();
    await row.getByText("已停用").waitFor();
    await go(page, "/console/audit?subject=user%3Awang.wu");
    for (const reason of ["转岗", "离职"]) await page.getByText(reason).waitFor();
  });
});

test("English and the dark are a click away and stay", async () => {
  await as("viewer", async (page) => {
    await page.click("a[lang=en]");
    await page.getByRole("heading", { name: "Overview" }).waitFor();
    await page.click("a[aria-label='Colours: as the system']");
    await page.click("a[aria-label='Colours: light']");
    await go(page, "/console/find");
    assert.strictEqual(await page.getAttribute("html", "data-theme"), "dark");
    await page.getByRole("heading", { name: "Find" }).waitFor();
    await page.click("a[lang=zh-CN]");
    await page.getByRole("heading", { name: "查保单" }).waitFor();
  });
});

test("without scripts, the pages still do their work", async () => {
  await as("operator", async (page) => {
    await find(page, life.evil);
    await page.waitForURL(`${world.url}/console/policies/${life.evil}`);
    assert.ok((await page.innerText("h1")).includes(life.evil));
  }, { javaScriptEnabled: false });
});

test("on a telephone the menu opens, and tables become cards", async () => {
  await as("viewer", async (page) => {
    assert.strictEqual(await page.locator("#side").isVisible(), false);
    await page.click("button[aria-label=菜单]");
    await page.locator("#side").waitFor({ state: "visible" });
    await page.click("#side >> text=查保单");
    await page.waitForURL(`${world.url}/console/find`);
  }, { viewport: PHONE });
});

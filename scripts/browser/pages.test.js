// Every page: that it reads well and for everybody, in both languages, themes and widths, and how one gets around.
"use strict";

const assert = require("node:assert");
const { test } = require("node:test");
const { EVIL, ID_NUMBER, PHONE_NUMBER, RARE } = require("./world.js");
const { Bench, DESK, PHONE, accessible } = require("./harness.js");

const bench = new Bench({ populated: true });
const HAN = /\p{Script=Han}/u;

// The first page that a list leads to.
async function first(page, address, within = "main") {
  await bench.go(page, address);
  const row = page.locator(`${within} tr[data-open]`).first();
  return row.getAttribute("data-open");
}

// Every page of the console, with what has to be looked up for the address.
async function addresses(page) {
  const { life } = bench;
  return [
    "/console", "/console/find", `/console/policies/${life.evil}`, `/console/policies/${life.rescinded}`,
    "/console/recoveries", "/console/recoveries?odd=unmatched", "/console/messages", "/console/messages?key=nowhere",
    await first(page, "/console/messages?verdict=refused"), await first(page, "/console/messages?verdict=accepted"),
    "/console/strangers", await first(page, "/console/strangers"), "/console/explain", "/console/deliveries",
    await first(page, "/console/deliveries?state=dead"), "/console/deliveries/resend?state=dead",
    "/console/deliveries/skip?state=dead", "/console/conflicts",
    await first(page, "/console/conflicts"), "/console/channels", "/console/channels/qimen/policy-issuing",
    "/console/channels/avatar/rescission-notice", "/console/channels/notices/surrender-sync", "/console/users",
    "/console/audit", "/console/account", "/console/nowhere",
  ];
}

// What of the frame, the headings and the forms is not translated.
async function untranslated(page) {
  const texts = await page.evaluate(() => {
    const chosen = document.querySelectorAll("title, h1, h2, h3, th, dt, label, button, legend, nav a, summary, .tile-name");
    const shown = [...chosen].map((element) => element.textContent);
    const attributes = ["aria-label", "placeholder", "title"].flatMap((name) =>
      [...document.querySelectorAll(`[${name}]`)].map((element) => element.getAttribute(name)));
    const cells = [...document.querySelectorAll("td[data-label]")].map((cell) => cell.dataset.label);
    return [...shown, ...attributes, ...cells];
  });
  // The way to the other language is in that language.
  return [...new Set(texts)].filter((text) => HAN.test(text) && text.trim() !== "中文");
}

for (const [viewport, language] of [[DESK, "zh-CN"], [PHONE, "en"]]) {
  test(`every page reads well at ${viewport.width} px in ${language}, light and dark`, async () => {
    await bench.as("admin", async (page) => {
      await bench.go(page, `/console/preferences?language=${language}`);
      for (const address of await addresses(page)) {
        await bench.go(page, address);
        assert.strictEqual(await page.getAttribute("html", "lang"), language);
        for (const colorScheme of ["light", "dark"]) {
          await page.emulateMedia({ colorScheme });
          await accessible(page, `${address} ${viewport.width} ${colorScheme} ${language}`);
        }
        const width = await page.evaluate(() => document.documentElement.scrollWidth);
        assert.ok(width <= viewport.width, `${address} is ${width} wide`);
        const text = await page.innerText("body");
        assert.ok(!text.includes(PHONE_NUMBER) && !text.includes(ID_NUMBER), `${address} shows a number`);
        if (language === "en") assert.deepStrictEqual(await untranslated(page), [], address);
      }
    }, { viewport, expected: [/404/] });
  });
}

test("what others write is shown as text, wherever it is shown", async () => {
  await bench.as("operator", async (page) => {
    for (const [address, ...shown] of [
      ["/console/recoveries", `R-1-${EVIL}`, `R-3-${RARE}`],
      ["/console/messages", `R-1-${EVIL}`, `R-3-${RARE}`],
      ["/console/deliveries", `A-${EVIL}${RARE}`],
      [`/console/policies/${bench.life.evil}`, `R-1-${EVIL}`, `R-3-${RARE}`],
    ]) {
      await bench.go(page, address);
      const text = await page.innerText("main");
      for (const one of shown) assert.ok(text.includes(one), `${address} lacks ${one}`);
      assert.strictEqual(await page.locator("main script").count(), 0, address);
    }
  });
});

test("one box finds a policy by whatever names it, and no address tells what was typed", async () => {
  const { life } = bench;
  const find = async (page, wanted) => {
    await page.fill("#search", wanted);
    await page.press("#search", "Enter");
    await page.waitForLoadState();
  };
  await bench.as("viewer", async (page) => {
    for (const [wanted, policy] of [
      [life.evil, life.evil], ["010101004178221080402170101", life.numbers[1]], ["QS221219154313290T12K25", life.rescinded],
    ]) {
      await bench.go(page, "/console");
      await find(page, wanted);
      await page.waitForURL(`${bench.world.url}/console/policies/${policy}`);
    }
    // An identifier that came twice with different content names two things.
    await find(page, "010101004178221080402170001");
    await page.locator(`tr[data-open='/console/policies/${life.evil}']`).waitFor();
    await page.locator("tr[data-open^='/console/messages/']", { hasText: "冲突" }).waitFor();
    for (const wanted of [EVIL, RARE, ID_NUMBER]) {
      await find(page, wanted);
      await page.waitForURL(/\/console\/(find|policies)\//);
      assert.ok(!page.url().includes("1101") && !page.url().includes("script"), page.url());
      await page.getByText(life.evil).first().waitFor();
    }
    assert.ok((await page.locator("tr[data-open]").count()) > 5);
    await find(page, "A-REFUSED");
    await page.locator("tr[data-open^='/console/messages/']").first().waitFor();
    await find(page, "没有这个人");
    await page.getByText("没有找到").waitFor();
    await accessible(page, "nothing found");
  });
});

test("the keyboard goes everywhere", async () => {
  await bench.as("viewer", async (page) => {
    await bench.go(page, "/console");
    await page.keyboard.press("?");
    await page.locator("#help[open]").waitFor();
    await accessible(page, "help");
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
    await page.waitForURL(bench.world.url + second);
    await page.keyboard.press("g");
    await page.waitForURL(`${bench.world.url}/console`);
    // From the top of the page, Tab comes to the way past the frame first.
    await page.keyboard.press("Tab");
    assert.strictEqual(await page.evaluate(() => document.activeElement.className), "skip");
  });
});

test("what needs a person comes first, and leads to a list of just that", async () => {
  await bench.as("viewer", async (page) => {
    await bench.go(page, "/console");
    const follow = async (text, address) => {
      await bench.go(page, "/console");
      await page.locator(".attention-item a", { hasText: text }).click();
      await page.waitForURL(bench.world.url + address);
    };
    await bench.untilReloaded(page, page.locator(".attention-item a", { hasText: "条通知成了死信" }));
    await follow("条通知成了死信", "/console/deliveries?state=dead");
    const states = await page.locator("td[data-label=状态]").allInnerTexts();
    assert.ok(states.length > 0 && states.every((state) => state.includes("死信")), states.join());
    await follow("没有对应的保单", "/console/recoveries?odd=unmatched");
    assert.deepStrictEqual(await page.locator("td[data-label=幂等号]").allInnerTexts(), ["R-2"]);
    await follow("金额对不上", "/console/recoveries?odd=discrepant");
    assert.deepStrictEqual(await page.locator("td[data-label=幂等号]").allInnerTexts(), [`R-3-${RARE}`]);
    await follow("次幂等冲突", "/console/conflicts");
    assert.strictEqual(await page.locator("tr[data-open]").count(), 1);
    await follow("未受理", "/console/strangers");
    assert.strictEqual(await page.locator("tr[data-open]").count(), 1);
  });
});

test("the overview changes while one looks", async () => {
  await bench.as("viewer", async (page) => {
    await bench.go(page, "/console");
    const number = await bench.world.issue("010101004178221080402170777");
    await page.locator(`tr[data-open="/console/policies/${number}"]`).waitFor({ timeout: 8000 });
    assert.strictEqual(bench.address(page), "/console");
  });
});

test("messages arrive while one looks, and a filter keeps to what it asks for", async () => {
  await bench.as("viewer", async (page) => {
    await bench.go(page, "/console/messages");
    await bench.world.recover("R-live", bench.life.evil);
    await page.locator("td", { hasText: "R-live" }).waitFor({ timeout: 8000 });
    await page.selectOption("#interface", "qimen/recovery");
    await page.selectOption("#verdict", "accepted");
    await page.click("form.filter button[type=submit]");
    await page.waitForURL(/interface=qimen%2Frecovery/);
    const names = await page.locator("td[data-label=接口]").allInnerTexts();
    assert.ok(names.length >= 4 && names.every((name) => name === "追缴"), names.join());
    await page.click("text=清空");
    await page.waitForURL(`${bench.world.url}/console/messages`);
  });
});

test("English and the dark are a click away and stay", async () => {
  await bench.as("viewer", async (page) => {
    await bench.go(page, "/console");
    await page.click("a[lang=en]");
    await page.getByRole("heading", { name: "Overview" }).waitFor();
    await page.click("a[aria-label='Colours: as the system']");
    await page.click("a[aria-label='Colours: light']");
    await bench.go(page, "/console/find");
    assert.strictEqual(await page.getAttribute("html", "data-theme"), "dark");
    await page.getByRole("heading", { name: "Find" }).waitFor();
    await page.click("a[lang=zh-CN]");
    await page.getByRole("heading", { name: "查保单" }).waitFor();
  });
});

test("without scripts, the pages still do their work", async () => {
  await bench.as("operator", async (page) => {
    await bench.go(page, "/console");
    await page.fill("#search", bench.life.evil);
    await page.press("#search", "Enter");
    await page.waitForURL(`${bench.world.url}/console/policies/${bench.life.evil}`);
    assert.ok((await page.innerText("h1")).includes(bench.life.evil));
  }, { javaScriptEnabled: false });
});

test("on a telephone the menu opens, and tables become cards", async () => {
  await bench.as("viewer", async (page) => {
    await bench.go(page, "/console");
    assert.strictEqual(await page.locator("#side").isVisible(), false);
    await page.click("button[aria-label=菜单]");
    await page.locator("#side").waitFor({ state: "visible" });
    await page.click("#side >> text=查保单");
    await page.waitForURL(`${bench.world.url}/console/find`);
  }, { viewport: PHONE });
});

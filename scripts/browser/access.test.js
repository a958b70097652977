// Who gets in, and what whose role allows.
"use strict";

const assert = require("node:assert");
const { test } = require("node:test");
const { PASSWORD } = require("./world.js");
const { Bench, accessible, answer } = require("./harness.js");

const bench = new Bench({ populated: false });

async function tryPassword(page, name, password) {
  await page.fill("#name", name);
  await page.fill("#password", password);
  await page.click("button.primary");
}

test("before there are users, the sign-in page says how to add the first", async () => {
  await bench.as(null, async (page) => {
    await bench.go(page, "/console");
    assert.strictEqual(bench.address(page), "/console/sign-in?back=%2Fconsole");
    await page.getByText("还没有任何用户").waitFor();
    await accessible(page, "sign-in without users");
  });
  await bench.populate();
});

test("a wrong password is told, and the right one leads on to where one wanted to go; and out again", async () => {
  await bench.as(null, async (page) => {
    await bench.go(page, "/console/users");
    await tryPassword(page, "admin", "wrong");
    await page.getByText("用户名或密码不正确").waitFor();
    await accessible(page, "a wrong password");
    assert.strictEqual(await page.inputValue("#name"), "admin");
    await page.fill("#password", PASSWORD);
    await page.click("button.primary");
    await page.waitForURL(`${bench.world.url}/console/users`);
    await page.click("button[aria-label=退出登录]");
    await page.waitForURL(`${bench.world.url}/console/sign-in`);
    await bench.go(page, "/console/users");
    assert.strictEqual(bench.address(page), "/console/sign-in?back=%2Fconsole%2Fusers");
  }, { expected: [/403/] });
});

test("who guesses has to wait, even with the right password", async () => {
  bench.world.addUser("guessed", "viewer");
  await bench.as(null, async (page) => {
    await bench.go(page, "/console/sign-in");
    for (let times = 0; times < 6; times += 1) {
      await tryPassword(page, "guessed", `wrong ${times}`);
      await page.getByText(/用户名或密码不正确|失败次数过多/).waitFor();
    }
    await tryPassword(page, "guessed", PASSWORD);
    await page.getByText(/失败次数过多，请在 \d+ 秒后再试/).waitFor();
    await accessible(page, "too many failures");
  }, { expected: [/403/, /429/] });
});

test("a viewer looks and cannot act", async () => {
  const { life } = bench;
  await bench.as("viewer", async (page) => {
    await bench.go(page, "/console/messages");
    const message = await page.locator("tr[data-open]").first().getAttribute("data-open");
    const actions = {
      [`/console/policies/${life.evil}`]: ["#show-people", "#show-document", "#surrender", "button[id^=resend-]"],
      "/console/deliveries": ["a[href^='/console/deliveries/resend']", "a[href^='/console/deliveries/skip']"],
      "/console/deliveries/1": ["#resend", "#skip", "#show"],
      [message]: ["#show"],
      "/console/strangers/1": ["#show"],
      "/console/channels/qimen/policy-issuing": ["#body"],
    };
    for (const [address, controls] of Object.entries(actions)) {
      const response = await bench.go(page, address);
      assert.strictEqual(response.status(), 200, address);
      for (const control of controls) assert.strictEqual(await page.locator(control).count(), 0, `${address} ${control}`);
    }
    for (const address of [
      "/console/users", "/console/audit", "/console/deliveries/resend?state=dead", "/console/deliveries/skip?state=dead",
    ]) {
      const response = await bench.go(page, address);
      assert.strictEqual(response.status(), 403, address);
      await page.getByText("您的角色不能这样做").waitFor();
    }
    await accessible(page, "role missing");
    assert.strictEqual(await page.locator("nav >> text=审计日志").count(), 0);
    // Who makes the form by hand is refused as well.
    await bench.go(page, `/console/policies/${life.surrenderable}`);
    const refused = await page.evaluate(async (address) => {
      const token = document.querySelector("input[name=form_token]").value;
      const body = new URLSearchParams({ form_token: token, reason: "试试看", key: "k", refund_money: "", surrender_time: "", endorsement_no: "" });
      return (await fetch(address, { method: "POST", body })).status;
    }, `/console/policies/${life.surrenderable}/surrender`);
    assert.strictEqual(refused, 403);
  }, { expected: [/403/] });
});

test("an operator acts and manages nobody", async () => {
  await bench.as("operator", async (page) => {
    for (const address of ["/console/users", "/console/audit"]) {
      const response = await bench.go(page, address);
      assert.strictEqual(response.status(), 403, address);
    }
  }, { expected: [/403/] });
});

test("an admin manages users, and each changes their own password", async () => {
  const newPassword = `${PASSWORD} 2`;
  await bench.as("admin", async (page) => {
    await bench.go(page, "/console/users");
    await page.fill("#new-name", "Wang.Wu");
    await page.selectOption("#new-role", "operator");
    await page.fill("#new-password", PASSWORD);
    await page.click("text=添加用户 >> nth=-1");
    await page.getByText("已添加用户。").waitFor();
    const row = page.locator("tr", { hasText: "wang.wu" });
    await row.getByRole("button", { name: "更改角色" }).click();
    await page.locator("dialog[open] select").selectOption("viewer");
    await answer(page.locator("dialog[open]"), "转岗");
    await page.getByText("已保存。").waitFor();
    await row.locator("td[data-label=角色]", { hasText: "只读" }).waitFor();
  });
  await bench.as("wang.wu", async (page) => {
    await bench.go(page, "/console/account");
    await page.fill("#current", PASSWORD);
    await page.fill("#new", newPassword);
    await page.click("main form button[type=submit]");
    await page.getByText("密码已修改").waitFor();
  });
  await bench.as("admin", async (page) => {
    await bench.go(page, "/console/users");
    const row = page.locator("tr", { hasText: "wang.wu" });
    await row.getByRole("button", { name: "停用" }).click();
    await answer(page.locator("dialog[open]"), "离职");
    await row.getByText("已停用").waitFor();
    await bench.go(page, "/console/audit?subject=user%3Awang.wu");
    for (const reason of ["转岗", "离职"]) await page.getByText(reason).waitFor();
  });
  // The session of somebody who is disabled ends.
  await bench.as("wang.wu", async (page) => {
    await bench.go(page, "/console");
    assert.strictEqual(bench.address(page), "/console/sign-in?back=%2Fconsole");
    await tryPassword(page, "wang.wu", newPassword);
    await page.getByText("该用户已停用").waitFor();
  }, { expected: [/403/] });
});

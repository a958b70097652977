// What people do: each with a reason, each told of, each in the audit log.
"use strict";

const assert = require("node:assert");
const { test } = require("node:test");
const { EVIL, ID_NUMBER, ISSUING, PHONE_NUMBER, RARE } = require("./world.js");
const { Bench, accessible, answer, give } = require("./harness.js");

const bench = new Bench({ populated: true });

// That the audit log has these, with who did it.
async function audited(...reasons) {
  await bench.as("admin", async (page) => {
    await bench.go(page, "/console/audit");
    for (const reason of reasons) {
      const row = page.locator("tr", { hasText: reason }).first();
      await row.getByText("operator").waitFor();
    }
    assert.strictEqual(await page.locator("main script").count(), 0);
  });
}

async function firstOf(page, address) {
  await bench.go(page, address);
  return page.locator("tr[data-open]").first().getAttribute("data-open");
}

test("personal data is shown for a reason, in place, and nothing in it runs", async () => {
  const address = `/console/policies/${bench.life.evil}`;
  await bench.as("operator", async (page) => {
    await bench.go(page, address);
    assert.ok(!(await page.innerText("#people")).includes(EVIL));
    await give(page, "show-people", `客户来电核对 ${EVIL}`);
    await page.getByText("本次查看已写入审计日志").waitFor();
    const people = await page.innerText("#people");
    for (const shown of [EVIL, RARE, ID_NUMBER, PHONE_NUMBER]) assert.ok(people.includes(shown), shown);
    assert.strictEqual(bench.address(page), address);
    await accessible(page, "people shown");
    await page.reload();
    assert.ok(!(await page.innerText("#people")).includes(PHONE_NUMBER), "a reload masks it again");
  });
  await audited(`客户来电核对 ${EVIL}`);
});

test("the document is shown beside the policy, for a reason", async () => {
  await bench.as("operator", async (page) => {
    await bench.go(page, `/console/policies/${bench.life.evil}`);
    const fetched = page.waitForResponse((response) => response.url().includes("document.pdf"));
    await give(page, "show-document", "理赔查勘");
    const response = await fetched;
    assert.strictEqual(response.status(), 200);
    assert.strictEqual(response.headers()["content-type"], "application/pdf");
    await page.locator("iframe.document").waitFor();
    await page.getByText("下载 PDF").waitFor();
  });
  await audited("理赔查勘");
});

test("a policy is surrendered, the platform is told, and what was sent is sent again", async () => {
  const address = `/console/policies/${bench.life.surrenderable}`;
  await bench.as("operator", async (page) => {
    await bench.go(page, address);
    await page.click("#surrender");
    const dialog = page.locator("#surrender-dialog");
    await accessible(page, "surrender");
    await dialog.getByRole("button", { name: "取消" }).click();
    await dialog.waitFor({ state: "hidden" });
    await page.click("#surrender");
    // What was typed comes back, to be confirmed or mended.
    await dialog.locator("#refund").fill("2000000");
    await answer(dialog, "客户申请退保");
    await dialog.getByRole("checkbox").waitFor();
    await accessible(page, "surrender again");
    assert.strictEqual(await dialog.evaluate((element) => element.matches(":modal")), true);
    assert.strictEqual(await dialog.locator("input[name=reason]").inputValue(), "客户申请退保");
    await dialog.locator("#refund").fill("3.50");
    await dialog.getByRole("button", { name: "退保" }).click();
    await page.getByText("已退保，并按配置通知平台").waitFor();
    await page.getByText("由 console:operator 提出").waitFor();
    assert.strictEqual(await page.locator("#surrender").count(), 0);
    const attempts = page.locator(".story-event", { hasText: "次投递通知" });
    const delivered = page.locator(".story-event", { hasText: "退保信息同步" }).getByText("已送达");
    await bench.untilReloaded(page, delivered);
    const before = await attempts.count();
    await page.locator("button[id^=resend-]").click();
    await answer(page.locator("dialog[open]"), "平台称未收到");
    await page.getByText("已安排重发").waitFor();
    await bench.untilReloaded(page, attempts.nth(before));
    await page.getByText("看当时的样子").first().click();
    await page.getByText("时的样子。").waitFor();
    await page.getByText("回到现在").click();
    await page.waitForURL(bench.world.url + address);
  }, { expected: [/status of 422/] });
  await audited("客户申请退保", "平台称未收到");
});

test("a dead letter says why; it is sent again, and what waited behind it goes on once it is skipped", async () => {
  await bench.as("operator", async (page) => {
    const waiting = page.locator("tr", { hasText: "A-REFUSED" }).locator("td", { hasText: "条在等它" });
    await bench.go(page, "/console/deliveries");
    await bench.untilReloaded(page, waiting);
    const queue = page.locator("section tr[data-open]", { hasText: "A-REFUSED" }).first();
    const address = await queue.getAttribute("data-open");
    await bench.go(page, address);
    await page.getByText("isv.invalid-parameter").first().waitFor();
    await accessible(page, "a dead letter");
    await give(page, "resend", "平台已修复");
    await page.getByText("已安排重发").waitFor();
    await bench.untilReloaded(page, page.locator("tbody tr").nth(1));
    await give(page, "show", "与平台核对内容");
    await page.locator("#said pre", { hasText: "非法参数" }).first().waitFor();
    assert.ok((await page.innerText("#said")).includes(EVIL));
    await bench.go(page, address);
    await bench.untilReloaded(page, page.locator("h1 >> text=死信"));
    await give(page, "skip", "平台确认作废");
    await page.getByText("已跳过，同主题后面的通知继续发送").waitFor();
    await page.locator("h1 >> text=已跳过").waitFor();
    assert.strictEqual(await page.locator("#skip").count(), 0);
  });
  await audited("平台已修复", "与平台核对内容", "平台确认作废");
});

test("many are sent again by a filter, after it was said how many", async () => {
  await bench.as("operator", async (page) => {
    await bench.go(page, "/console/deliveries");
    await page.click("text=重发符合条件的…");
    await page.getByText("请至少选择一个条件").waitFor();
    await page.selectOption("#state", "dead");
    await page.selectOption("#kind", "surrender-sync");
    await page.click("form.filter button[type=submit]");
    const counted = await page.getByRole("heading", { name: /符合条件的通知共 \d+ 条/ }).innerText();
    const count = Number(counted.match(/\d+/)[0]);
    assert.ok(count > 0, counted);
    await page.fill("#reason", "平台恢复后重发");
    await page.click(`text=重发这 ${count} 条`);
    await page.getByText(new RegExp(`已安排重发：${count} 条立即发送`)).waitFor();
  });
  await audited("平台恢复后重发");
});

test("what was said is shown for a reason, and why it was believed", async () => {
  await bench.as("operator", async (page) => {
    await bench.go(page, await firstOf(page, "/console/messages?verdict=refused&interface=qimen%2Fpolicy-issuing"));
    await page.getByRole("heading", { name: "验签过程" }).waitFor();
    await give(page, "show", "协助平台排查");
    await page.locator("#said pre", { hasText: EVIL }).first().waitFor();
    await accessible(page, "a message shown");
    await bench.go(page, await firstOf(page, "/console/strangers"));
    await page.getByText("不通过").first().waitFor();
    await give(page, "show", "协助对方排查验签");
    await page.locator("#said pre").first().waitFor();
    await accessible(page, "a stranger shown");
  });
  await audited("协助平台排查", "协助对方排查验签");
});

test("a conflict shows the fields that differ, and the hidden ones for a reason", async () => {
  await bench.as("operator", async (page) => {
    await bench.go(page, await firstOf(page, "/console/conflicts"));
    await page.locator("td", { hasText: "2018" }).first().waitFor();
    assert.ok(!(await page.innerText("#compared")).includes(EVIL));
    await give(page, "show", "核对两份内容");
    await page.locator("#compared td", { hasText: EVIL }).first().waitFor();
    await page.locator("#compared td", { hasText: RARE }).first().waitFor();
    await accessible(page, "a conflict shown");
  });
  await audited("核对两份内容");
});

test("a call is tried: checked without a trace, or really sent", async () => {
  const { world } = bench;
  await bench.as("operator", async (page) => {
    const address = "/console/channels/qimen/policy-issuing";
    const tree = world.application("010101004178221080402178001");
    await bench.go(page, address);
    await page.fill("#body", JSON.stringify(tree));
    await page.getByRole("button", { name: "只校验" }).click();
    await page.getByText("校验通过：作为幂等号 010101004178221080402178001").waitFor();
    await accessible(page, "a call checked");
    await page.fill("#body", JSON.stringify({ ...tree, currency: EVIL }));
    await page.getByRole("button", { name: "只校验" }).click();
    await page.locator(".notice", { hasText: "会被拒绝" }).waitFor();
    assert.ok((await page.innerText(".notice")).includes(EVIL));
    await page.fill("#body", JSON.stringify({ ...tree, attrs: { note: RARE } }));
    await page.selectOption("#charset", "gbk");
    await page.getByRole("button", { name: "只校验" }).click();
    await page.getByText("报文体中有 GBK 没有的字符").waitFor();
    await page.selectOption("#charset", "utf8");
    await page.getByRole("button", { name: "真的发送" }).click();
    await page.getByText("没有发送：请填写事由").waitFor();
    await page.fill("#reason", "联调");
    await page.getByRole("button", { name: "真的发送" }).click();
    await page.getByRole("heading", { name: "应答（HTTP 200）" }).waitFor();
    const number = (await page.innerText("main")).match(/"policyNo":"(\w+)"/)[1];
    await bench.go(page, `/console/policies/${number}`);
    await page.getByText("010101004178221080402178001").first().waitFor();
    // Avatar has no signature: who calls is told by the address.
    await bench.go(page, "/console/channels/avatar/rescission-notice");
    await page.getByRole("button", { name: "只校验" }).click();
    await page.locator(".notice").waitFor();
    await accessible(page, "a rescission checked");
  });
  await audited("联调");
});

test("somebody plays the platform and sees the verdict", async () => {
  await bench.as("viewer", async (page) => {
    await bench.go(page, "/console/channels/notices/auction-result");
    await page.getByRole("button", { name: "判定" }).click();
    await page.getByRole("heading", { name: "判定结果" }).waitFor();
    await page.locator("[role=status]", { hasText: "已送达" }).waitFor();
    await page.fill("#status", "200");
    await page.fill("#body", `<html>${EVIL}</html>`);
    await page.getByRole("button", { name: "判定" }).click();
    await page.locator("[role=status]", { hasText: "重试" }).waitFor();
    await accessible(page, "a verdict");
  });
});

test("a curl command of somebody else is explained in words to forward", async () => {
  await bench.as("viewer", async (page) => {
    const { url, body } = bench.world.signed(ISSUING, { identifier: "x", note: RARE }, "goodbyeworld ");
    await bench.go(page, "/console/explain");
    await page.fill("#command", `curl -X POST '${url}' -H 'content-type: application/json;charset=utf-8' -d '${body}'`);
    await page.getByRole("button", { name: "解释" }).click();
    await page.getByRole("heading", { name: /结果/ }).waitFor();
    await page.getByText("不通过").first().waitFor();
    await page.getByText(RARE).first().waitFor();
    await accessible(page, "a command explained");
    await page.fill("#command", "curl");
    await page.getByRole("button", { name: "解释" }).click();
    await page.locator(".notice").waitFor();
  });
});

// A gateway of the real binary with the simulated platform behind it, some life in its ledger, and people who sign in.
"use strict";

const { spawn, execFileSync } = require("node:child_process");
const crypto = require("node:crypto");
const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const readline = require("node:readline");

const BINARY = process.env.BAOQIAO;
const APP_KEY = "24589063";
const SECRET = "helloworld";
const ISSUING = "qimen.alibaba.finance.insurance.policy.issuing";
const RECOVERY = "qimen.alibaba.finance.insurance.recovery";
const PASSWORD = "correct horse battery";

// A name that would run, were it not escaped, and one that GBK and the first plane of Unicode do not have.
const EVIL = "<script>alert(1)</script>";
const RARE = "𠮷㐱䶮";

const root = path.join(__dirname, "../..");
const issuingExample = () =>
  JSON.parse(fs.readFileSync(path.join(root, "crates/simulator/golden/issuing-request.json"), "utf8"));

// The moment in GMT+8, as the platform writes it.
const stamp = (moment) => new Date(moment + 8 * 3600e3).toISOString().slice(0, 19).replace("T", " ");

// Starts a process and waits for the line that tells where it listens.
async function started(command, pattern, { from }) {
  const child = spawn(BINARY, command, { stdio: ["ignore", "pipe", "pipe"] });
  const said = [];
  const lines = readline.createInterface({ input: child[from] });
  child[from === "stdout" ? "stderr" : "stdout"].resume();
  const url = await new Promise((resolve, reject) => {
    lines.on("line", (line) => {
      said.push(line);
      const found = line.match(pattern);
      if (found) resolve(found[1]);
    });
    child.on("exit", () => reject(new Error(`it did not start:\n${said.join("\n")}`)));
  });
  return { child, url, said };
}

class World {
  static async start() {
    const world = new World();
    world.directory = fs.mkdtempSync(path.join(os.tmpdir(), "baoqiao-browser-"));
    // Sends every notice back at first, so that there is something to look at; a rule counts each subject by itself.
    world.platform = await started(
      ["simulate", "platform", "--listen", "127.0.0.1:0", "--app", `${APP_KEY}:${SECRET}`],
      /listening on (\S+)/,
      { from: "stdout" },
    );
    execFileSync(BINARY, [
      "init", "--dir", world.directory, "--listen", "127.0.0.1:0", "--app-key", APP_KEY, "--secret", SECRET,
      "--platform", world.platform.url,
    ]);
    world.config = path.join(world.directory, "baoqiao.toml");
    world.gateway = await started(["serve", "--config", world.config], /address=(\S+)/, { from: "stderr" });
    world.url = `http://${world.gateway.url}`;
    return world;
  }

  stop() {
    for (const part of [this.gateway, this.platform]) part?.child.kill();
    fs.rmSync(this.directory, { recursive: true, force: true });
  }

  addUser(name, role) {
    const command = ["user", "add", "--config", this.config, "--name", name, "--role", role];
    execFileSync(BINARY, command, { input: `${PASSWORD}\n` });
  }

  // Sends a Qimen call, signed as the platform does by its documents.
  async call(method, tree, { secret = SECRET } = {}) {
    const body = JSON.stringify(tree);
    const parameters = {
      method, app_key: APP_KEY, timestamp: stamp(Date.now()), format: "json", v: "2.0", sign_method: "md5",
    };
    const joined = Object.keys(parameters).sort().map((name) => name + parameters[name]).join("");
    const sign = crypto.createHash("md5").update(secret + joined + body + secret, "utf8").digest("hex").toUpperCase();
    const query = new URLSearchParams({ ...parameters, sign });
    const response = await fetch(`${this.url}/qimen?${query}`, {
      method: "POST", headers: { "content-type": "application/json;charset=utf-8" }, body,
    });
    return response.json();
  }

  // Issues a policy in force today; returns its number.
  async issue(identifier, changes = {}, options = {}) {
    const now = Date.now();
    const tree = {
      ...issuingExample(), identifier, insureTime: stamp(now - 60e3), effectTime: stamp(now - 60e3),
      expireTime: stamp(now + 40 * 86400e3), ...changes,
    };
    const answer = await this.call(ISSUING, tree, options);
    const found = JSON.stringify(answer).match(/"policyNo":"([^"]+)"/);
    return found ? found[1] : answer;
  }

  async recover(identifier, policyNo, changes = {}) {
    const tree = {
      identifier, policyNo, institution: "CES", productCode: "PERFORMANCE_SURETY_BONDS", recoverTime: stamp(Date.now()),
      recoverAmount: "12", recoverAmountOfCny: "12", currency: "CNY", currencyRate: "1", insureId: "01", ...changes,
    };
    return this.call(RECOVERY, tree);
  }

  async rescind(orderNo, policyNo) {
    const response = await fetch(`${this.url}/avatar/refund/second/refundNotice`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        head: {
          interfaceType: "recissionNotice", orderNo, policySource: "HN_HT_QNW", reqTime: stamp(Date.now()),
          uuid: crypto.randomUUID(),
        },
        secondRefundReq: { policyNo, secondRefundAmount: 6.36 },
      }),
    });
    return response.json();
  }

  // What a working day leaves behind, in little; returns the numbers that tests go by.
  async live() {
    const person = (personName, personLicenseNo) => ({
      personName, personLicenseNo, personPhone: "13912312323", personLicenseType: "IDENTITY_CARD",
      personAddress: "浙江省杭州市余杭区文一西路 969 号", personEmail: "zhang@example.com",
    });
    const parties = (first, second) => ({
      applicantPersonalInfo: person(first, "11010119900307123X"), insuredPersonalInfo: person(second, "31010119900307004X"),
    });
    const evil = await this.issue("010101004178221080402170001", { ...parties(EVIL, RARE), attrs: { note: EVIL } });
    const names = ["欧阳修远", "阿依古丽·买买提", "张三", "李四", "王小丫", RARE];
    const numbers = [];
    for (let i = 0; i < 14; i += 1) {
      const identifier = `0101010041782210804021701${String(i).padStart(2, "0")}`;
      const amount = { amount: `${1018 + i * 100}.0`, amountOfCny: `${1018 + i * 100}.0` };
      const premium = ((1018 + i * 100) * 0.00625).toFixed(2);
      const changes = { ...parties(names[i % names.length], names[(i + 1) % names.length]), ...amount, premium, premiumOfCny: premium };
      numbers.push(await this.issue(identifier, changes));
      if (i % 3 === 0) await this.issue(identifier, changes);
    }
    // A retry, a conflict, a mistake, a stranger.
    await this.issue("010101004178221080402170001", { ...parties(EVIL, RARE), attrs: { note: EVIL }, amount: "2018.0" });
    await this.issue("010101004178221080402170900", { currency: "RMB", premium: "6,36" });
    await this.issue("010101004178221080402170901", {}, { secret: "another" });
    await this.recover("R-1", evil);
    await this.recover("R-2", "822042111010001111008", { recoverAmountOfCny: "1" });
    await this.rescind("QS221219154313290T12K25", numbers[3]);
    return { evil, numbers, surrenderable: numbers[5], rescinded: numbers[3] };
  }
}

module.exports = { World, EVIL, RARE, PASSWORD };

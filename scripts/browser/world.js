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
const OLD_SECRET = "goodbyeworld";
const TOKEN = "0123456789abcdef0123456789abcdef";
const ISSUING = "qimen.alibaba.finance.insurance.policy.issuing";
const RECOVERY = "qimen.alibaba.finance.insurance.recovery";
const PASSWORD = "correct horse battery";

// A name that would run, were it not escaped, and one of characters that GBK and the first plane of Unicode do not have.
const EVIL = "<script>alert(1)</script>";
const RARE = "𠮷㐱䶮𠀀";
const ID_NUMBER = "11010119900307123X";
const PHONE_NUMBER = "13912312323";

// What the platform does with notices that say one of these.
const RULES = [
  `contains = "REFUSED", do = "error", code = 50, sub_code = "isv.invalid-parameter", sub_msg = "非法参数 ${EVIL}"`,
  'contains = "TRICE", times = 2, do = "error", code = 15, sub_code = "isp.service-error"',
  'contains = "DOWN", do = "status"',
];

const root = path.join(__dirname, "../..");
const issuingExample = () =>
  JSON.parse(fs.readFileSync(path.join(root, "crates/simulator/golden/issuing-request.json"), "utf8"));

// The moment in GMT+8, as the platform writes it.
const stamp = (moment) => new Date(moment + 8 * 3600e3).toISOString().slice(0, 19).replace("T", " ");

// A person of a policy.
const person = (personName, personLicenseNo) => ({
  personName, personLicenseNo, personPhone: PHONE_NUMBER, personLicenseType: "IDENTITY_CARD",
  personAddress: "浙江省杭州市余杭区文一西路 969 号", personEmail: "zhang@example.com",
});

const parties = (first, second) => ({
  applicantPersonalInfo: person(first, ID_NUMBER), insuredPersonalInfo: person(second, "31010119900307004X"),
});

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
  // `more` stands at the end of the gateway's configuration.
  static async start(more = "") {
    const world = new World();
    world.more = more;
    world.startedAt = Date.now() - 60e3;
    world.directory = fs.mkdtempSync(path.join(os.tmpdir(), "baoqiao-browser-"));
    try {
      await world.open();
    } catch (error) {
      world.stop();
      throw error;
    }
    return world;
  }

  async open() {
    const rules = RULES.flatMap((rule) => ["--rule", rule]);
    this.platform = await started(
      ["simulate", "platform", "--listen", "127.0.0.1:0", "--app", `${APP_KEY}:${SECRET}`, ...rules],
      /listening on (\S+)/,
      { from: "stdout" },
    );
    execFileSync(BINARY, [
      "init", "--dir", this.directory, "--listen", "127.0.0.1:0", "--app-key", APP_KEY, "--secret", SECRET,
      "--platform", this.platform.url,
    ], { stdio: "pipe" });
    this.config = path.join(this.directory, "baoqiao.toml");
    // A rotation that is under way, and a token for the core system.
    const scopes = '["policies:surrender", "auctions:report", "policies:read"]';
    const text = fs.readFileSync(this.config, "utf8").replace(`secrets = ["${SECRET}"]`, `secrets = ["${SECRET}", "${OLD_SECRET}"]`);
    fs.writeFileSync(this.config, `${text}\n[[api_token]]\nname = "core"\ntoken = "${TOKEN}"\nscopes = ${scopes}\n${this.more}`);
    this.gateway = await started(["serve", "--config", this.config], /address=(\S+)/, { from: "stderr" });
    this.url = `http://${this.gateway.url}`;
  }

  stop() {
    for (const part of [this.gateway, this.platform]) part?.child.kill();
    fs.rmSync(this.directory, { recursive: true, force: true });
  }

  addUser(name, role) {
    const command = ["user", "add", "--config", this.config, "--name", name, "--role", role];
    execFileSync(BINARY, command, { input: `${PASSWORD}\n`, stdio: "pipe" });
  }

  // A Qimen call's address and body, signed as the platform does by its documents.
  signed(method, tree, secret = SECRET) {
    const body = JSON.stringify(tree);
    const parameters = {
      method, app_key: APP_KEY, timestamp: stamp(Date.now()), format: "json", v: "2.0", sign_method: "md5",
    };
    const joined = Object.keys(parameters).sort().map((name) => name + parameters[name]).join("");
    const sign = crypto.createHash("md5").update(secret + joined + body + secret, "utf8").digest("hex").toUpperCase();
    return { url: `${this.url}/qimen?${new URLSearchParams({ ...parameters, sign })}`, body };
  }

  async call(method, tree, { secret } = {}) {
    const { url, body } = this.signed(method, tree, secret);
    const headers = { "content-type": "application/json;charset=utf-8" };
    return (await fetch(url, { method: "POST", headers, body })).json();
  }

  // An application for a policy that is in force: the same whenever it is asked for, so that it may be sent again.
  application(identifier, changes = {}) {
    const from = this.startedAt;
    return {
      ...issuingExample(), identifier, insureTime: stamp(from), effectTime: stamp(from),
      expireTime: stamp(from + 40 * 86400e3), ...changes,
    };
  }

  // Issues a policy; returns its number, or else the answer.
  async issue(identifier, changes = {}, options = {}) {
    const answer = await this.call(ISSUING, this.application(identifier, changes), options);
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

  // An order of the core system.
  async order(address, tree) {
    const response = await fetch(`${this.url}/api/v1${address}`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${TOKEN}`, "content-type": "application/json", "idempotency-key": crypto.randomUUID(),
      },
      body: JSON.stringify(tree),
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(`${address}: ${JSON.stringify(answer)}`);
    return answer;
  }

  surrender(policyNo, endorsementNo) {
    const surrenderTime = new Date().toISOString();
    return this.order(`/policies/${policyNo}/surrender`, { surrenderTime, refundMoney: "3.50", endorsementNo });
  }

  report(bizId, stage = 1, bankAccountManagerName = EVIL) {
    return this.order(`/auctions/${encodeURIComponent(bizId)}/stages`, {
      partner: "alibaba", insuranceType: 1, stage, status: 1, timeOfOccurrence: new Date().toISOString(),
      bankAccountManagerName,
    });
  }

  // What a working day leaves behind, in little; returns the numbers that tests go by. The two texts stand
  // wherever a text is somebody else's.
  async live(evilText = EVIL, rareText = RARE) {
    const first = { ...parties(evilText, rareText), attrs: { note: evilText } };
    const evil = await this.issue("010101004178221080402170001", first);
    const names = ["欧阳修远", "阿依古丽·买买提", "张三", "李四", "王小丫", rareText];
    const numbers = [];
    for (let i = 0; i < 14; i += 1) {
      const identifier = `0101010041782210804021701${String(i).padStart(2, "0")}`;
      const amount = { amount: `${1018 + i * 100}.0`, amountOfCny: `${1018 + i * 100}.0` };
      const premium = ((1018 + i * 100) * 0.00625).toFixed(2);
      const people = parties(names[i % names.length], names[(i + 1) % names.length]);
      const changes = { ...people, ...amount, premium, premiumOfCny: premium };
      const secret = i % 4 === 1 ? OLD_SECRET : SECRET;
      numbers.push(await this.issue(identifier, changes, { secret }));
      if (i % 3 === 0) await this.issue(identifier, changes);
    }
    // A retry with other content, a mistake, a stranger, one who does not know the method.
    await this.issue("010101004178221080402170001", { ...parties(rareText, evilText), attrs: { note: rareText }, amount: "2018.0" });
    await this.issue(`0101010041782210804021709${evilText}`, { currency: evilText, premium: "6,36" });
    await this.issue("010101004178221080402170901", {}, { secret: "another" });
    await this.call(`qimen.${evilText}`, { identifier: rareText });
    await this.recover(`R-1-${evilText}`, evil);
    await this.recover("R-2", "822042111010001111008", { institution: evilText });
    await this.recover(`R-3-${rareText}`, evil, { recoverAmountOfCny: "1" });
    await this.rescind("QS221219154313290T12K25", numbers[3]);
    // One notice that is refused, one that comes through at the third attempt, one whose platform is down.
    await this.surrender(numbers[6], "E-REFUSED");
    await this.surrender(numbers[7], "E-TRICE");
    await this.surrender(numbers[8], "E-DOWN");
    await this.report(`A-${evilText}${rareText}`);
    await this.report("A-REFUSED");
    await this.report("A-REFUSED", 2);
    return { evil, numbers, surrenderable: numbers[5], rescinded: numbers[3], refused: numbers[6] };
  }
}

module.exports = { World, EVIL, RARE, PASSWORD, ID_NUMBER, PHONE_NUMBER, ISSUING };

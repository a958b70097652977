// The service that most teams run today, kept as a yardstick: fastify and pg, one transaction a request.
//
// Same checks and rows as the gateway (signature, timestamp, required fields, idempotency with byte-for-byte answers,
// conflicts); it seals nothing. Arguments: DATABASE_URL APP_KEY SECRET.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import Fastify from 'fastify';

const pg = createRequire(import.meta.url)('pg');
const [database, appKey, secret] = process.argv.slice(2);
const WINDOW_MS = 10 * 60 * 1000;
const REQUIRED = ['identifier', 'insureId', 'productCode', 'insureTime', 'effectTime', 'expireTime', 'amount', 'premium',
  'premiumOfCny', 'currency', 'currencyRate'];
const DECIMAL = /^\d+(\.\d+)?$/;
const PEOPLE = [['applicantPersonalInfo', 'personLicenseNo'], ['applicantPersonalInfo', 'personPhone'],
  ['insuredPersonalInfo', 'personLicenseNo'], ['insuredPersonalInfo', 'personPhone'],
  ['applicantCompanyInfo', 'companyLicenseNo'], ['insuredCompanyInfo', 'companyLicenseNo'],
  ['insuredCompanyInfo', 'companyPhone']];

const pool = new pg.Pool({ connectionString: database, max: 16 });
const schema = new URL('../first-version/src/schema.sql', import.meta.url);
await pool.query(readFileSync(schema, 'utf8'));

const gmt8 = (text) => Date.parse(`${String(text).replace(' ', 'T')}+08:00`);
const refused = (errorCode, errorMessage) => JSON.stringify({ errorCode, errorMessage, success: 'false' });

function isSigned(query, body) {
  const names = Object.keys(query).filter((name) => name !== 'sign').sort();
  const joined = names.map((name) => name + query[name]).join('');
  const ours = createHash('md5').update(secret + joined).update(body).update(secret).digest('hex').toUpperCase();
  return query.app_key === appKey && query.sign === ours && Math.abs(Date.now() - gmt8(query.timestamp)) <= WINDOW_MS;
}

function problem(content) {
  const missing = REQUIRED.find((name) => typeof content[name] !== 'string' || content[name] === '');
  if (missing) return `${missing}：缺少，必填`;
  const odd = ['amount', 'premium', 'premiumOfCny', 'currencyRate'].find((name) => !DECIMAL.test(content[name]));
  if (odd) return `${odd}：应为十进制金额`;
  if (!(gmt8(content.effectTime) < gmt8(content.expireTime))) return 'expireTime：应晚于 effectTime';
  return null;
}

const statement = (name, text) => (values) => ({ name, text, values });
const number = statement('number', "SELECT nextval('policy_numbers') AS n");
const claim = statement('claim', 'INSERT INTO answers (partner, identifier, fingerprint, content, reply, policy_no) '
  + 'VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING');
const first = statement('first', 'SELECT fingerprint, reply FROM answers WHERE partner = $1 AND identifier = $2');
const policy = statement('policy', 'INSERT INTO policies (policy_no, partner, product_code, identifier, insure_id, amount, '
  + 'premium, premium_of_cny, currency, effect_ms, expire_ms, issued_ms, state) '
  + "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'issued')");
const people = statement('people', 'INSERT INTO people (number, policy_no) SELECT number, $2 FROM unnest($1::text[]) AS number');
const event = statement('event', "INSERT INTO events (at_ms, kind, policy_no, payload) VALUES ($1, 'policy-issued', $2, $3)");
const message = statement('message', 'INSERT INTO messages (received_ms, partner, identifier, verdict, query, request, reply) '
  + 'VALUES ($1, $2, $3, $4, $5, $6, $7)');

async function issue(client, content, policyNo, now) {
  await client.query(policy([policyNo, appKey, content.productCode, content.identifier, content.insureId, content.amount,
    content.premium, content.premiumOfCny, content.currency, gmt8(content.effectTime), gmt8(content.expireTime), now]));
  const numbers = new Set(PEOPLE.map(([group, field]) => content[group]?.[field]).filter(Boolean));
  await client.query(people([[...numbers], policyNo]));
  const payload = { type: 'policyIssued', policyNo, productCode: content.productCode, premium: content.premium };
  await client.query(event([now, policyNo, JSON.stringify(payload)]));
}

async function settle(client, query, body, content, now) {
  const canonical = JSON.stringify(content);
  const fingerprint = createHash('sha256').update(canonical).digest();
  const sequence = (await client.query(number([]))).rows[0].n;
  const day = new Date(now + 8 * 3600 * 1000).toISOString().slice(0, 10).replaceAll('-', '');
  const policyNo = `PBDI${day}Q${String(sequence).padStart(10, '0')}`;
  const context = { policyFileUrl: `http://127.0.0.1/documents/${policyNo}`, policyNo };
  let reply = Buffer.from(JSON.stringify({ errorCode: 'SUCCESS', context, errorMessage: 'OK', success: 'true' }));
  let verdict = 'accepted';
  const claimed = await client.query(claim([appKey, content.identifier, fingerprint, canonical, reply, policyNo]));
  if (claimed.rowCount === 1) {
    await issue(client, content, policyNo, now);
  } else {
    const kept = (await client.query(first([appKey, content.identifier]))).rows[0];
    const same = kept.fingerprint.equals(fingerprint);
    verdict = same ? 'replayed' : 'conflicting';
    reply = same ? kept.reply : Buffer.from(refused('idempotency-conflict', '幂等号已用于其他内容'));
  }
  await client.query(message([now, appKey, content.identifier, verdict, query, body, reply]));
  return reply;
}

async function answer(request) {
  const body = request.body;
  if (!isSigned(request.query, body)) return refused('sign-check-failure', 'Illegal request');
  const content = JSON.parse(body.toString('utf8'));
  const wrong = problem(content);
  if (wrong) return refused('invalid-fields', wrong);
  const client = await pool.connect();
  try {
    await client.query('BEGIN');
    const query = request.raw.url.slice(request.raw.url.indexOf('?') + 1);
    const reply = await settle(client, query, body, content, Date.now());
    await client.query('COMMIT');
    client.release();
    return reply;
  } catch (error) {
    client.release(error);
    throw error;
  }
}

const app = Fastify();
app.removeAllContentTypeParsers();
app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
app.post('/qimen', async (request, reply) => {
  reply.type('application/json;charset=utf-8');
  try {
    return await answer(request);
  } catch (error) {
    console.error(error.message);
    return refused('ledger-unavailable', '系统暂不可用，请稍后再试');
  }
});
const address = await app.listen({ host: '127.0.0.1', port: 0 });
console.error(`ready address=${address.replace('http://', '')}`);

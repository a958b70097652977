// Calls both interfaces with node-taobao-topclient and checks what comes back and what the platform has taken.
//
// Usage: top_client.js URL APP_KEY SECRET
'use strict';

const assert = require('node:assert/strict');
const http = require('node:http');
const TopClient = require('node-taobao-topclient').default;

const SURRENDER_SYNC = 'alibaba.alihealth.insurance.inst.surrender.info.sync';
const AUCTION_RESULT = 'taobao.auction.insurance.insuranceresultcallback';

const SURRENDER = {
  status: 'APPLY',
  refund_money: '100',
  surrender_time: '202105311400',
  endorsement_no: '12345678',
  inst_policy_id: 'ZA12345678',
  alipay_open_id: '208812345678',
  pre_flow_id: '12345678',
  type: 'USER_SUBMIT',
};
const AUCTION = {
  biz_id: '24010900100YSKSSG',
  policy_number: '12345678A',
  insurance_company: 1,
  stage: 1,
  status: 1,
  time_of_occurrence: '2025-04-08 09:55:00',
  bank_account_manager_name: '王小丫𬭎',
  insurance_document: 'oss:aakkloi122',
  insurance_type: 1,
};

function get(url) {
  return new Promise((resolve, reject) => {
    http.get(url, (response) => {
      const pieces = [];
      response.on('data', (piece) => pieces.push(piece));
      response.on('end', () => resolve(JSON.parse(Buffer.concat(pieces).toString())));
    }).on('error', reject);
  });
}

async function main([REST_URL, appkey, appsecret]) {
  const client = new TopClient({ appkey, appsecret, REST_URL });
  const surrender = (changed, type, by = client) =>
    by.execute(SURRENDER_SYNC, { biz_data: { ...SURRENDER, ...changed } }, type);
  const auction = (changed, type) =>
    client.execute(AUCTION_RESULT, { insurance_result_a_p_i_request: { ...AUCTION, ...changed } }, type);
  const refusedWith = (code, sub_code) => (error) => {
    assert.equal(error.name, 'TOPClientError', `${error}`);
    assert.deepEqual([error.code, error.sub_code], [code, sub_code], `${error}`);
    return true;
  };

  const answer = await surrender({});
  assert.equal(answer.data, true);
  assert.ok(answer.request_id);
  assert.equal((await auction({}, 'GET')).call_success, true);
  await assert.rejects(auction({ biz_id: 'AT-THE-THIRD' }), refusedWith(15, 'isp.service-error'));
  await assert.rejects(auction({ biz_id: 'AT-THE-THIRD' }), refusedWith(15, 'isp.service-error'));
  assert.equal((await auction({ biz_id: 'AT-THE-THIRD' })).call_success, true);

  const refused = await auction({ biz_id: 'REFUSED' });
  assert.deepEqual([refused.call_success, refused.fail_code], [false, 'NO_SUCH_CASE']);
  await assert.rejects(surrender({ inst_policy_id: 'INVALID' }), refusedWith(50, 'isv.invalid-parameter'));
  await assert.rejects(client.execute('taobao.no.such', { x: '1' }), refusedWith(22, undefined));
  const wrongSecret = new TopClient({ appkey, appsecret: `${appsecret}x`, REST_URL });
  await assert.rejects(surrender({}, 'POST', wrongSecret), refusedWith(25, undefined));

  const taken = await get(REST_URL.replace('/router/rest', '/received'));
  assert.deepEqual(taken.map((call) => call.content), [SURRENDER, AUCTION, { ...AUCTION, biz_id: 'AT-THE-THIRD' }]);
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});

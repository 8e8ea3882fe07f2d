// `wechatpay-axios-plugin` from npm against the sandbox, with the public key and with certificates.
//
// Usage: node node_sdk.mjs NODE_MODULES ADDRESS MERCHANT_FOLDER. The last line is `N passed, M failed`.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

const [modules, address, folder] = process.argv.slice(2);
const { Wechatpay, Rsa, Formatter, Aes: { AesGcm } } = createRequire(join(modules, 'x.js'))('wechatpay-axios-plugin');

const OPENID = 'oUpF8uMuAJO_M2pxb1Q9zNjWeS6o';
const NOTICE_MILLISECONDS = 30_000;
const read = (name) => readFileSync(join(folder, name), 'utf8');
const facts = Object.fromEntries(
  read('merchant.toml').split('\n').filter((line) => line.includes(' = '))
    .map((line) => [line.split(' = ')[0], line.split('"')[1]]),
);
const { mchid, appid, merchant_serial: serial, platform_key_id: keyId } = facts;
const privateKey = Rsa.from(read('merchant_private_key.pem'), Rsa.KEY_TYPE_PRIVATE);
const apiv3Key = read('apiv3_key.txt').trim();

let passed = 0;
let failed = 0;

function check(what, holds, seen = '') {
  if (holds) {
    passed += 1;
  } else {
    failed += 1;
    console.log(`FAILED ${what}: ${typeof seen === 'string' ? seen : JSON.stringify(seen)}`);
  }
}

/** The merchant's notify address. */
class Notices {
  arrived = [];

  waiting = [];

  async listen() {
    this.server = createServer(async (request, answer) => {
      const parts = [];
      for await (const part of request) parts.push(part);
      answer.writeHead(204).end();
      const notice = { headers: request.headers, body: Buffer.concat(parts).toString('utf8') };
      const taker = this.waiting.shift();
      if (taker) taker(notice); else this.arrived.push(notice);
    });
    await new Promise((done) => { this.server.listen(0, '127.0.0.1', done); });
    this.address = `http://127.0.0.1:${this.server.address().port}/notify`;
  }

  next() {
    const here = this.arrived.shift();
    if (here) return Promise.resolve(here);
    return new Promise((done, late) => {
      const timer = setTimeout(() => late(new Error('no notice came')), NOTICE_MILLISECONDS);
      this.waiting.push((notice) => { clearTimeout(timer); done(notice); });
    });
  }
}

const notices = new Notices();

async function control(path, wish) {
  const answer = await fetch(address + path, {
    method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(wish),
  });
  if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
  return answer.json();
}

/** The SDK as a merchant sets it up: with the keys that it knows, by their serial numbers. */
function client(certs, headers = {}) {
  return new Wechatpay({ mchid, serial, privateKey, certs, headers, baseURL: `${address}/`, proxy: false });
}

/** Status and code of a call that is refused. */
async function refusal(call) {
  try {
    const { status, data } = await call;
    return `${status} ${data?.code ?? ''}`.trim();
  } catch ({ response, message }) {
    return response ? `${response.status} ${response.data.code}` : message;
  }
}

/** A notice's content, if the SDK verifies its signature. */
function opened({ headers, body }, certs) {
  const known = certs[headers['wechatpay-serial']];
  const message = Formatter.response(headers['wechatpay-timestamp'], headers['wechatpay-nonce'], body);
  if (!known || !Rsa.verify(message, headers['wechatpay-signature'], known)) return null;
  const { event_type: event, resource } = JSON.parse(body);
  const { ciphertext, nonce, associated_data: associated } = resource;
  return { event, ...JSON.parse(AesGcm.decrypt(ciphertext, apiv3Key, nonce, associated)) };
}

let counter = 0;
function number(prefix) {
  counter += 1;
  return `${prefix}${process.pid}X${Date.now()}X${counter}`;
}

async function everything(mode, sdk, certs) {
  const told = (what, holds, seen) => check(`wechatpay-axios-plugin, ${mode}: ${what}`, holds, seen);
  const { transactions } = sdk.v3.pay;
  const common = () => ({
    appid, mchid, description: '校园卡充值', notify_url: notices.address, out_trade_no: number('JS'),
    amount: { total: 5000, currency: 'CNY' },
  });
  const query = (order) => transactions.outTradeNo.$out_trade_no$.get({ params: { mchid }, out_trade_no: order });
  const close = (order) => transactions.outTradeNo.$out_trade_no$.close.post({ mchid }, { out_trade_no: order });
  const pay = (order, more = {}) => control('/control/pay', { provider: 'wechat', out_trade_no: order, ...more });

  const scenes = [
    ['jsapi', 'prepay_id', { payer: { openid: OPENID } }],
    ['h5', 'h5_url', { scene_info: { payer_client_ip: '203.0.113.7', h5_info: { type: 'Wap' } } }],
    ['native', 'code_url', {}],
  ];
  for (const [scene, member, more] of scenes) {
    const order = { ...common(), ...more };
    const { data } = await transactions[scene].post(order);
    told(`${scene} is created`, typeof data[member] === 'string', data);
    const { data: state } = await query(order.out_trade_no);
    told(`${scene} waits for its payer`, state.trade_state === 'NOTPAY', state);
  }

  const order = common();
  await transactions.native.post(order);
  const { transaction_id: transaction } = await pay(order.out_trade_no);
  const notice = await notices.next();
  const content = opened(notice, certs);
  told('the notice of payment is verified and opened', content !== null, notice);
  told('it tells of the payment', content?.event === 'TRANSACTION.SUCCESS', content);
  told('it names order, payment and amount', content?.out_trade_no === order.out_trade_no
    && content?.transaction_id === transaction && content?.amount.total === 5000, content);
  told('a changed notice is refused', opened({ ...notice, body: `${notice.body} ` }, certs) === null);
  const { data: paid } = await transactions.id.$transaction_id$.get({ params: { mchid }, transaction_id: transaction });
  told('the payment is found by its number', paid.trade_state === 'SUCCESS', paid);
  told('a paid order is not closed', await refusal(close(order.out_trade_no)) === '400 ORDERPAID');
  told('a paid number is not used again', await refusal(transactions.native.post(order)) === '403 OUT_TRADE_NO_USED');

  const open = common();
  await transactions.native.post(open);
  const changed = { ...open, amount: { total: 5001, currency: 'CNY' } };
  told('a number has one meaning', await refusal(transactions.native.post(changed)) === '400 INVALID_REQUEST');
  told('an open order is closed', (await close(open.out_trade_no)).status === 204);
  told('a second close is told so', await refusal(close(open.out_trade_no)) === '400 ORDER_CLOSED');

  const refunds = sdk.v3.refund.domestic.refunds;
  const refund = {
    out_trade_no: order.out_trade_no, out_refund_no: number('JSR'), notify_url: notices.address,
    amount: { refund: 5000, total: 5000, currency: 'CNY' },
  };
  const { data: accepted } = await refunds.post(refund);
  told('a refund is accepted', accepted.status === 'PROCESSING', accepted);
  await control('/control/refund', { out_refund_no: refund.out_refund_no, outcome: 'success' });
  const news = opened(await notices.next(), certs);
  told('the notice of the refund is verified and opened', news?.event === 'REFUND.SUCCESS'
    && news?.out_refund_no === refund.out_refund_no, news);
  const { data: arrived } = await refunds.$out_refund_no$.get({ out_refund_no: refund.out_refund_no });
  told('the refund has arrived', arrived.status === 'SUCCESS', arrived);
  const { data: state } = await query(order.out_trade_no);
  told('the order was refunded', state.trade_state === 'REFUND', state);

  await bills(told, sdk, { common, pay });
}

async function bills(told, sdk, { common, pay }) {
  const moment = new Date(Date.now() + 8 * 3_600_000 - 2 * 86_400_000).toISOString();
  const date = moment.slice(0, 10);
  const order = common();
  await sdk.v3.pay.transactions.native.post(order);
  await pay(order.out_trade_no, { at: `${moment.slice(0, 19)}+08:00` });
  await notices.next();
  const asked = [
    ['trade bill', sdk.v3.bill.tradebill, { bill_date: date, bill_type: 'ALL', tar_type: 'GZIP' }, '商户订单号', '总交易单数'],
    ['fund flow', sdk.v3.bill.fundflowbill, { bill_date: date, account_type: 'BASIC', tar_type: 'GZIP' }, '业务凭证号', '资金流水总笔数'],
  ];
  for (const [name, call, params, column, total] of asked) {
    const { data: offer } = await call.get({ params });
    const token = new URL(offer.download_url).searchParams.get('token');
    const { data } = await sdk.v3.billdownload.file.get({ params: { token }, responseType: 'arraybuffer' });
    const plain = gunzipSync(data);
    told(`the ${name} has its hash`, createHash('sha1').update(plain).digest('hex') === offer.hash_value, offer);
    const { rows, summary } = Formatter.castCsvBill(plain);
    told(`the SDK finds the order in the ${name}`, rows.some((row) => row[column] === order.out_trade_no), rows);
    told(`the ${name} counts its rows`, Number(summary[total]) === rows.length, summary);
  }
}

/** The platform's certificates, fetched and opened with the SDK's own parts. */
async function downloaded() {
  const { data } = await new Wechatpay({
    mchid, serial, privateKey, certs: { any: undefined }, baseURL: `${address}/`, proxy: false,
  }).v3.certificates.get({ transformResponse: [(text) => JSON.parse(text)] });
  return Object.fromEntries(data.data.map(({ serial_no: name, encrypt_certificate: sealed }) => {
    const pem = AesGcm.decrypt(sealed.ciphertext, apiv3Key, sealed.nonce, sealed.associated_data);
    return [name, Rsa.from(pem, Rsa.KEY_TYPE_PUBLIC)];
  }));
}

await notices.listen();
try {
  const publicKey = { [keyId]: Rsa.from(read('platform_public_key.pem'), Rsa.KEY_TYPE_PUBLIC) };
  await everything('public key', client({ ...publicKey }, { 'Wechatpay-Serial': keyId }), publicKey);

  await control('/control/switch', { switch: 'keys', mode: 'certificate' });
  await control('/control/switch', { switch: 'certificates', mode: 'first_of_two' });
  const certificates = await downloaded();
  check('wechatpay-axios-plugin: both certificates are fetched and opened', Object.keys(certificates).length === 2);
  await everything('certificate', client({ ...certificates }), certificates);
  await control('/control/switch', { switch: 'certificates', mode: 'second_of_two' });
  await everything('second certificate', client({ ...certificates }), certificates);
} catch (error) {
  check('wechatpay-axios-plugin gets through', false, String(error?.stack ?? error));
} finally {
  notices.server.close();
  notices.server.closeAllConnections();
}
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;

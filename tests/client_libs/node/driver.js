// Follows a master with ioredis or node-redis; README.md, one folder up, says what a driver does.
'use strict';

const readline = require('node:readline');
const { setTimeout: sleep } = require('node:timers/promises');

const GAP_MS = 400;
const PAUSE_MS = 20;
// As applications have it: what is not answered in this time is given up, and the client is opened anew.
const LIMIT_MS = 5000;

function say(step, facts = {}) {
  process.stdout.write(JSON.stringify({ step, ...facts }) + '\n');
}

class NoAnswer extends Error {}

function limited(answer) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new NoAnswer('no answer')), LIMIT_MS);
  });
  return Promise.race([answer, late]).finally(() => clearTimeout(timer));
}

async function reopen(client, error) {
  if (!(error instanceof NoAnswer) || !client.reopen) return;
  say('reopened', { reason: error.message });
  await limited(client.reopen()).catch(() => {});
}

// Counts upwards until told to stop; returns how often a write was accepted and refused.
async function writeOn(client, key, state) {
  const totals = { written: 0, refused: 0 };
  let last;
  let refusedSince = 0;
  while (!state.stopped) {
    try {
      await limited(client.write(key, String(totals.written + 1)));
      const now = performance.now();
      totals.written += 1;
      if (last === undefined) {
        say('writing');
      } else if (refusedSince > 0 || now - last > GAP_MS) {
        say('gap', { ms: Math.round(now - last), refused: refusedSince });
      }
      last = now;
      refusedSince = 0;
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      totals.refused += 1;
      refusedSince += 1;
      await reopen(client, error);
    }
    await sleep(PAUSE_MS);
  }
  return totals;
}

async function find(client) {
  try {
    say('found', await limited(client.find()));
  } catch (error) {
    say('not-found', { reason: String(error) });
    await reopen(client, error);
  }
}

async function main() {
  const [library, name, key, user, password, ...ports] = process.argv.slice(2);
  const [family, packageName] = { 'ioredis-5': ['ioredis', 'ioredis'], 'ioredis-6': ['ioredis', 'ioredis-6'],
    'node-redis-5': ['node-redis', 'redis'], 'node-redis-6': ['node-redis', 'redis-6'] }[library];
  const client = await require(`./${family}.js`).open(require(packageName), {
    name,
    user: user === '-' ? undefined : user,
    password: password === '-' ? undefined : password,
    sentinels: ports.map((port) => ({ host: '127.0.0.1', port: Number(port) })),
    reopened: () => say('reopened', { reason: 'the client had ended' }),
  });
  const state = { stopped: false };
  const writer = writeOn(client, key, state);
  for await (const line of readline.createInterface({ input: process.stdin })) {
    if (line === 'find') await find(client);
    if (line === 'stop') break;
  }
  state.stopped = true;
  say('end', await writer);
  process.exit(0);
}

// What nobody catches ends the process with an error, and so the test.
main();

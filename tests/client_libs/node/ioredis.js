// How ioredis finds a master, writes to it and reads from a replica.
'use strict';

const UNFIT = /s_down|o_down|disconnected/;

// The library tells of every broken connection by an event, which would end the process if nobody listened.
const ignore = () => {};

exports.open = async (library, { name, user, password, sentinels, reopened }) => {
  const Redis = library.default ?? library;
  const access = { sentinelUsername: user, sentinelPassword: password };
  const common = { sentinels, name, ...access, sentinelRetryStrategy: () => 100 };
  const master = new Redis({
    ...common,
    role: 'master',
    // Learns of a switch by +switch-master, and leaves a master that has become a replica.
    failoverDetector: true,
    reconnectOnError: (error) => (error.message.startsWith('READONLY') ? 1 : false),
  });
  master.on('error', ignore);
  // A +switch-master that comes while it is asking where the master is ends the client for good: an application begins again.
  master.on('end', () => setTimeout(() => {
    reopened();
    master.connect().catch(ignore);
  }, 100));

  // The library lists nothing itself: the question goes to the first Sentinel that answers.
  async function ask(...words) {
    let reason;
    for (const { host, port } of sentinels) {
      const sentinel = new Redis({ host, port, username: user, password, retryStrategy: null });
      sentinel.on('error', ignore);
      try {
        return await sentinel.call(...words);
      } catch (error) {
        reason = error;
      } finally {
        sentinel.disconnect();
      }
    }
    throw reason;
  }

  const record = (reply) => {
    if (!Array.isArray(reply)) return reply;
    const pairs = reply.flatMap((value, i) => (i % 2 ? [[reply[i - 1], value]] : []));
    return Object.fromEntries(pairs);
  };

  async function find() {
    const address = await ask('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name);
    const all = (await ask('SENTINEL', 'REPLICAS', name)).map(record);
    const replicas = all.filter((one) => !UNFIT.test(one.flags)).map((one) => Number(one.port));
    const reader = new Redis({ ...common, role: 'slave' });
    reader.on('error', ignore);
    try {
      const info = await reader.info('server');
      return {
        master: Number(address[1]),
        replicas: replicas.sort((a, b) => a - b),
        read_from: Number(/tcp_port:(\d+)/.exec(info)[1]),
        read: await reader.get('seeded'),
      };
    } finally {
      reader.disconnect();
    }
  }

  return { write: (key, value) => master.set(key, value), find };
};

// How node-redis finds a master, writes to it and reads from a replica.
'use strict';

const ignore = () => {};

exports.open = async (library, { name, user, password, sentinels }) => {
  const options = {
    name,
    sentinelRootNodes: sentinels,
    sentinelClientOptions: { username: user, password },
    scanInterval: 500,
  };
  let writer;
  let reader;
  async function open() {
    for (const client of [writer, reader]) client?.destroy()?.catch?.(ignore);
    writer = library.createSentinel(options);
    reader = library.createSentinel({ ...options, replicaPoolSize: 1 });
    for (const client of [writer, reader]) {
      client.on('error', ignore);
      await client.connect();
    }
  }
  await open();

  async function find() {
    const info = String(await reader.sendCommand(true, ['INFO', 'server']));
    const port = Number(/tcp_port:(\d+)/.exec(info)[1]);
    const replicas = [...reader.getReplicaNodes().keys()].map((node) => node.port);
    return {
      master: reader.getMasterNode().port,
      replicas: replicas.sort((a, b) => a - b),
      read_from: port,
      read: String(await reader.get('seeded')),
    };
  }

  return { write: (key, value) => writer.set(key, value), find, reopen: open };
};

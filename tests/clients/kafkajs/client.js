// The verbs of tests/lib/suite.py with kafkajs. It has no consumer without a group, so `consume` joins one of its own and seeks.
'use strict';

const assert = require('assert');
const readline = require('readline');
const { Kafka, CompressionTypes, CompressionCodecs, ConfigResourceTypes, Partitioners, logLevel } = require('kafkajs');
const lz4 = require('lz4js');
const { ZstdCodec } = require('zstd-codec');

const CODECS = {
  none: CompressionTypes.None, gzip: CompressionTypes.GZIP, snappy: CompressionTypes.Snappy, lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
};

const kafka = new Kafka({
  clientId: 'ottla-kafkajs', brokers: [process.env.BOOTSTRAP], logLevel: logLevel.NOTHING,
  retry: { initialRetryTime: 100, retries: 10 },
});

const orNull = (text) => (text === '\\N' ? null : text);
const shown = (bytes) => (bytes === null || bytes === undefined ? '\\N' : bytes.toString());
const say = (...words) => process.stdout.write(`${words.join('\t')}\n`);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// lz4js writes frames of dependent blocks, which Kafka refuses; so its blocks go into a frame of independent ones of 64 KiB.
function lz4Frame(data) {
  const parts = [Buffer.from([0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82])];
  for (let at = 0; at < data.length; at += 65536) {
    const block = data.subarray(at, at + 65536);
    const packed = Buffer.alloc(lz4.compressBound(block.length));
    const size = lz4.compressBlock(block, packed, 0, block.length, lz4.makeHashTable ? lz4.makeHashTable() : new Uint32Array(65536));
    const whole = size === 0 || size >= block.length;
    const head = Buffer.alloc(4);
    head.writeUInt32LE(whole ? (block.length | 0x80000000) >>> 0 : size);
    parts.push(head, whole ? block : packed.subarray(0, size));
  }
  return Buffer.concat([...parts, Buffer.alloc(4)]);
}

function addCodecs(zstd) {
  CompressionCodecs[CompressionTypes.Snappy] = require('kafkajs-snappy');
  CompressionCodecs[CompressionTypes.LZ4] = () => ({
    compress: async (encoder) => lz4Frame(encoder.buffer),
    decompress: async (buffer) => Buffer.from(lz4.decompress(buffer)),
  });
  CompressionCodecs[CompressionTypes.ZSTD] = () => ({
    compress: async (encoder) => Buffer.from(zstd.compress(encoder.buffer)),
    decompress: async (buffer) => Buffer.from(zstd.decompress(buffer)),
  });
}

async function produce(topic, partition, codec) {
  const messages = [];
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [key, value, header] = line.split('\t').map(orNull);
    const message = { key, value };
    if (header !== null) {
      const at = header.indexOf('=');
      message.headers = { [header.slice(0, at)]: header.slice(at + 1) };
    }
    if (Number(partition) >= 0) message.partition = Number(partition);
    messages.push(message);
  }
  const producer = kafka.producer({ idempotent: true, createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  for (let i = 0; i < messages.length; i += 100) {
    await producer.send({ topic, messages: messages.slice(i, i + 100), acks: -1, compression: CODECS[codec] });
  }
  await producer.disconnect();
}

async function startOffset(admin, topic, partition, start) {
  const bounds = (await admin.fetchTopicOffsets(topic)).find((p) => p.partition === partition);
  if (start === 'beginning') return [bounds.low, bounds.high];
  if (start === 'end') return [bounds.high, bounds.high];
  if (!start.startsWith('@')) return [start, bounds.high];
  const found = await admin.fetchTopicOffsetsByTimestamp(topic, Number(start.slice(1)));
  return [found.find((p) => p.partition === partition).offset, bounds.high];
}

async function consume(topic, partitionText, start, countText) {
  const partition = Number(partitionText);
  const count = Number(countText);
  const admin = kafka.admin();
  await admin.connect();
  const [first, end] = await startOffset(admin, topic, partition, start);
  await admin.disconnect();
  const consumer = kafka.consumer({ groupId: `one-${process.pid}-${Date.now()}`, maxWaitTimeInMs: 200 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  let read = 0;
  let done;
  const finished = new Promise((resolve) => { done = resolve; });
  if (count < 0 && first === end) done();
  consumer.on(consumer.events.GROUP_JOIN, () => say('ready'));
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ partition: from, message }) => {
      if (from !== partition || Number(message.offset) < Number(first) || read === count) return;
      const headers = Object.entries(message.headers || {}).map(([name, value]) => `${name}=${value}`).join(',');
      say(message.offset, shown(message.key), shown(message.value), headers || '\\N');
      read += 1;
      if (read === count || (count < 0 && Number(message.offset) + 1 >= Number(end))) done();
    },
  });
  consumer.seek({ topic, partition, offset: first });
  consumer.on(consumer.events.CRASH, (e) => { console.error(e.payload.error); process.exit(1); });
  await finished;
  await consumer.disconnect();
}

async function member(topic, group) {
  const consumer = kafka.consumer({ groupId: group, sessionTimeout: 10000, heartbeatInterval: 500, maxWaitTimeInMs: 200 });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const stopped = new Promise((resolve) => { process.on('SIGTERM', resolve); });
  await consumer.run({
    autoCommit: false,
    eachBatch: async ({ batch, heartbeat }) => {
      const last = Number(batch.messages[batch.messages.length - 1].offset);
      await consumer.commitOffsets([{ topic, partition: batch.partition, offset: String(last + 1) }]);
      for (const message of batch.messages) say(batch.partition, message.offset, shown(message.value));
      await heartbeat();
    },
  });
  await stopped;
  await consumer.disconnect();
}

async function until(condition, what) {
  for (let tries = 0; tries < 300; tries += 1) {
    if (await condition()) return;
    await sleep(50);
  }
  throw new Error(`waited 15 s in vain: ${what}`);
}

async function adminTopics(admin, topic) {
  const spec = { topic, numPartitions: 2, configEntries: [{ name: 'retention.ms', value: '3600000' }] };
  assert.strictEqual(await admin.createTopics({ topics: [spec], waitForLeaders: true }), true);
  assert.strictEqual(await admin.createTopics({ topics: [spec] }), false);
  assert((await admin.listTopics()).includes(topic));
  await admin.createPartitions({ topicPartitions: [{ topic, count: 4 }] });
  await until(async () => (await admin.fetchTopicMetadata({ topics: [topic] })).topics[0].partitions.length === 4, 'four partitions');
}

async function adminConfigs(admin, topic) {
  const type = ConfigResourceTypes.TOPIC;
  const value = async () => (await admin.describeConfigs({ resources: [{ type, name: topic }] }))
    .resources[0].configEntries.find((e) => e.configName === 'retention.ms').configValue;
  assert.strictEqual(await value(), '3600000');
  await admin.alterConfigs({ resources: [{ type, name: topic, configEntries: [{ name: 'retention.ms', value: '7200000' }] }] });
  await until(async () => (await value()) === '7200000', 'the altered configuration');
}

async function adminGroups(admin, topic, groupId) {
  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  await producer.send({ topic, messages: Array.from({ length: 10 }, () => ({ value: 'x', partition: 0 })) });
  await producer.disconnect();
  await admin.setOffsets({ groupId, topic, partitions: [{ partition: 0, offset: '4' }] });
  const offsets = await admin.fetchOffsets({ groupId, topics: [topic] });
  assert.strictEqual(offsets[0].partitions.find((p) => p.partition === 0).offset, '4');
  assert((await admin.listGroups()).groups.some((g) => g.groupId === groupId));
  assert.strictEqual((await admin.describeGroups([groupId])).groups[0].state, 'Empty');
  await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '3' }] });
  assert.strictEqual((await admin.fetchTopicOffsets(topic)).find((p) => p.partition === 0).low, '3');
  await admin.deleteGroups([groupId]);
  assert(!(await admin.listGroups()).groups.some((g) => g.groupId === groupId));
}

async function adminVerb(topic, group) {
  const admin = kafka.admin();
  await admin.connect();
  assert.strictEqual((await admin.describeCluster()).brokers.length, 1);
  await adminTopics(admin, topic);
  await adminConfigs(admin, topic);
  await adminGroups(admin, topic, group);
  await admin.deleteTopics({ topics: [topic] });
  await until(async () => !(await admin.listTopics()).includes(topic), 'the topic to go');
  await admin.disconnect();
}

const VERBS = { produce, consume, member, admin: adminVerb };

ZstdCodec.run((zstd) => {
  addCodecs(new zstd.Simple());
  const [verb, ...args] = process.argv.slice(2);
  VERBS[verb](...args).then(() => process.stdout.write('', () => process.exit(0)), (error) => { // what is printed first
    console.error(error);
    process.exit(1);
  });
});

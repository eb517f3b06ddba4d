import { DiscardPolicy, type NatsConnection, RetentionPolicy, StorageType, type StreamConfig } from "nats";

const timeout = 5_000;

/** Creates a stream that drops its oldest messages, or brings its settings up to date. */
export async function ensureStream(connection: NatsConnection, own: Partial<StreamConfig> & { name: string }): Promise<void> {
  const manager = await connection.jetstreamManager({ timeout, checkAPI: false });
  const config = {
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.Old,
    allow_direct: true,
    num_replicas: 1,
    ...own,
  };
  const exists = await manager.streams.info(own.name).then(
    () => true,
    () => false,
  );
  await (exists ? manager.streams.update(own.name, config) : manager.streams.add(config));
}

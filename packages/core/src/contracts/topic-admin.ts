/** A topic as it should be. */
export interface TopicSpec {
  readonly topic: string;
  /** Kafka `num.partitions`; the broker's default when absent. */
  readonly partitions?: number;
  /** Kafka `replication.factor`; the broker's default when absent. */
  readonly replicationFactor?: number;
  /** Topic-level settings by the broker's own names. */
  readonly config?: Readonly<Record<string, string>>;
}

/** A topic as it is. */
export interface TopicDescription {
  readonly topic: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly config: Readonly<Record<string, string>>;
}

/** A difference between what was asked for and what the broker has; reported, never repaired silently. */
export interface TopicDrift {
  readonly topic: string;
  readonly property: string;
  readonly expected: string;
  readonly actual: string;
}

/** Creates and inspects topics. Capability `topics`. */
export interface TopicAdmin {
  /** Create what is missing; existing topics are left as they are. Returns the drift of those. */
  create(specs: readonly TopicSpec[]): Promise<readonly TopicDrift[]>;
  /** Descriptions of those that exist; a missing topic is absent from the answer. */
  describe(topics: readonly string[]): Promise<readonly TopicDescription[]>;
  /** Delete topics; missing ones are ignored. For tests and tools. */
  delete(topics: readonly string[]): Promise<void>;
}

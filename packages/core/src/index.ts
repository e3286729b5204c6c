export { ACK, RELEASE } from "./contracts/delivery.ts";
export { BACKLOG, RECOVERY, serviceKey } from "./contracts/service.ts";
export {
  BusClosedError,
  BusConfigError,
  BusError,
  BusHandlerError,
  BusTransportError,
} from "./errors/bus-error.ts";
export { BUS_DEFAULTS } from "./bus/bus-options.ts";
export { BUS_CHANNELS } from "./observe/diagnostics.ts";
export { BUS_METRICS } from "./observe/bus-metrics.ts";
export { bytesCodec, jsonCodec, textCodec } from "./topics/codecs.ts";
export { copyBytes, copyMessage } from "./adapter/copy-bytes.ts";
export { createEventBus } from "./bus/create-event-bus.ts";
export { createPluginRegistry } from "./registry/plugin-registry.ts";
export { defineTopic } from "./topics/define-topic.ts";
export { createInstruments } from "./observe/instruments.ts";
export { definePlugin } from "./registry/define-plugin.ts";
export { defineTransport } from "./registry/define-transport.ts";
export { ERROR_CODES } from "./errors/error-codes.ts";
export { Poison, RetryLater, Skip } from "./errors/handler-outcomes.ts";
export { publishError, publishOutcomesOf } from "./errors/publish-outcome.ts";

export type { BatchLimits } from "./consume/batch-scheduler.ts";
export type { BusSettings, EventBusOptions } from "./bus/bus-options.ts";
export type { PublishProbeOptions } from "./bus/publish-probe.ts";
export type { BusWith, PluginApis } from "./bus/create-event-bus.ts";
export type {
  BusInspection,
  FailingMessage,
  GroupInspection,
  HeadOfLine,
  PartitionInspection,
} from "./bus/bus-inspection.ts";
export type {
  BusLifecycle,
  BusOperations,
  BusPublisher,
  BusSubscriber,
  BusTransaction,
  BusTransactions,
  EventBus,
  StreamedMessage,
  SubscribeBatchOptions,
} from "./bus/event-bus.ts";
export type {
  ConfiguredBus,
  PluginRegistry,
  Registrable,
  RegistryOverrides,
} from "./registry/plugin-registry.ts";
export type { HeaderInput, PublishOptions } from "./publish/encode-message.ts";
export type { TopicOptions } from "./topics/define-topic.ts";
export type { BusMetricName } from "./observe/bus-metrics.ts";
export type {
  DeadLetterDiagnostics,
  ProcessDiagnostics,
  PublishDiagnostics,
  RetryDiagnostics,
  SettleDiagnostics,
  StatusDiagnostics,
  TransportDiagnostics,
} from "./observe/diagnostics.ts";
export type { Clock, ScheduleOptions } from "./contracts/clock.ts";
export type { Deliver, Delivery, Settlement } from "./contracts/delivery.ts";
export type {
  DeadLetterPolicy,
  Failure,
  FailureDecision,
  RetryPolicy,
} from "./contracts/failure.ts";
export type { BatchHandler, Handler, HandlerContext, Message } from "./contracts/handler.ts";
export type {
  BusHealth,
  ComponentHealth,
  HealthCheck,
  HealthReport,
  HealthStatus,
} from "./contracts/health.ts";
export type {
  Counter,
  Gauge,
  Histogram,
  InstrumentSpec,
  Instruments,
  LabelName,
  Labels,
  Sample,
} from "./contracts/instruments.ts";
export type {
  GroupLag,
  LagQuery,
  LagReader,
  PartitionLag,
  UnknownPartitionLag,
} from "./contracts/lag.ts";
export type { LogFields, Logger } from "./contracts/logger.ts";
export type {
  HeaderList,
  IncomingMessage,
  OutgoingMessage,
  PublishReceipt,
  TopicPartition,
} from "./contracts/message.ts";
export type {
  BusStatus,
  ModeEvent,
  Observer,
  RetryEvent,
  SettledOutcome,
} from "./contracts/observer.ts";
export type {
  ActiveSubscription,
  Admit,
  AnyHandler,
  PathHooks,
  Plugin,
  PluginHost,
  PluginInstance,
  PublishFunction,
  ServiceDirectory,
} from "./contracts/plugin.ts";
export type {
  FlowControl,
  HandlerSlot,
  Ordering,
  RunDelivery,
  Scheduler,
  SchedulerFactory,
  SubscriptionSpec,
} from "./contracts/scheduler.ts";
export type {
  BacklogSource,
  BacklogVerdict,
  RecoverySource,
  ServiceKey,
} from "./contracts/service.ts";
export type { SubscribeFunction, SubscribeOptions, Subscription } from "./contracts/subscribe.ts";
export type {
  TopicAdmin,
  TopicDescription,
  TopicDrift,
  TopicSpec,
} from "./contracts/topic-admin.ts";
export type { Codec, Topic } from "./contracts/topic.ts";
export type { TransactionRunner, TransportTransaction } from "./contracts/transaction.ts";
export type {
  Capabilities,
  CloseOptions,
  CloseReport,
  ConfiguredTransport,
  PartitionState,
  PauseReason,
  Publisher,
  StartFrom,
  Subscriber,
  SubscriptionRequest,
  TopicSubscription,
  Transport,
  TransportEvent,
  TransportHost,
  TransportOrdering,
  TransportSubscription,
} from "./contracts/transport.ts";
export type { BusErrorInit, ErrorDetails } from "./errors/bus-error.ts";
export type { ErrorCode } from "./errors/error-codes.ts";
export type { PluginDefinition, PluginSpec } from "./registry/define-plugin.ts";
export type {
  OptionArguments,
  TransportDefinition,
  TransportSpec,
} from "./registry/define-transport.ts";
export type { OptionSchema } from "./options/validate-options.ts";
export type { PublishOutcome } from "./errors/publish-outcome.ts";

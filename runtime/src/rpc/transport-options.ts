/**
 * Settings of the HTTP/2 connections between our processes.
 *
 * The window is large enough for several frames, so that a burst does not wait for window updates. Pings notice a half-open peer
 * within `pingEveryMs + pingAnswerMs`. No retry policy is set: we repeat with an idempotency key or not at all. What grpc-js may still
 * repeat is a call that the peer refused unprocessed (RFC 9113 §8.7), for example while it goes away.
 */
import type { ChannelOptions } from "@grpc/grpc-js";
import { messageBytesMax } from "../frames/index.ts";

export const windowBytes = 1_048_576;
export const streamsPerConnectionMax = 1_024;
const pingEveryMs = 10_000;
const pingAnswerMs = 5_000;

const both: ChannelOptions = {
  "grpc.keepalive_time_ms": pingEveryMs,
  "grpc.keepalive_timeout_ms": pingAnswerMs,
  "grpc.max_receive_message_length": messageBytesMax,
  "grpc.max_send_message_length": messageBytesMax,
  "grpc.enable_channelz": 0,
  "grpc-node.flow_control_window": windowBytes,
};

export const serverOptions: ChannelOptions = { ...both, "grpc.max_concurrent_streams": streamsPerConnectionMax };

export const channelOptions: ChannelOptions = {
  ...both,
  "grpc.keepalive_permit_without_calls": 1,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 250,
  // A host name is looked up again soon after a loss (the default waits 30 s).
  "grpc.dns_min_time_between_resolutions_ms": 1_000,
  "grpc.service_config_disable_resolution": 1,
  "grpc.enable_http_proxy": 0,
  // A closed client closes its connection, and two clients never share one by accident.
  "grpc.use_local_subchannel_pool": 1,
};

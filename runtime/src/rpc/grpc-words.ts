/** A call of ours in the words of grpc-js: messages go as bytes. */
import type { DescMessage, DescMethod, MessageInitShape } from "@bufbuild/protobuf";
import { Metadata } from "@grpc/grpc-js";
import { methodName } from "./service.ts";

export type LooseInit = MessageInitShape<DescMessage>;

export const asIs = (bytes: Buffer): Buffer => bytes;

export function metadataOf(traceparent: string | undefined): Metadata {
  const metadata = new Metadata();
  if (traceparent !== undefined && traceparent !== "") metadata.set("traceparent", traceparent);
  return metadata;
}

export function pathOf(method: DescMethod): string {
  return `/${methodName(method)}`;
}

export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** The calling side of methods that answer with a stream. */
import { create, type DescMethod, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { bytesOf } from "../frames/index.ts";
import { fromStatus } from "./grpc-status.ts";
import { asBuffer, asIs, type LooseInit, metadataOf, pathOf } from "./grpc-words.ts";
import type { LastingChannel } from "./lasting-channel.ts";
import type { StreamOptions } from "./service.ts";

/** The streams of answers over one channel. */
export class AnswerStreams {
  readonly #grpc: LastingChannel;
  readonly #running = new Set<() => void>();

  constructor(grpc: LastingChannel) {
    this.#grpc = grpc;
  }

  /** Ends without an error when the caller aborts, and at `end`. Messages that were not read yet hold the peer back (HTTP/2 flow control). */
  async *call(method: DescMethod, request: LooseInit, options: StreamOptions): AsyncGenerator<MessageShape<DescMethod["output"]>> {
    if (options.signal.aborted) return;
    const body = asBuffer(toBinary(method.input, create(method.input, request)));
    const call = this.#grpc.client.makeServerStreamRequest(pathOf(method), asIs, asIs, body, metadataOf(options.traceparent));
    let isEnded = false;
    const end = () => {
      isEnded = true;
      call.cancel();
    };
    this.#running.add(end);
    options.signal.addEventListener("abort", end, { once: true });
    try {
      for await (const answer of call) yield fromBinary(method.output, bytesOf(answer as Buffer));
    } catch (error) {
      if (!isEnded) throw fromStatus(error);
    } finally {
      this.#running.delete(end);
      options.signal.removeEventListener("abort", end);
      call.cancel();
    }
  }

  /** Ends those that run now. */
  end(): void {
    for (const end of this.#running) end();
  }
}

/** The broker as any client sees it, by NATS's own text protocol: what is stored in a stream, with its headers, and the stream's own life. */
import { connect } from "node:net";
import { fromBinary } from "@bufbuild/protobuf";
import { type EventBatch, EventBatchSchema } from "@florin/gen/events/v1/events";

export type StoredMessage = {
  readonly subject: string;
  readonly headers: ReadonlyMap<string, string>;
  readonly batch: EventBatch;
};

const stream = "FLORIN_PAYMENTS";
const inbox = "_INBOX.test";

type StreamInfo = { readonly state?: { readonly first_seq: number; readonly last_seq: number; readonly messages: number } };
type StoredAnswer = { readonly message?: { readonly subject: string; readonly hdrs?: string; readonly data?: string } };

/** Every message of the stream in order; none when there is no stream. */
export async function storedMessages(port: number): Promise<readonly StoredMessage[]> {
  const client = await openPlainNats(port);
  try {
    const { state } = (await client.ask(`STREAM.INFO.${stream}`)) as StreamInfo;
    const found: StoredMessage[] = [];
    if (state === undefined || state.messages === 0) return found;
    for (let seq = state.first_seq; seq <= state.last_seq; seq++) {
      const { message } = (await client.ask(`STREAM.MSG.GET.${stream}`, { seq })) as StoredAnswer;
      if (message !== undefined) found.push(messageOf(message));
    }
    return found;
  } finally {
    client.close();
  }
}

/** Makes the stream go away with all that is in it. */
export async function deleteStream(port: number): Promise<void> {
  const client = await openPlainNats(port);
  await client.ask(`STREAM.DELETE.${stream}`);
  client.close();
}

function messageOf({ subject, hdrs = "", data = "" }: NonNullable<StoredAnswer["message"]>): StoredMessage {
  const [, ...lines] = Buffer.from(hdrs, "base64").toString("utf8").trim().split("\r\n");
  const headers = new Map(lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).trim()] as const));
  return { subject, headers, batch: fromBinary(EventBatchSchema, Buffer.from(data, "base64")) };
}

type PlainNats = {
  /** One request of the JetStream API at a time. */ ask(api: string, body?: object): Promise<unknown>;
  close(): void;
};

function openPlainNats(port: number): Promise<PlainNats> {
  const socket = connect(port, "127.0.0.1");
  let buffer = Buffer.alloc(0);
  let answer = (_: unknown): void => {};
  let fail = (_: Error): void => {};
  socket.on("error", (error) => fail(error));
  socket.on("data", (part) => {
    buffer = Buffer.concat([buffer, part]);
    for (let message = takeMessage(); message !== undefined; message = takeMessage()) answer(message);
  });
  /** MSG <subject> <sid> <bytes>; everything else (INFO, PONG) is passed over. */
  function takeMessage(): unknown {
    for (let end = buffer.indexOf("\r\n"); end >= 0; end = buffer.indexOf("\r\n")) {
      const line = buffer.toString("latin1", 0, end).split(" ");
      const length = line[0] === "MSG" ? Number(line.at(-1)) : -2;
      if (buffer.length < end + 2 + length + 2) return undefined;
      const body = buffer.toString("utf8", end + 2, end + 2 + Math.max(length, 0));
      buffer = buffer.subarray(end + 2 + length + 2);
      if (length >= 0) return JSON.parse(body);
    }
    return undefined;
  }
  const client: PlainNats = {
    ask: (api, body) =>
      new Promise((resolve, reject) => {
        answer = resolve;
        fail = reject;
        const text = body === undefined ? "" : JSON.stringify(body);
        socket.write(`PUB $JS.API.${api} ${inbox} ${text.length}\r\n${text}\r\n`);
      }),
    close: () => socket.destroy(),
  };
  return new Promise((resolve, reject) => {
    fail = reject;
    socket.once("connect", () => {
      socket.write(`CONNECT {"verbose":false}\r\nSUB ${inbox} 1\r\n`);
      resolve(client);
    });
  });
}

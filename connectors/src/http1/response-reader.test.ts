import { describe, expect, test } from "vitest";
import { bodySizeBytesMax, headSizeBytesMax, piecesMax, rawSizeBytesMax, readResponse } from "./response-reader.ts";

const read = (text: string) => readResponse(Buffer.from(text, "latin1"));
const body = (text: string) => {
  const reading = read(text);
  return reading.kind === "response" ? reading.body.toString("latin1") : reading.kind;
};

const plain = "HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=1\r\nde\r\n0\r\n\r\n";

describe("whole answers", () => {
  test("a body with a length", () => expect(body(plain)).toBe("{}"));
  test("a chunked body", () => expect(body(chunked)).toBe("abcde"));
  test("interim answers are skipped", () => expect(body(`HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n${plain}`)).toBe("{}"));
  test("204 has no body", () => expect(body("HTTP/1.1 204 No Content\r\n\r\n")).toBe(""));

  test("bytes after the answer are told, not swallowed", () => {
    expect(read(plain)).toMatchObject({ hasExcess: false });
    expect(read(plain + plain)).toMatchObject({ hasExcess: true });
    expect(read(`${chunked}x`)).toMatchObject({ hasExcess: true });
  });

  test("the head says whether the connection can be used again", () => {
    const answer = (headers: string, version = "1.1") => read(`HTTP/${version} 200 OK\r\n${headers}content-length: 0\r\n\r\n`);
    expect(answer("connection: keep-alive\r\nkeep-alive: timeout=75\r\n")).toMatchObject({ head: { isLast: false, keepAliveS: 75 } });
    expect(answer("Connection: close\r\n")).toMatchObject({ head: { isLast: true } });
    expect(answer("", "1.0")).toMatchObject({ head: { isLast: true } });
  });
});

test("every cut of a good answer asks for more, never gives a wrong answer", () => {
  for (const text of [plain, chunked, `HTTP/1.1 100 Continue\r\n\r\n${plain}`])
    for (let length = 0; length < text.length; length++) expect([length, read(text.slice(0, length)).kind]).toEqual([length, "more"]);
});

describe("an answer without an end", () => {
  const head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";

  test("of empty words around its chunks is given up at the bound of its bytes", () => {
    const padded = (count: number) => Buffer.from(head + `1;x=${"y".repeat(190)}\r\na\r\n`.repeat(count));
    expect(readResponse(padded(900)).kind).toBe("more");
    expect(padded(1_000).length).toBeGreaterThan(rawSizeBytesMax);
    expect(readResponse(padded(1_000)).kind).toBe("garbage");
  });

  test("of crumbs is given up at the bound of chunks, and of pieces", () => {
    expect(readResponse(Buffer.from(`${head}${"1\r\na\r\n".repeat(1_024)}`)).kind).toBe("more");
    expect(readResponse(Buffer.from(`${head}${"1\r\na\r\n".repeat(1_025)}`)).kind).toBe("garbage");
    const cut = Buffer.from(plain.slice(0, -1));
    expect([readResponse(cut, piecesMax).kind, readResponse(cut, piecesMax + 1).kind]).toEqual(["more", "garbage"]);
    expect(readResponse(Buffer.from(plain), piecesMax + 1).kind).toBe("response");
  });
});

test.each([
  ["another protocol", "SSH-2.0-OpenSSH\r\n"],
  ["no status", "HTTP/1.1 OK\r\n\r\n"],
  ["a status of two digits", "HTTP/1.1 20 OK\r\ncontent-length: 0\r\n\r\n"],
  ["HTTP/2 in a HTTP/1 dress", "HTTP/2 200\r\ncontent-length: 0\r\n\r\n"],
  ["a header without a colon", "HTTP/1.1 200 OK\r\ncontent-length\r\n\r\n"],
  ["two lengths that differ", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"],
  ["a length and chunks", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"],
  ["a negative length", "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n"],
  ["an encoding we never asked for", "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n"],
  ["a body without a length", "HTTP/1.1 200 OK\r\n\r\nabc"],
  ["a chunk that is longer than it says", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nab\r\n"],
  ["a chunk without a size", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"],
  ["switching protocols", "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\n\r\n"],
  ["a body beyond the bound", `HTTP/1.1 200 OK\r\ncontent-length: ${bodySizeBytesMax + 1}\r\n\r\n`],
  ["a head beyond the bound", `HTTP/1.1 200 OK\r\nx: ${"y".repeat(headSizeBytesMax + 1)}`],
])("%s is garbage", (_what, text) => {
  expect(read(text).kind).toBe("garbage");
});

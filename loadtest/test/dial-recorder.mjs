/**
 * Loaded into every process of a stack (NODE_OPTIONS=--import): writes down where it dials, one "host:port" a line, in a file per process.
 *
 * All connections of Node begin in Socket.connect, those of TLS, HTTP, gRPC and the database's driver too; datagrams and name lookups are the other ways out.
 */
import dgram from "node:dgram";
import dns from "node:dns";
import { appendFileSync } from "node:fs";
import { Socket } from "node:net";
import { join } from "node:path";

const folder = process.env.FLORIN_DIALS_FOLDER;

function record(place) {
  appendFileSync(join(folder, `${process.pid}.dials`), `${place}\n`);
}

if (folder !== undefined) {
  const connect = Socket.prototype.connect;
  Socket.prototype.connect = function (...words) {
    // A normalised list from net.connect, or what a caller gave: options, a port and a host, a path.
    const [first, second] = Array.isArray(words[0]) ? words[0] : words;
    if (typeof first === "object") record(first.path ?? `${first.host ?? "localhost"}:${first.port}`);
    else record(typeof first === "number" ? `${typeof second === "string" ? second : "localhost"}:${first}` : String(first));
    return connect.apply(this, words);
  };
  const send = dgram.Socket.prototype.send;
  dgram.Socket.prototype.send = function (...words) {
    record("datagram");
    return send.apply(this, words);
  };
  for (const name of ["lookup", "resolve", "resolve4", "resolve6", "resolveSrv", "resolveTxt"]) {
    const ask = dns[name];
    dns[name] = function (host, ...rest) {
      if (host !== "localhost" && !/^[0-9a-f.:]+$/.test(host)) record(`name ${host}`);
      return ask.call(this, host, ...rest);
    };
  }
}

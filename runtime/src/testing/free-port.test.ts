import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";
import { freePort, freePortBlock } from "./free-port.ts";

const here = new URL("free-port.ts", import.meta.url).href;
const elsewhere = `const { freePort, freePortBlock } = await import(${JSON.stringify(here)});
const ports = [];
for (let n = 0; n < 200; n++) ports.push(await freePort());
console.log(JSON.stringify({ ports, first: await freePortBlock(40) }));
process.exit();`;

async function askElsewhere(): Promise<{ ports: number[]; first: number }> {
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", elsewhere]);
  return JSON.parse(stdout) as { ports: number[]; first: number };
}

test("what one process was given and has not bound yet is given to no other, singly or in a row", async () => {
  const first = await freePortBlock(40);
  const mine = [...Array.from({ length: 40 }, (_, n) => first + n)];
  for (let n = 0; n < 200; n++) mine.push(await freePort());
  expect(new Set(mine).size).toBe(240);
  expect(Math.max(...mine)).toBeLessThan(32_768);
  for (let round = 0; round < 3; round++) {
    const others = await askElsewhere();
    const theirs = [...others.ports, ...Array.from({ length: 40 }, (_, n) => others.first + n)];
    expect(new Set(theirs).size).toBe(240);
    expect(theirs.filter((port) => mine.includes(port))).toEqual([]);
  }
});

test("a row that no slice has room for is refused", async () => {
  await expect(freePortBlock(128)).rejects.toThrow("128 ports in a row, at most 127");
});

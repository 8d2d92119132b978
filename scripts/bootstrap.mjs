#!/usr/bin/env node
/**
 * The door: `node scripts/bootstrap.mjs <command> [arguments]`, what every npm script calls, and `npx florin <command>`.
 *
 * Plain JavaScript for Node >= 20 with nothing installed. Runs `npm ci` when node_modules is missing or does not fit the lockfile (one at a
 * time: a second caller waits), then hands over to the Node of node_modules, which runs the TypeScript sources as they are.
 */
import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, existsSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const modules = join(root, "node_modules");
const lockfile = join(root, "package-lock.json");
const marker = join(modules, ".florin-installed");
const installLock = join(root, ".florin-install.lock");
/** For this file, and for npm. */
const nodeMajorMin = 20;
/** For everything else: it runs TypeScript as it is. */
const sourcesNodeMajorMin = 24;
const installWaitMs = 900_000;

/** Command → the file that does it. */
const commands = {
  up: "scripts/up.ts",
  down: "scripts/down.ts",
  check: "scripts/check.ts",
  test: "scripts/test.ts",
  format: "scripts/format.ts",
  gen: "scripts/gen.ts",
  docs: "scripts/docs.ts",
  bench: "loadtest/src/bench.ts",
  "new:connector": "scripts/new-connector.ts",
  report: "scripts/report.ts",
  vault: "vault/src/keys.ts",
  scan: "detector/src/scan.ts",
  settings: "scripts/settings.ts",
  loadtest: "loadtest/src/loadtest.ts",
  simulate: "simulation/src/simulate.ts",
  drill: "loadtest/src/drill.ts",
  "routing:replay": "simulation/src/replay-routing.ts",
  "simulate:mutants": "simulation/mutants/run-mutants.ts",
};

function lockfileHash() {
  return createHash("sha256").update(readFileSync(lockfile)).digest("hex");
}

function isInstalled() {
  if (existsSync(marker)) return readFileSync(marker, "utf8") === lockfileHash();
  // Installed by hand: npm writes its own copy of the lockfile last.
  const hidden = join(modules, ".package-lock.json");
  return existsSync(hidden) && statSync(hidden).mtimeMs >= statSync(lockfile).mtimeMs;
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

/** True when this process now holds the lock. A lock whose holder is gone is taken away. */
function takeInstallLock() {
  try {
    const file = openSync(installLock, "wx");
    writeFileSync(file, String(process.pid));
    closeSync(file);
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") throw error;
  }
  let holder = 0;
  try {
    holder = Number(readFileSync(installLock, "utf8"));
    // Just made and not written yet: look again.
    if (holder === 0 && Date.now() - statSync(installLock).mtimeMs < 5_000) return false;
  } catch {
    return false;
  }
  if (holder === 0 || !isAlive(holder)) rmSync(installLock, { force: true });
  return false;
}

async function install() {
  const deadlineMs = Date.now() + installWaitMs;
  for (let told = false; !takeInstallLock(); told = true) {
    if (!told) console.error("florin: another installation is under way, waiting for it");
    if (Date.now() > deadlineMs) throw new Error(`another installation holds ${installLock} for too long`);
    await sleep(500);
  }
  try {
    if (isInstalled()) return;
    console.error("florin: installing dependencies (npm ci), once");
    // The Node that runs npm stays; the one inside node_modules is about to be replaced.
    const npm = process.env.npm_execpath;
    const node = process.env.npm_node_execpath;
    const usable = npm?.endsWith(".js") && node !== undefined && !node.startsWith(modules) && existsSync(node);
    // Warnings about the engines of packages are about the Node of npm, which is not the one that will run them.
    const words = ["ci", "--loglevel=error"];
    const [file, first] = usable ? [node, [npm]] : ["npm", []];
    // To stderr: the output of the command itself stays clean.
    const env = { ...headersBesideNode(), ...process.env };
    const code = await run(file, [...first, ...words], { env, stdio: ["ignore", 2, 2], shell: !usable && process.platform === "win32" });
    if (code !== 0) throw new Error(`npm ci ended with ${code}`);
    writeFileSync(marker, lockfileHash());
  } finally {
    rmSync(installLock, { force: true });
  }
}

/** What the optional module for hardware keys is compiled against; without them npm has to download some. */
function headersBesideNode() {
  const prefix = join(dirname(process.execPath), "..");
  return existsSync(join(prefix, "include", "node", "node_api.h")) ? { npm_config_nodedir: prefix } : {};
}

/** The Node of node_modules, or this one when it is new enough. */
function findNode() {
  const installed = join(modules, ".bin", process.platform === "win32" ? "node.cmd" : "node");
  if (existsSync(installed)) return installed;
  if (nodeMajor() >= sourcesNodeMajorMin) return process.execPath;
  throw new Error(
    `npm brought no Node ${sourcesNodeMajorMin} for ${process.platform}-${process.arch}, and this is Node ${process.versions.node}: use a Node >= ${sourcesNodeMajorMin} of your own. ` +
      "(For linux-x64, linux-arm64, darwin-x64 and win32-x64 npm has one, unless it was told to omit optional dependencies.)",
  );
}

function nodeMajor() {
  return Number(process.versions.node.split(".")[0]);
}

/** Exit code of the child; signals are passed on, and it is the child that decides when to end. */
function run(file, words, options = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(file, words, { cwd: root, stdio: "inherit", ...options });
    const forward = (signal) => {
      // Ctrl-C reaches the whole foreground group by itself; a second copy would count as a second signal.
      if (signal !== "SIGINT" || !process.stdin.isTTY) child.kill(signal);
    };
    const signals = ["SIGINT", "SIGTERM", "SIGHUP"];
    for (const signal of signals) process.on(signal, forward);
    const finish = () => {
      for (const signal of signals) process.off(signal, forward);
    };
    child.once("error", (error) => {
      finish();
      reject(error);
    });
    child.once("exit", (code, signal) => {
      finish();
      resolve(signal === null ? code : 1);
    });
  });
}

async function main() {
  const [command, ...words] = process.argv.slice(2);
  const file = Object.hasOwn(commands, command ?? "") ? commands[command] : undefined;
  if (file === undefined) throw new Error(`usage: node scripts/bootstrap.mjs ${Object.keys(commands).join("|")} [arguments]`);
  if (nodeMajor() < nodeMajorMin) throw new Error(`Florin needs Node >= ${nodeMajorMin}; this is ${process.versions.node}`);
  if (!isInstalled()) await install();
  const env = {
    ...process.env,
    PATH: [join(modules, ".bin"), process.env.PATH].join(delimiter),
    // Paths in arguments belong to the folder the caller stands in; npm itself moves to the root first.
    FLORIN_CALLER_DIRECTORY: process.env.npm_lifecycle_event === command ? (process.env.INIT_CWD ?? process.cwd()) : process.cwd(),
  };
  return run(findNode(), [join(root, file), ...words], { env });
}

try {
  process.exitCode = await main();
} catch (error) {
  console.error(`florin: ${error.message}`);
  process.exitCode = 1;
}

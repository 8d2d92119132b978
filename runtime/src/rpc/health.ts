/** grpc.health.v1: "" and every service answer SERVING while `readiness` says so, NOT_SERVING otherwise and while draining. */
import type { DescService } from "@bufbuild/protobuf";
import type { Server } from "@grpc/grpc-js";
import { HealthImplementation, type ServingStatusMap } from "grpc-health-check";

/** How soon a change of readiness is seen, ms. */
const refreshEveryMs = 500;

export function addHealth(
  server: Server,
  services: readonly DescService[],
  readiness: () => boolean,
): { notServing(): void; stop(): void } {
  const names = ["", ...services.map((service) => service.typeName)];
  let isDraining = false;
  let isServing = readiness();
  const statusOf = () => (isServing ? "SERVING" : "NOT_SERVING");
  const initial: ServingStatusMap = Object.fromEntries(names.map((name) => [name, statusOf()]));
  const health = new HealthImplementation(initial);
  const refresh = () => {
    const next = !isDraining && readiness();
    if (next === isServing) return;
    isServing = next;
    for (const name of names) health.setStatus(name, statusOf());
  };
  const timer = setInterval(refresh, refreshEveryMs);
  timer.unref();
  health.addToServer(server);
  return {
    notServing() {
      isDraining = true;
      refresh();
    },
    stop: () => clearInterval(timer),
  };
}

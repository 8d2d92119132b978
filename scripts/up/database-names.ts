/** Database → the workspace whose `src/migrate.ts` makes its tables. */
export const workspaces = {
  florin_switch: "switch",
  florin_edge: "gateway-edge",
  florin_vault: "vault",
  florin_ledger: "ledger",
  florin_simulator: "simulator",
} as const;

export type DatabaseName = keyof typeof workspaces;
export const databaseNames = Object.keys(workspaces) as readonly DatabaseName[];
